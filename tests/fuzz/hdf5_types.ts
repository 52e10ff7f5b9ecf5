/**
 * @file Types of the numbers in grown HDF5 files: whole numbers, floats and enumerations, and some that look like them.
 */

import { flat, le, padded, type Part } from "../support/hdf5.ts";
import type { Choices } from "./choices.ts";

/** A type of elements: its message, and the bytes of a number. */
export interface ElementType {
  readonly message: Part;
  readonly bytes: number;
  readonly encode: (value: number) => Uint8Array;
}

/** Any type of numbers, and seldom one that is none. */
export function elementType(choose: Choices): ElementType {
  const whole = wholeNumbers(choose, 1 << choose.below(4));
  return choose.mostly<() => ElementType>([
    () => whole,
    () => floats(choose, 4),
    () => floats(choose, choose.pick([2, 4, 8])),
    () => ({ ...whole, message: enumeration(choose.pick([1, 3]), whole) }),
    () => strange(choose, whole),
  ])();
}

function wholeNumbers(choose: Choices, bytes: number): ElementType {
  const big = choose.below(2), sign = choose.pick([0, 8]);
  return {
    bytes,
    message: [0x10, big | sign, 0, 0, le(4, bytes), le(2, 0, 8 * bytes)],
    encode: (value) => inOrder(le(bytes, value), big === 1),
  };
}

function floats(choose: Choices, bytes: number): ElementType {
  const big = choose.below(2), brain = bytes === 2 && choose.below(2) === 0;
  const mantissa = brain ? 7 : { 2: 10, 4: 23, 8: 52 }[bytes]!, exponent = 8 * bytes - 1 - mantissa;
  return {
    bytes,
    message: floatMessage(bytes, { big, exponent, mantissa, bias: 2 ** (exponent - 1) - 1, hidden: 2 }),
    encode(value) {
      const view = new DataView(new ArrayBuffer(8));
      if (brain) view.setFloat32(0, value, true);
      else if (bytes === 2) view.setFloat16(0, value, true);
      else if (bytes === 4) view.setFloat32(0, value, true);
      else view.setFloat64(0, value, true);
      return inOrder(new Uint8Array(view.buffer, brain ? 2 : 0, bytes), big === 1);
    },
  };
}

/** Types whose bytes are those of usual numbers, and which are none. */
function strange(choose: Choices, { bytes, encode }: ElementType): ElementType {
  const bits = 8 * bytes, base = [0x10, 8, 0, 0, le(4, bytes), le(2, 0, bits)];
  const message = choose.pick<Part>([
    [0x10, 0, 0, 0, le(4, bytes), le(2, 1, bits - 1)],
    [0x10, 8, 0, 0, le(4, bytes), le(2, 0, bits - 2)],
    floatMessage(4, { big: 0, exponent: 8, mantissa: 23, bias: 63, hidden: 2 }),
    floatMessage(4, { big: 0, exponent: 8, mantissa: 23, bias: 127, hidden: 0 }),
    floatMessage(4, { big: 0x41, exponent: 8, mantissa: 23, bias: 127, hidden: 2 }),
    floatMessage(2, { big: 0, exponent: 4, mantissa: 11, bias: 7, hidden: 2 }),
    [0x13, 0, 0, 0, le(4, bytes)],
    [0x14, 0, 0, 0, le(4, bytes), le(2, 0, bits)],
    [0x15, 0, 0, 0, le(4, bytes)],
    [0x17, 0, 0, 0, le(4, 8)],
    [0x36, 1, 0, 0, le(4, bytes), "x\0", 0, base],
    [0x19, 0, 0, 0, le(4, 16), base],
    [0x19, 1, 0, 0, le(4, 16), base],
    [0x3a, 0, 0, 0, le(4, 2 * bytes), 1, le(4, 2), base],
  ]);
  return { message, encode, bytes: new DataView(flat(message).buffer).getUint32(4, true) };
}

/** The bytes of a number, with zeros where a type is wider than it. */
export function bytesOf({ bytes, encode }: ElementType, value: number): Uint8Array {
  const number = encode(value), element = new Uint8Array(bytes);
  element.set(number.subarray(0, bytes));
  return element;
}

function enumeration(version: 1 | 3, { message, bytes, encode }: ElementType): Part {
  const name = version === 3 ? "a\0" : padded(flat("a\0"));
  return [version << 4 | 8, 1, 0, 0, le(4, bytes), message, name, encode(1)];
}

function floatMessage(
  bytes: number,
  { big, exponent, mantissa, bias, hidden }: { big: number; exponent: number; mantissa: number; bias: number; hidden: number },
): Part {
  const bits = [mantissa, exponent, 0, mantissa];
  return [0x11, big | hidden << 4, 8 * bytes - 1, 0, le(4, bytes), le(2, 0, 8 * bytes), bits, le(4, bias)];
}

function inOrder(bytes: Uint8Array, big: boolean): Uint8Array {
  return big ? bytes.slice().reverse() : bytes;
}
