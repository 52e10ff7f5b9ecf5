/**
 * @file All processes of a run that was started by mpirun or srun, as one of them sees it.
 *
 * Every call but {@linkcode World.abort} is collective: all ranks make the same calls in the same order. Sums are taken in the order
 * of the ranks, whatever the library: each rank is sent its part of everybody's numbers, adds them up, and sends the sum to all.
 *
 * A partner that hangs would be waited for without end, so each wait has a bound.
 */

import { type Family, MpiError, type MpiLibrary, openLibrary, readText } from "./library.ts";

/** Numbers that are summed at once: a count of bytes has 31 bits. */
const MOST_AT_ONCE = 2 ** 24;

/** How a process joins the others. */
export interface WorldOptions {
  /** File of the library. */
  readonly library: string;
  /** Longest wait for the others, in seconds. */
  readonly patience: number;
  /** Called if a wait takes longer; ends the process. */
  readonly overdue: (what: string) => void;
}

/** What a sum is computed in: everybody's numbers as they are sent, everybody's of this rank's part, and their sum. */
type Room = Readonly<Record<"all" | "received" | "mine", Float32Array<ArrayBuffer>>>;

/** The processes of a run. */
export class World {
  /** Number of this process, from 0. */
  readonly rank: number;
  /** Number of processes. */
  readonly size: number;
  /** Name of the machine that this process runs on. */
  readonly node: string;
  /** The library, such as "Open MPI v4.1.4". */
  readonly version: string;
  /** Which constants the library has. */
  readonly family: Family;
  readonly #library: MpiLibrary;
  readonly #options: WorldOptions;
  #kept: Room | undefined;

  /**
   * Joins the others.
   *
   * @throws {MpiError} if there is no such library, or it does not start
   */
  constructor(options: WorldOptions) {
    const library = openLibrary(options.library);
    const { functions, constants: { world, errorsReturn, serialized } } = library;
    this.#library = library;
    this.#options = options;
    this.version = library.version;
    this.family = library.family;
    const out = new Int32Array(1);
    this.#check(functions.MPI_Init_thread(0n, 0n, serialized, out), "MPI_Init_thread");
    if (out[0]! < serialized) {
      throw new MpiError(
        `${library.path} (${library.version}) was built without threads (MPI_THREAD_SERIALIZED): use another build`,
      );
    }
    this.#check(functions.MPI_Comm_set_errhandler(world, errorsReturn), "MPI_Comm_set_errhandler");
    this.#check(functions.MPI_Comm_rank(world, out), "MPI_Comm_rank");
    this.rank = out[0]!;
    this.#check(functions.MPI_Comm_size(world, out), "MPI_Comm_size");
    this.size = out[0]!;
    this.node = readText(1024, (text, length) => functions.MPI_Get_processor_name(text, length));
  }

  /**
   * Compares the number of processes with what the user has said.
   *
   * @throws {MpiError} if they differ, on all ranks alike
   */
  expect(ranks: number): void {
    if (this.size !== ranks) throw new MpiError(this.#otherSize(ranks));
  }

  #otherSize(ranks: number): string {
    const { path, version } = this.#library;
    const known = this.size === 1 ? "1 rank" : `${this.size} ranks`;
    const why = this.size === 1 && ranks > 1
      ? `Either nothing started ${ranks} processes (mpirun -n ${ranks} ..., srun --ntasks=${ranks} ...), or this library does not belong ` +
        "to the mpirun or srun that did: set L2VIT_MPI to the one that does"
      : `Use --ranks ${this.size}, or start ${ranks} processes`;
    return `--ranks is ${ranks}, and ${path} (${version}) knows of ${known}. ${why}`;
  }

  /** Adds the numbers of all ranks up, in the order of the ranks, times a factor: the same bits on each rank. */
  async sum(values: Float32Array<ArrayBuffer>, factor = 1): Promise<void> {
    if (this.size === 1) {
      if (factor !== 1) values.forEach((value, i) => values[i] = value * factor);
      return;
    }
    for (let first = 0; first < values.length; first += MOST_AT_ONCE) {
      await this.#sumOf(values.subarray(first, first + MOST_AT_ONCE), factor);
    }
  }

  async #sumOf(values: Float32Array<ArrayBuffer>, factor: number): Promise<void> {
    const { functions: { MPI_Alltoall, MPI_Allgather }, constants: { world, byte } } = this.#library;
    const share = Math.ceil(values.length / this.size), bytes = 4 * share;
    const { all: sent, received, mine } = this.#room(share);
    sent.set(values);
    await this.#wait("a sum", "MPI_Alltoall", MPI_Alltoall(sent, bytes, byte, received, bytes, byte, world));
    for (let i = 0; i < share; i++) {
      let sum = received[i]!;
      for (let r = 1; r < this.size; r++) sum = Math.fround(sum + received[r * share + i]!);
      mine[i] = sum * factor;
    }
    await this.#wait("a sum", "MPI_Allgather", MPI_Allgather(mine, bytes, byte, sent, bytes, byte, world));
    values.set(sent.subarray(0, values.length));
  }

  /** Room for a sum, kept for the next one: new pages take the system longer than the sum. */
  #room(share: number): Room {
    if (this.#kept?.mine.length === share) return this.#kept;
    const [all, received] = [new Float32Array(share * this.size), new Float32Array(share * this.size)];
    return this.#kept = { all, received, mine: new Float32Array(share) };
  }

  /** The numbers of all ranks, one after the other; all ranks bring as many. */
  async gather(mine: Float32Array<ArrayBuffer>): Promise<Float32Array<ArrayBuffer>> {
    const { functions: { MPI_Allgather }, constants: { world, byte } } = this.#library;
    const all = new Float32Array(mine.length * this.size), bytes = mine.byteLength;
    await this.#wait("an exchange", "MPI_Allgather", MPI_Allgather(mine, bytes, byte, all, bytes, byte, world));
    return all;
  }

  /** Fills the bytes of all ranks with those of rank 0. */
  async broadcast(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { functions: { MPI_Bcast }, constants: { world, byte } } = this.#library;
    for (let first = 0; first < bytes.length; first += 4 * MOST_AT_ONCE) {
      const part = bytes.subarray(first, first + 4 * MOST_AT_ONCE);
      await this.#wait("rank 0", "MPI_Bcast", MPI_Bcast(part, part.length, byte, 0, world));
    }
  }

  /** Waits until all ranks are here. */
  async barrier(): Promise<void> {
    const { functions: { MPI_Barrier }, constants: { world } } = this.#library;
    await this.#wait("the others", "MPI_Barrier", MPI_Barrier(world));
  }

  /** Ends all ranks with an exit code that is not 0. */
  abort(code: number): void {
    this.#library.functions.MPI_Abort(this.#library.constants.world, code);
  }

  /** Leaves the others, who do the same. */
  finalize(): void {
    this.#check(this.#library.functions.MPI_Finalize(), "MPI_Finalize");
  }

  /** Waits for a call that needs the others, as long as patience lasts. */
  async #wait(what: string, name: string, call: Promise<number>): Promise<void> {
    const { patience, overdue } = this.#options;
    // all that wait for the same rank find out at once: one says so
    const timer = setTimeout(() => overdue(what), 1000 * patience + Math.min(5000, 250 * this.rank));
    try {
      this.#check(await call, name);
    } finally {
      clearTimeout(timer);
    }
  }

  #check(code: number, name: string): void {
    if (code === 0) return;
    const text = readText(1024, (bytes, length) => this.#library.functions.MPI_Error_string(code, bytes, length));
    throw new MpiError(`${name} of ${this.#library.path} failed: ${text}`);
  }
}
