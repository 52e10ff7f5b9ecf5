/**
 * @file An MPI library through Deno's FFI: which one it is, and the few functions of it that are used.
 *
 * Libraries of MPI agree on the names of functions and not on their constants. There are three families: Open MPI, where handles are
 * addresses of the library's own symbols; MPICH and what shares its binary interface (Intel MPI, Cray MPICH, MVAPICH), where they are
 * small numbers; and the standard binary interface of MPI 5.0, where they are small numbers as wide as an address.
 *
 * The permission to load one file (`--allow-ffi=PATH`) is enough: addresses are never read, and symbols are passed as they are.
 */

/** A library that is none, or cannot be used. */
export class MpiError extends Error {
  /** Name of the error class. */
  override readonly name = "MpiError";
}

/** Which constants a library has. */
export type Family = "Open MPI" | "MPICH" | "MPI 5";

type Handle = number | bigint | Deno.PointerValue;
type HandleType = "pointer" | "i32" | "usize";

/** Handles and numbers that differ between families. */
interface Constants {
  /** All ranks. */
  readonly world: Handle;
  readonly byte: Handle;
  /** Functions return a code where something is wrong, instead of ending the process. */
  readonly errorsReturn: Handle;
  /** The level at which any thread may call, one at a time. */
  readonly serialized: number;
}

/** MPICH's mpi.h; the same in everything of the MPICH ABI Compatibility Initiative. */
const MPICH: Constants = {
  world: 0x44000000,
  byte: 0x4c00010d,
  errorsReturn: 0x54000001,
  serialized: 2,
};
/** The header of the MPI 5.0 standard. */
const MPI_5: Constants = { world: 0x101n, byte: 0x247n, errorsReturn: 0x143n, serialized: 2048 };

/** Functions whose arguments do not depend on the family. `nonblocking`: waits in another thread, and lets signals and timers in. */
const functions = <H extends "pointer">(handle: H) => ({
  MPI_Init_thread: { parameters: ["usize", "usize", "i32", "buffer"], result: "i32" },
  MPI_Comm_rank: { parameters: [handle, "buffer"], result: "i32" },
  MPI_Comm_size: { parameters: [handle, "buffer"], result: "i32" },
  MPI_Comm_set_errhandler: { parameters: [handle, handle], result: "i32" },
  MPI_Error_string: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  MPI_Get_processor_name: { parameters: ["buffer", "buffer"], result: "i32" },
  MPI_Abort: { parameters: [handle, "i32"], result: "i32" },
  MPI_Finalize: { parameters: [], result: "i32" },
  MPI_Barrier: { parameters: [handle], result: "i32", nonblocking: true },
  MPI_Bcast: { parameters: ["buffer", "i32", handle, "i32", handle], result: "i32", nonblocking: true },
  MPI_Allgather: { parameters: ["buffer", "i32", handle, "buffer", "i32", handle, handle], result: "i32", nonblocking: true },
  MPI_Alltoall: { parameters: ["buffer", "i32", handle, "buffer", "i32", handle, handle], result: "i32", nonblocking: true },
} as const);

/** The functions of a library. */
export type MpiFunctions = Deno.DynamicLibrary<ReturnType<typeof functions<"pointer">>>["symbols"];

/** A library that has been loaded, not yet started. */
export interface MpiLibrary {
  readonly path: string;
  readonly family: Family;
  /** What it says about itself, such as "Open MPI v4.1.4". */
  readonly version: string;
  readonly functions: MpiFunctions;
  /** Handles, as the functions take them. */
  readonly constants:
    & Omit<Constants, "world" | "byte" | "errorsReturn">
    & Record<"world" | "byte" | "errorsReturn", Deno.PointerValue>;
}

/** What `tasks/mpi_library.sh` says if it finds nothing. */
export const NOT_FOUND = "/nonexistent/libmpi.so";

const REMEDY = "Install one (Debian and Ubuntu: apt-get install openmpi-bin, or mpich), load its module, " +
  "or set L2VIT_MPI to the file of the library that belongs to your mpirun or srun, such as L2VIT_MPI=/opt/openmpi/lib/libmpi.so";

/**
 * Loads a library.
 *
 * @param path absolute
 * @throws {MpiError} if there is none, or it is no library of MPI
 */
export function openLibrary(path: string): MpiLibrary {
  if (path === NOT_FOUND || path === "") throw new MpiError(`No library of MPI was found. ${REMEDY}`);
  try {
    const { family, version } = identify(path);
    const constants = family === "Open MPI" ? openMpi(path) : family === "MPICH" ? MPICH : MPI_5;
    const handle: HandleType = family === "Open MPI" ? "pointer" : family === "MPICH" ? "i32" : "usize";
    // one type for all: handles are only passed on
    const { symbols } = Deno.dlopen(path, functions(handle as "pointer"));
    return { path, family, version, functions: symbols, constants: constants as MpiLibrary["constants"] };
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    throw new MpiError(`${path} is no library of MPI: ${(error as Error).message.replaceAll(/\s+/g, " ")}. ${REMEDY}`);
  }
}

/** Needs no handle, and that nothing was started. */
function identify(path: string): Pick<MpiLibrary, "family" | "version"> {
  const { symbols } = Deno.dlopen(path, {
    MPI_Get_library_version: { parameters: ["buffer", "buffer"], result: "i32" },
    MPI_Abi_get_version: { parameters: ["buffer", "buffer"], result: "i32", optional: true },
  });
  const version = readText(8192, (text, length) => symbols.MPI_Get_library_version(text, length));
  const major = new Int32Array(1), minor = new Int32Array(1);
  // says 1 in a library of the standard interface, and -1 in one that has its own
  symbols.MPI_Abi_get_version?.(major, minor);
  const family = major[0]! >= 1 ? "MPI 5" : version.startsWith("Open MPI") ? "Open MPI" : "MPICH";
  return { family, version: shorten(version) };
}

function openMpi(path: string): Constants {
  const type = "pointer";
  const { symbols } = Deno.dlopen(path, {
    ompi_mpi_comm_world: { type },
    ompi_mpi_byte: { type },
    ompi_mpi_errors_return: { type },
  });
  return {
    world: symbols.ompi_mpi_comm_world,
    byte: symbols.ompi_mpi_byte,
    errorsReturn: symbols.ompi_mpi_errors_return,
    serialized: 2,
  };
}

/** "Open MPI v4.1.4" of a text that goes on after a comma, "MPICH 4.0.2" of a table. */
function shorten(version: string): string {
  const [first, second] = version.split("\n")[0]!.split(",")[0]!.trim().split(/\s*:\s*/);
  return second === undefined ? first! : `${first!.replace(/\s+Version$/i, "")} ${second}`;
}

/** A text that a function writes, with its length. */
export function readText(most: number, write: (text: Uint8Array<ArrayBuffer>, length: Int32Array<ArrayBuffer>) => void): string {
  const text = new Uint8Array(most), length = new Int32Array(1);
  write(text, length);
  return new TextDecoder().decode(text.subarray(0, length[0])).split("\0")[0]!.trim();
}
