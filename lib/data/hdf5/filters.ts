/** @file The filters of HDF5 that chunks pass through, undone: gzip, shuffle and the check sum fletcher32. */

import { inflate, InflateError } from "../inflate.ts";
import { fletcher32 } from "./checksum.ts";
import { findMessage, MESSAGE, type Message } from "./header.ts";
import { Hdf5Fault, type Hdf5Source } from "./hdf5_source.ts";

/** A filter of a dataset. */
export interface Filter {
  readonly id: number;
  readonly name: string;
  readonly parameters: readonly number[];
}

/** Numbers that HDF5 gives to filters. */
const DEFLATE = 1, SHUFFLE = 2, FLETCHER32 = 3;
const NAMES = ["", "deflate", "shuffle", "fletcher32", "szip", "nbit", "scaleoffset"];
/** Filters of others have numbers from here on. */
const OWN_NAMES = 256;
const CHECKSUM_BYTES = 4;

/** Reads the filters of a dataset, in the order in which they were applied. */
export function readFilters(source: Hdf5Source, messages: readonly Message[]): Filter[] {
  const cursor = findMessage(source, messages, MESSAGE.filters);
  if (!cursor) return [];
  const version = cursor.uint(1), count = cursor.uint(1);
  if (version !== 1 && version !== 2) throw new Hdf5Fault(`its filters have version ${version}, which is not known here`);
  if (version === 1) cursor.skip(6);
  return Array.from({ length: count }, () => {
    const id = cursor.uint(2);
    // in version 2, filters of the library itself have no names
    const nameBytes = version === 1 || id >= OWN_NAMES ? cursor.uint(2) : 0;
    const parameters = cursor.skip(2).uint(2);
    const name = cursor.text(version === 1 ? 8 * Math.ceil(nameBytes / 8) : nameBytes).replace(/\0.*$/s, "");
    const filter = {
      id,
      name: name || NAMES[id] || String(id),
      parameters: Array.from({ length: parameters }, () => cursor.uint(4)),
    };
    if (version === 1 && parameters % 2 === 1) cursor.skip(4);
    return filter;
  });
}

/** True if chunks behind a filter can be read. */
export function isSupported({ id }: Filter): boolean {
  return id === DEFLATE || id === SHUFFLE || id === FLETCHER32;
}

/**
 * The numbers of a stored chunk.
 *
 * @param mask bit i: filter i was not applied
 * @param bytes of the chunk when it is unpacked
 * @throws {Hdf5Fault} if a check sum or the size is wrong
 */
export function unpackChunk(
  stored: Uint8Array<ArrayBuffer>,
  filters: readonly Filter[],
  mask: number,
  bytes: number,
): Uint8Array<ArrayBuffer> {
  let chunk = stored;
  for (const [i, filter] of [...filters.entries()].reverse()) {
    if (mask >> i & 1) continue;
    if (filter.id === FLETCHER32) chunk = checkFletcher32(chunk);
    else if (filter.id === DEFLATE) chunk = unzip(chunk, bytes);
    else chunk = unshuffle(chunk, filter.parameters[0] ?? 1);
  }
  if (chunk.length !== bytes) throw new Hdf5Fault(`one of its chunks has ${chunk.length} bytes instead of ${bytes}`, true);
  return chunk;
}

function unzip(stored: Uint8Array<ArrayBuffer>, bytes: number): Uint8Array<ArrayBuffer> {
  try {
    // a check sum that was taken before the packing is packed too
    return inflate(stored, bytes + CHECKSUM_BYTES, "zlib");
  } catch (error) {
    if (!(error instanceof InflateError)) throw error;
    throw new Hdf5Fault(`the bytes of one of its chunks cannot be unpacked: ${error.message}`, true);
  }
}

/** The first bytes of all elements lie together, then the second, and so on; what is left over follows as it is. */
function unshuffle(from: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
  const count = Math.floor(from.length / size);
  if (size < 2 || count < 2) return from;
  const to = new Uint8Array(from.length);
  to.set(from.subarray(size * count), size * count);
  const fours = count >> 2;
  for (let j = 0; j < size; j++) {
    const plane = from.slice(j * count, (j + 1) * count), words = new Uint32Array(plane.buffer, 0, fours);
    // most bytes of images are zero: four are looked at as one
    for (let i = 0; i < fours; i++) {
      if (words[i] === 0) continue;
      for (let k = 4 * i; k < 4 * i + 4; k++) to[k * size + j] = plane[k]!;
    }
    for (let k = 4 * fours; k < count; k++) to[k * size + j] = plane[k]!;
  }
  return to;
}

function checkFletcher32(chunk: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const body = chunk.subarray(0, Math.max(0, chunk.length - CHECKSUM_BYTES));
  const stored = new DataView(chunk.buffer, chunk.byteOffset + body.length, chunk.length - body.length);
  // before version 1.6.3 the sums were taken with the bytes of each half exchanged
  const sum = fletcher32(body), exchanged = (sum & 0x00ff00ff) << 8 | sum >>> 8 & 0x00ff00ff;
  if (stored.byteLength < CHECKSUM_BYTES || ![sum, exchanged >>> 0].includes(stored.getUint32(0, true))) {
    throw new Hdf5Fault("the check sum of one of its chunks is wrong", true);
  }
  return body;
}
