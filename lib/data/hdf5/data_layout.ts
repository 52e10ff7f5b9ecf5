/**
 * @file Where a dataset's numbers are: in its header, in one piece, in chunks, in other datasets, in other files.
 *
 * See "HDF5 File Format Specification" version 3.0, sections IV.A.2.b (dataspace), f (fill value), h (external files), i (layout).
 */

import { findMessage, MESSAGE, type Message } from "./header.ts";
import { type Cursor, Hdf5Fault, type Hdf5Source } from "./hdf5_source.ts";

/** A dataset's sizes. */
export interface Extent {
  readonly shape: readonly number[];
  /** What they can grow to. */
  readonly most: readonly number[];
}

/** A list of chunks. */
export type ChunkIndex =
  | { readonly kind: "tree"; readonly address: number | undefined }
  | {
    readonly kind: "single";
    readonly address: number | undefined;
    readonly filtered: { readonly bytes: number; readonly mask: number } | undefined;
  }
  | {
    readonly kind: "implicit" | "fixed" | "extensible" | "tree2";
    readonly address: number | undefined;
    /** Sizes of filtered chunks are as wide as any length. */
    readonly wideSizes: boolean;
  };

/** The kinds of lists since version 1.10, by number. */
export const INDEX_KINDS = [undefined, "single", "implicit", "fixed", "extensible", "tree2"] as const;

/** Chunks and where the list of them is. */
export interface ChunkedStorage {
  readonly kind: "chunked";
  /** Sizes of a chunk, in elements. */
  readonly shape: readonly number[];
  /** Bytes of a chunk when it is unpacked. */
  readonly bytes: number;
  /** Chunks that stick out of the dataset are stored without filters. */
  readonly bareEdges: boolean;
  readonly index: ChunkIndex;
}

/** How the numbers of a dataset are stored. */
export type Storage =
  | { readonly kind: "compact"; readonly data: Uint8Array<ArrayBuffer> }
  | { readonly kind: "contiguous"; readonly address: number | undefined }
  | ChunkedStorage
  | { readonly kind: "virtual"; readonly heap: { readonly address: number | undefined; readonly object: number } }
  | { readonly kind: "external"; readonly files: readonly string[] };

/** Reads how a dataset is stored. */
export function readStorage(source: Hdf5Source, messages: readonly Message[]): Storage {
  const files = externalFiles(source, messages);
  if (files) return { kind: "external", files };
  const cursor = findMessage(source, messages, MESSAGE.layout);
  if (!cursor) throw new Hdf5Fault("its header does not say where its numbers are");
  const version = cursor.uint(1);
  if (version < 1 || version > 5) throw new Hdf5Fault(`its storage has version ${version}, which is not known here`);
  return version < 3 ? oldStorage(cursor) : newStorage(cursor, version);
}

/** Reads the sizes of a dataset; those of one without any elements are none. */
export function readExtent(source: Hdf5Source, messages: readonly Message[]): Extent {
  const cursor = findMessage(source, messages, MESSAGE.dataspace);
  if (!cursor) throw new Hdf5Fault("its header does not say what sizes it has");
  const version = cursor.uint(1), rank = cursor.uint(1), flags = cursor.uint(1);
  if (version !== 1 && version !== 2) throw new Hdf5Fault(`its sizes have version ${version}, which is not known here`);
  cursor.skip(version === 1 ? 5 : 1);
  const shape = Array.from({ length: rank }, () => cursor.length());
  // an address of no place and a size without an end look the same
  const most = flags & 1 ? shape.map(() => cursor.limit()) : shape;
  if (shape.some((size, axis) => size > most[axis]!)) throw new Hdf5Fault("it is larger than it can grow");
  return { shape, most };
}

/** The bytes of the element that stands for those never written, if it is not 0. */
export function readFill(source: Hdf5Source, messages: readonly Message[], elementBytes: number): Uint8Array | undefined {
  const bytes = newFill(findMessage(source, messages, MESSAGE.fill)) ?? oldFill(findMessage(source, messages, MESSAGE.oldFill));
  return bytes?.length === elementBytes && bytes.some((byte) => byte !== 0) ? bytes : undefined;
}

function newFill(cursor: Cursor | undefined): Uint8Array | undefined {
  if (!cursor) return undefined;
  const version = cursor.uint(1);
  const defined = version < 3 ? cursor.skip(2).uint(1) === 1 : (cursor.uint(1) & 0x20) !== 0;
  return defined ? cursor.bytes(cursor.uint(4)) : undefined;
}

function oldFill(cursor: Cursor | undefined): Uint8Array | undefined {
  return cursor && cursor.bytes(cursor.uint(4));
}

const OLD_KINDS = ["compact", "contiguous", "chunked"] as const;

/** Versions 1 and 2: all fields are there, whatever the kind. */
function oldStorage(cursor: Cursor): Storage {
  const dimensions = cursor.uint(1), kind = OLD_KINDS[cursor.uint(1)];
  cursor.skip(5);
  const address = kind === "compact" ? undefined : cursor.address();
  const sizes = Array.from({ length: dimensions }, () => cursor.uint(4));
  if (kind === "compact") return { kind, data: cursor.bytes(cursor.uint(4)) };
  return kind === "contiguous" ? { kind, address } : chunked(sizes, { kind: "tree", address }, false);
}

function newStorage(cursor: Cursor, version: number): Storage {
  const kind = cursor.uint(1);
  if (kind === 0) return { kind: "compact", data: cursor.bytes(cursor.uint(2)) };
  if (kind === 1) return { kind: "contiguous", address: cursor.address() };
  if (kind === 2) return version === 3 ? treeOfChunks(cursor) : indexedChunks(cursor, version);
  if (kind === 3) return { kind: "virtual", heap: { address: cursor.address(), object: cursor.uint(4) } };
  throw new Hdf5Fault(`its storage is of a kind ${kind}, which is not known here`);
}

function treeOfChunks(cursor: Cursor): ChunkedStorage {
  const dimensions = cursor.uint(1), address = cursor.address();
  return chunked(Array.from({ length: dimensions }, () => cursor.uint(4)), { kind: "tree", address }, false);
}

/** Versions 4 and 5: one of five ways to list the chunks. */
function indexedChunks(cursor: Cursor, version: number): ChunkedStorage {
  const flags = cursor.uint(1), dimensions = cursor.uint(1), width = cursor.uint(1);
  const sizes = Array.from({ length: dimensions }, () => cursor.uint(width));
  const kind = INDEX_KINDS[cursor.uint(1)];
  if (!kind) throw new Hdf5Fault("its list of chunks is of a kind that is not known here");
  const filtered = kind === "single" && flags & 2 ? { bytes: cursor.length(), mask: cursor.uint(4) } : undefined;
  // what the list is made of is said once more in the list itself
  cursor.skip({ single: 0, implicit: 0, fixed: 1, extensible: 5, tree2: 6 }[kind]);
  const address = cursor.address();
  const index = kind === "single" ? { kind, address, filtered } : { kind, address, wideSizes: version > 4 };
  return chunked(sizes, index, (flags & 1) !== 0);
}

/** @param sizes of a chunk, and the bytes of an element as the last */
function chunked(sizes: readonly number[], index: ChunkIndex, bareEdges: boolean): ChunkedStorage {
  const bytes = sizes.reduce((product, size) => product * size, 1);
  if (sizes.length < 2 || !(bytes > 0)) throw new Hdf5Fault("its chunks have no size");
  return { kind: "chunked", shape: sizes.slice(0, -1), bytes, bareEdges, index };
}

function externalFiles(source: Hdf5Source, messages: readonly Message[]): string[] | undefined {
  const cursor = findMessage(source, messages, MESSAGE.externalFiles);
  if (!cursor) return undefined;
  const used = cursor.skip(6).uint(2);
  const heap = source.cursor(cursor.place(), 8 + 2 * source.widths.length + source.widths.address).skip(8);
  const bytes = heap.length(), names = source.cursor(heap.skip(source.widths.length).place(), bytes);
  return Array.from({ length: used }, () => {
    names.at = cursor.length();
    cursor.skip(2 * source.widths.length);
    return names.name();
  });
}
