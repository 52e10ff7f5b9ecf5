/** @file The global heap: what has no length of its own, such as text or the list of a virtual dataset ("HDF5 File Format Specification" 3.0, III.E). */

import { Hdf5Fault, type Hdf5Source } from "./hdf5_source.ts";

/**
 * An object of a collection.
 *
 * @param what it is, for the message
 * @throws {Hdf5Fault} if it is not there
 */
export function heapObject(source: Hdf5Source, address: number, wanted: number, what: string): Uint8Array<ArrayBuffer> {
  const head = source.cursor(address, 8 + source.widths.length);
  if (head.text(4) !== "GCOL") throw new Hdf5Fault(`${what} is not there`);
  const bytes = head.skip(4).length();
  const cursor = source.cursor(address, bytes).skip(8 + source.widths.length);
  while (cursor.left >= 8 + source.widths.length) {
    const number = cursor.uint(2), size = cursor.skip(6).length();
    if (number === wanted) return cursor.bytes(size);
    // object 0 is the free space at the end
    if (number === 0) break;
    cursor.skip(Math.min(cursor.left, 8 * Math.ceil(size / 8)));
  }
  throw new Hdf5Fault(`${what} is not there`);
}
