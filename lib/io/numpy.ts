/**
 * @file Numbers that NumPy pickled, as they turn up in checkpoints beside the tensors: a mean, a loss, a list of losses.
 *
 * A scalar is `scalar(dtype, bytes)`, its bytes being written as text by `_codecs.encode(text, "latin1")`, and a dtype is a name with
 * its byte order as an attribute. Nothing of NumPy is needed to read them, and nothing is called.
 */

import { PickleError } from "./pickle.ts";

const SCALARS = ["numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"];
const DTYPE = "numpy.dtype", ENCODE = "_codecs.encode";

const READERS: Readonly<Record<string, readonly [width: number, read: (view: DataView) => number]>> = {
  f8: [8, (view) => view.getFloat64(0, true)],
  f4: [4, (view) => view.getFloat32(0, true)],
  i8: [8, (view) => Number(view.getBigInt64(0, true))],
  i4: [4, (view) => view.getInt32(0, true)],
};

/** The type of a NumPy number. */
export class NumpyType {
  /** A key of the readers. */
  readonly name: string;

  /** @throws {PickleError} if it is no type of a number */
  constructor(name: unknown) {
    if (typeof name !== "string" || !Object.hasOwn(READERS, name)) {
      throw new PickleError("the pickle holds a NumPy type that is not known");
    }
    this.name = name;
  }

  /**
   * Takes note of the type's attributes.
   *
   * @param attributes (version, byte order, ...)
   * @throws {PickleError} if the bytes are not little-endian
   */
  build(attributes: unknown): void {
    if (!Array.isArray(attributes) || attributes[1] !== "<") {
      throw new PickleError("the pickle holds NumPy numbers that are not little-endian");
    }
  }
}

/** True for the names that a pickled NumPy number needs. */
export function isNumpy(name: string): boolean {
  return [...SCALARS, DTYPE, ENCODE].includes(name);
}

/**
 * What a call with one of those names stands for: a type, bytes, or a number.
 *
 * @throws {PickleError} if NumPy does not call it so
 */
export function numpyCall(name: string, values: readonly unknown[]): NumpyType | Uint8Array | number {
  const [first, second] = values;
  if (name === DTYPE) return new NumpyType(first);
  if (name === ENCODE && typeof first === "string" && second === "latin1") {
    const codes = Array.from(first, (character) => character.codePointAt(0)!);
    if (codes.every((code) => code < 256)) return Uint8Array.from(codes);
  }
  if (SCALARS.includes(name) && first instanceof NumpyType && second instanceof Uint8Array) {
    const [width, read] = READERS[first.name]!;
    if (second.length === width) return read(new DataView(second.buffer, second.byteOffset));
  }
  throw new PickleError(`the pickle calls ${name} as NumPy does not`);
}
