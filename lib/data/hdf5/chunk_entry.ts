/** @file One entry of a list of chunks: where a chunk is, as every kind of list but the oldest says it. */

import type { Cursor } from "./hdf5_source.ts";

/** A chunk in the file. */
export interface StoredChunk {
  readonly address: number;
  readonly bytes: number;
  /** Bit i: filter i was not applied. */
  readonly mask: number;
}

/** What is needed to read an entry. */
export interface EntryFormat {
  readonly filtered: boolean;
  /** Bytes of a chunk that is not filtered. */
  readonly chunkBytes: number;
  /** Bytes that hold the size of a filtered chunk. */
  readonly sizeWidth: number;
}

/** One element; undefined if its chunk was never written. */
export function readEntry(cursor: Cursor, { filtered, chunkBytes, sizeWidth }: EntryFormat): StoredChunk | undefined {
  const address = cursor.address();
  const bytes = filtered ? cursor.uint(sizeWidth) : chunkBytes, mask = filtered ? cursor.uint(4) : 0;
  return address === undefined ? undefined : { address, bytes, mask };
}
