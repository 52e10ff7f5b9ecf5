/**
 * @file Types of elements: which types of HDF5 are numbers that can be read, and what the others are.
 *
 * An HDF5 type may put sign, exponent and mantissa, or the bits of a whole number, anywhere in its bytes. What is
 * read are the types that processors have, in either byte order; all others are named, to be refused.
 */

import { TEXT } from "../data_file.ts";
import type { NumberFormat, NumberLayout } from "../numbers.ts";
import type { Cursor } from "./hdf5_source.ts";

/** The type of a dataset's elements. */
export interface ElementType extends NumberLayout {
  /** What they are, in words. */
  readonly words: string;
  /** Makes numbers of those that are not read, in the language of h5py, the dataset being OLD. */
  readonly conversion?: string;
}

/** Bits of exponent and mantissa, and the exponent's bias. */
const FLOATS: Readonly<Record<string, NumberFormat>> = {
  "5,10,15": "f16",
  "8,7,127": "bf16",
  "8,23,127": "f32",
  "11,52,1023": "f64",
};
const COMPLEX = ["complex numbers", "OLD[:].real"] as const;
/** Other classes of types by number, and how h5py makes numbers of what they hold. */
const CLASSES: Readonly<Record<number, readonly [words: string, conversion?: string]>> = {
  2: ["times"],
  3: [TEXT],
  4: ["bit fields"],
  5: ["opaque bytes"],
  6: ["records", 'OLD["FIELD"]'],
  7: ["references"],
  9: ["lists", "np.stack(OLD[:])"],
  10: ["arrays", "OLD[:]"],
  11: COMPLEX,
};
const TO_FLOAT = 'OLD.astype("f4")[:]';
const LETTERS = 3, RECORDS = 6, ENUMERATIONS = 8, LISTS = 9;

/** Reads a datatype message. */
export function readType(cursor: Cursor): ElementType {
  const head = cursor.uint(1), flags = cursor.uint(3), size = cursor.uint(4);
  const kind = head & 0xf;
  if (kind === 0) return wholeNumbers(cursor, flags, size);
  if (kind === 1) return floats(cursor, flags, size);
  // numbers with names, flags among them, are stored as the type that follows
  if (kind === ENUMERATIONS) return readType(cursor);
  const isText = kind === LISTS && (flags & 0xf) === 1;
  // h5py stores complex numbers as records of their parts, r and i
  const isComplex = kind === RECORDS && (flags & 0xffff) === 2 && cursor.name() === "r";
  const [words, conversion] = isComplex ? COMPLEX : CLASSES[isText ? LETTERS : kind] ?? [`elements of class ${kind}`];
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
