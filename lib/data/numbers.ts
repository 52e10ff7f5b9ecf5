/** @file Types of numbers in files, and how their bytes become numbers: exactly, or not at all. */

/** Types that are read: IEEE 754 floats, bfloat16, whole numbers without and with a sign. */
export type NumberFormat = "f16" | "bf16" | "f32" | "f64" | "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "u64" | "i64";

/** How numbers are stored: what is needed to read them. */
export interface NumberLayout {
  /** Undefined if they are no numbers that can be read. */
  readonly format: NumberFormat | undefined;
  /** Bytes of an element. */
  readonly size: number;
  /** False: the bytes of each number run from the highest to the lowest. */
  readonly littleEndian: boolean;
}

/** A number that the wanted precision cannot hold. */
export class InexactNumber extends Error {
  /** Its position among those that were read. */
  readonly index: number;
  /** The number in full. */
  readonly value: string;

  constructor(index: number, value: number | bigint) {
    super(`${value} cannot be held exactly`);
    this.index = index;
    this.value = String(value);
  }
}

/** How processors see numbers of a type; of bfloat16 the bits. */
const VIEWS = {
  f16: Float16Array,
  bf16: Uint16Array,
  f32: Float32Array,
  f64: Float64Array,
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  u64: BigUint64Array,
  i64: BigInt64Array,
};

/**
 * Numbers in double precision.
 *
 * @throws {InexactNumber} if a whole number is none of double precision
 */
export function toFloat64(bytes: Uint8Array<ArrayBuffer>, type: NumberLayout): Float64Array {
  const numbers = viewOf(bytes, type);
  if (!(numbers instanceof BigInt64Array || numbers instanceof BigUint64Array)) return new Float64Array(numbers);
  const out = Float64Array.from(numbers, Number);
  const inexact = out.findIndex((value, i) => BigInt(value) !== numbers[i]);
  if (inexact >= 0) throw new InexactNumber(inexact, numbers[inexact]!);
  return out;
}

/**
 * Numbers in single precision: fractions are rounded, whole numbers must be exact.
 *
 * @returns a view of the bytes where they are such numbers already
 * @throws {InexactNumber} if a whole number is none of single precision, or a number is beyond its largest
 */
export function toFloat32(bytes: Uint8Array<ArrayBuffer>, type: NumberLayout): Float32Array<ArrayBuffer> {
  const numbers = viewOf(bytes, type);
  if (numbers instanceof Float32Array) return numbers;
  const isBig = numbers instanceof BigInt64Array || numbers instanceof BigUint64Array;
  const out = isBig ? Float32Array.from(numbers, Number) : new Float32Array(numbers);
  const isExact = numbers instanceof Float64Array
    ? (value: number, i: number) => Number.isFinite(value) === Number.isFinite(numbers[i]!)
    : isBig
    ? (value: number, i: number) => BigInt(value) === numbers[i]
    : (value: number, i: number) => value === numbers[i] || Number.isNaN(value);
  // types of one and two bytes fit whatever they hold
  const inexact = type.size > 2 ? out.findIndex((value, i) => !isExact(value, i)) : -1;
  if (inexact >= 0) throw new InexactNumber(inexact, numbers[inexact]!);
  return out;
}

/** Bytes as what they are. */
function viewOf(bytes: Uint8Array<ArrayBuffer>, { format, size, littleEndian }: NumberLayout) {
  if (!format) throw new Error("there are no numbers to be read");
  const { buffer, byteOffset, length } = inOrder(bytes, size, littleEndian);
  const view = new VIEWS[format](buffer, byteOffset, length / size);
  // a bfloat16 is the upper half of a float32
  return format === "bf16" ? new Float32Array(Uint32Array.from(view as Uint16Array, (bits) => bits << 16).buffer) : view;
}

/** Bytes in the order of the processor, and where it can read them. */
function inOrder(bytes: Uint8Array<ArrayBuffer>, size: number, littleEndian: boolean): Uint8Array<ArrayBuffer> {
  if (littleEndian || size === 1) return bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  const out = new Uint8Array(bytes.length);
  for (let at = 0; at < out.length; at += size) {
    for (let i = 0; i < size; i++) out[at + i] = bytes[at + size - 1 - i]!;
  }
  return out;
}
