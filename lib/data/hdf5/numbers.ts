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

type Reader = (view: DataView, at: number, littleEndian: boolean) => number;

const READERS: Readonly<Record<Exclude<NumberFormat, "i64" | "u64">, Reader>> = {
  f16: (view, at, little) => view.getFloat16(at, little),
  bf16: (view, at, little) => bfloat16(view.getUint16(at, little)),
  f32: (view, at, little) => view.getFloat32(at, little),
  f64: (view, at, little) => view.getFloat64(at, little),
  u8: (view, at) => view.getUint8(at),
  i8: (view, at) => view.getInt8(at),
  u16: (view, at, little) => view.getUint16(at, little),
  i16: (view, at, little) => view.getInt16(at, little),
  u32: (view, at, little) => view.getUint32(at, little),
  i32: (view, at, little) => view.getInt32(at, little),
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
export function toFloat64(bytes: Uint8Array<ArrayBuffer>, { format, size, littleEndian }: NumberType): Float64Array {
  if (!format) throw new Hdf5Fault("holds no numbers that can be read");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const out = new Float64Array(bytes.length / size);
  if (format === "i64" || format === "u64") {
    for (let i = 0; i < out.length; i++) {
      const exact = format === "i64" ? view.getBigInt64(8 * i, littleEndian) : view.getBigUint64(8 * i, littleEndian);
      out[i] = Number(exact);
      if (BigInt(out[i]!) !== exact) throw new InexactNumber(i, exact);
    }
    return out;
  }
  const read = READERS[format];
  for (let i = 0; i < out.length; i++) out[i] = read(view, i * size, littleEndian);
  return out;
}

/**
 * Numbers in single precision: fractions are rounded, whole numbers must be exact.
 *
 * @returns a view of the bytes where they are such numbers already
 * @throws {InexactNumber} if a whole number is none of single precision, or a number is beyond its largest
 */
export function toFloat32(bytes: Uint8Array<ArrayBuffer>, type: NumberType): Float32Array<ArrayBuffer> {
  const { format, littleEndian } = type;
  if (format === "f32" && littleEndian && bytes.byteOffset % 4 === 0) {
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  }
  const values = toFloat64(bytes, type);
  const out = Float32Array.from(values);
  const fraction = format === "f64";
  if (fraction || /32|64/.test(format!)) {
    for (let i = 0; i < out.length; i++) {
      const [value, single] = [values[i]!, out[i]!];
      if (fraction ? Number.isFinite(value) !== Number.isFinite(single) : value !== single) throw new InexactNumber(i, value);
    }
  }
  return out;
}

const single = new Float32Array(1);
const singleBits = new Uint32Array(single.buffer);

/** A bfloat16 is the upper half of a float32. */
function bfloat16(bits: number): number {
  singleBits[0] = bits << 16;
  return single[0]!;
}
