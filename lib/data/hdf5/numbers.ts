/**
 * @file Types of numbers: which HDF5 types are read, and how their bytes become numbers.
 *
 * An HDF5 type may put sign, exponent and mantissa, or the bits of a whole number, anywhere in its bytes. What is
 * read are the types that processors have, in either byte order; all others are named, to be refused.
 */

import { type Cursor, Hdf5Fault } from "./source.ts";

/** Types that are read: IEEE 754 floats, bfloat16, whole numbers without and with a sign. */
export type NumberFormat = "f16" | "bf16" | "f32" | "f64" | "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "u64" | "i64";

/** The type of a dataset's elements. */
export interface ElementType {
  /** Undefined if they are no numbers that can be read. */
  readonly format: NumberFormat | undefined;
  /** Bytes of an element. */
  readonly size: number;
  readonly littleEndian: boolean;
  /** What they are, in words. */
  readonly words: string;
  /** Makes numbers of those that are not read, in the language of h5py, the dataset being OLD. */
  readonly conversion?: string;
}

/** What is needed to read numbers. */
export type NumberType = Pick<ElementType, "format" | "size" | "littleEndian">;

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

/** Bits of exponent and mantissa, and the exponent's bias. */
const FLOATS: Readonly<Record<string, NumberFormat>> = {
  "5,10,15": "f16",
  "8,7,127": "bf16",
  "8,23,127": "f32",
  "11,52,1023": "f64",
};
/** Other classes of types by number, and how h5py makes numbers of what they hold. */
const CLASSES: Readonly<Record<number, readonly [words: string, conversion?: string]>> = {
  2: ["times"],
  3: ["text", "np.unique(OLD[:], return_inverse=True)[1]"],
  4: ["bit fields"],
  5: ["opaque bytes"],
  6: ["records", 'OLD["FIELD"]'],
  7: ["references"],
  9: ["lists", "np.stack(OLD[:])"],
  10: ["arrays", "OLD[:]"],
  11: ["complex numbers", "abs(OLD[:])"],
};
const TO_FLOAT = 'OLD.astype("f4")[:]';
const ENUMERATIONS = 8, LISTS = 9, TEXT = 3;

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

/** Reads a datatype message. */
export function readType(cursor: Cursor): ElementType {
  const head = cursor.uint(1), flags = cursor.uint(3), size = cursor.uint(4);
  const kind = head & 0xf;
  if (kind === 0) return wholeNumbers(cursor, flags, size);
  if (kind === 1) return floats(cursor, flags, size);
  // numbers with names, flags among them, are stored as the type that follows
  if (kind === ENUMERATIONS) return readType(cursor);
  const isText = kind === LISTS && (flags & 0xf) === 1;
  const [words, conversion] = CLASSES[isText ? TEXT : kind] ?? [`elements of class ${kind}`];
  return { format: undefined, size, littleEndian: true, words, ...(conversion && { conversion }) };
}

function wholeNumbers(cursor: Cursor, flags: number, size: number): ElementType {
  const offset = cursor.uint(2), bits = cursor.uint(2);
  const littleEndian = !(flags & 1), signed = (flags & 8) !== 0;
  const standard = offset === 0 && bits === 8 * size && [1, 2, 4, 8].includes(size);
  if (!standard) {
    const words = `whole numbers of ${bits} bits from bit ${offset} of ${size} bytes`;
    return { format: undefined, size, littleEndian, words, conversion: TO_FLOAT };
  }
  const words = `${signed ? "integer" : "unsigned"} ${bits} bit${order(size, littleEndian)}`;
  return { format: `${signed ? "i" : "u"}${bits}` as NumberFormat, size, littleEndian, words };
}

function floats(cursor: Cursor, flags: number, size: number): ElementType {
  const offset = cursor.uint(2), bits = cursor.uint(2);
  const [exponentAt, exponentBits, mantissaAt, mantissaBits] = [cursor.uint(1), cursor.uint(1), cursor.uint(1), cursor.uint(1)];
  const bias = cursor.uint(4), signAt = flags >> 8 & 0xff;
  const littleEndian = !(flags & 1), vax = (flags & 0x40) !== 0, hiddenBit = (flags >> 4 & 3) === 2;
  const inOrder = mantissaAt === 0 && exponentAt === mantissaBits && signAt === bits - 1 && exponentBits + mantissaBits === signAt;
  const standard = inOrder && hiddenBit && !vax && offset === 0 && bits === 8 * size;
  const format = standard ? FLOATS[[exponentBits, mantissaBits, bias].join()] : undefined;
  const words = format
    ? `${format === "bf16" ? "bfloat" : "float"} ${bits} bit${order(size, littleEndian)}`
    : `floats of ${bits} bits in a layout of their own (exponent of ${exponentBits} bits with bias ${bias}, mantissa of ${mantissaBits})`;
  return { format, size, littleEndian, words, conversion: TO_FLOAT };
}

function order(size: number, littleEndian: boolean): string {
  return size > 1 && !littleEndian ? ", big-endian" : "";
}

/**
 * Numbers in double precision.
 *
 * @throws {InexactNumber} if a whole number is none of double precision
 */
export function toFloat64(bytes: Uint8Array<ArrayBuffer>, type: NumberType): Float64Array {
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
export function toFloat32(bytes: Uint8Array<ArrayBuffer>, type: NumberType): Float32Array<ArrayBuffer> {
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
function viewOf(bytes: Uint8Array<ArrayBuffer>, { format, size, littleEndian }: NumberType) {
  if (!format) throw new Hdf5Fault("it holds no numbers that can be read");
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
