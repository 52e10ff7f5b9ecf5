/**
 * @file The unit of a dataset's numbers, as an attribute `unit` or `units` says it: text of fixed length, or in the global heap as h5py
 * writes it ("HDF5 File Format Specification" 3.0, IV.A.2.m). Attributes that a file keeps in an index of their own, which it does with
 * very many, are not looked at.
 */

import { heapObject } from "./global_heap.ts";
import { MESSAGE, type Message } from "./header.ts";
import { Cursor, type Hdf5Source } from "./hdf5_source.ts";

const NAMES = ["unit", "units"];
/** A text that is longer is a sentence, no unit. */
const LONGEST = 24;
const LETTERS = 3, LISTS = 9;
const SHARED_TYPE = 1;

/** The unit, in words that fit an axis; undefined if no attribute tells one. */
export function readUnit(source: Hdf5Source, messages: readonly Message[]): string | undefined {
  for (const { type, body } of messages) {
    if (type !== MESSAGE.attribute) continue;
    const text = textOf(source, new Cursor(body, source.widths))?.trim();
    if (text !== undefined && text !== "" && text.length <= LONGEST && !/\p{Cc}/u.test(text)) return text;
  }
  return undefined;
}

/** The text of an attribute with one of the names, if it is text. */
function textOf(source: Hdf5Source, cursor: Cursor): string | undefined {
  const version = cursor.uint(1), flags = cursor.uint(1);
  const sizes = [cursor.uint(2), cursor.uint(2), cursor.uint(2)];
  if (version === 3) cursor.skip(1);
  // the first version fills each part up to multiples of 8 bytes
  const parts = sizes.map((size) => cursor.bytes(version === 1 ? 8 * Math.ceil(size / 8) : size));
  const [name, type] = parts as [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>];
  if (!NAMES.includes(decoded(name)) || flags & SHARED_TYPE) return undefined;
  const element = new Cursor(type, source.widths), kind = element.uint(1) & 0xf, bits = element.uint(3), size = element.uint(4);
  if (cursor.left < size) return undefined;
  if (kind === LETTERS) return decoded(cursor.bytes(size));
  if (kind !== LISTS || (bits & 0xf) !== 1) return undefined;
  const length = cursor.uint(4), address = cursor.address();
  if (address === undefined) return undefined;
  return decoded(heapObject(source, address, cursor.uint(4), "the text of its unit").subarray(0, length));
}

/** Text up to its first null. */
function decoded(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
