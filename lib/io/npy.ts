/**
 * @file The header of NumPy's .npy files: of which type an array's numbers are, its shape, and where they begin.
 *
 * Behind a magic string, a version and its own length, the header is a dictionary in Python's notation, such as
 * `{'descr': '<f4', 'fortran_order': False, 'shape': (10, 125, 125, 8), }`. It is not evaluated: what is not written in
 * just this way is refused. See "NEP 1: A Simple File Format for NumPy Arrays".
 */

/** A header that cannot be read. */
export class NpyError extends Error {
  /** Name of the error class. */
  override readonly name = "NpyError";
}

/** What a header says. */
export interface NpyHeader {
  /** Type of the elements as NumPy spells it, such as "<f4"; "" for records, which are spelt as a list. */
  readonly descr: string;
  /** True if the first axis is the fastest. */
  readonly fortranOrder: boolean;
  /** Sizes of the axes. */
  readonly shape: readonly number[];
  /** Bytes of the header: the numbers begin behind it. */
  readonly bytes: number;
}

/** How a .npy file begins, as Latin-1 text. */
export const NPY_MAGIC = "\x93NUMPY";
/** Largest header that is read, in bytes. */
export const MOST_HEADER = 2 ** 16;

const SIZES = /'shape': ?\(((?:\d+L?, ?)*(?:\d+L?)?)\)/g;
const ORDER = /'fortran_order': ?(True|False)/g;
const TYPE = /'descr': ?(?:'([^']*)'|\[)/g;

/**
 * Reads a header.
 *
 * @param start the first bytes of the file, {@linkcode MOST_HEADER} of them if it has so many
 * @throws {NpyError} if it is cut, damaged, or of a version that is not known
 */
export function readNpyHeader(start: Uint8Array): NpyHeader {
  if (text(start.subarray(0, NPY_MAGIC.length)) !== NPY_MAGIC) throw new NpyError("it is no NumPy array");
  const version = start[6] ?? 0, behind = version === 1 ? 10 : 12;
  if (start.length < behind) throw new NpyError("its header is cut");
  if (version < 1 || version > 3) throw new NpyError(`its header has version ${version}, which is not known here`);
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const bytes = behind + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (bytes > start.length) throw new NpyError(bytes > MOST_HEADER ? `its header claims ${bytes} bytes` : "its header is cut");
  const header = text(start.subarray(behind, bytes)).trim();
  const [shape, order, descr] = [SIZES, ORDER, TYPE].map((pattern) => [...header.matchAll(pattern)]);
  if (!/^\{.*\}$/s.test(header) || ![shape, order, descr].every((found) => found!.length === 1)) {
    throw new NpyError("its header is damaged");
  }
  const sizes = shape![0]![1]!.match(/\d+/g)?.map(Number) ?? [];
  if (!sizes.every(Number.isSafeInteger)) throw new NpyError(`its header claims ${Math.max(...sizes)} elements along an axis`);
  return { descr: descr![0]![1] ?? "", fortranOrder: order![0]![1] === "True", shape: sizes, bytes };
}

function text(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}
