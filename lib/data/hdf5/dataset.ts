/**
 * @file The numbers of a dataset, read straight from the file: every byte is known to have been written, and what its bits mean.
 *
 * libhdf5 gives a fill value for what was never written, and takes numbers by their size alone where it is asked for bytes.
 */

import { DataError } from "../errors.ts";
import { ChunkMap, numberOf, placeOf } from "./chunk_index.ts";
import { unpackChunk } from "./filters.ts";
import { InexactNumber, type NumberFormat, toFloat64 } from "./numbers.ts";
import type { DatasetParts } from "./parts.ts";
import { explainFault, refusalOf } from "./refusal.ts";
import { Hdf5Fault } from "./source.ts";
import { readMappings, selected } from "./virtual.ts";

/** How the numbers of a dataset are stored. */
export interface DatasetInfo {
  /** Path of the dataset in the file. */
  readonly name: string;
  /** Sizes of the axes, the slowest first. */
  readonly shape: readonly number[];
  /** Type of its numbers; undefined if it holds none, or some of a type that is not read. */
  readonly format: NumberFormat | undefined;
  /** Bytes of an element. */
  readonly size: number;
  /** Byte order in the file. */
  readonly littleEndian: boolean;
  /** What its elements are, in words, such as "float 32 bit" or "text". */
  readonly type: string;
  /** How they are stored. */
  readonly storage: "compact" | "contiguous" | "chunked" | "virtual" | "external";
  /** Chunk shape, or null if there are no chunks. */
  readonly chunks: readonly number[] | null;
  /** Names of filters, such as "deflate" (gzip) or "shuffle". */
  readonly filters: readonly string[];
}

/** Rows that were never written. */
export interface Unwritten {
  /** The first of them. */
  readonly first: number;
  /** The last of those that follow the first without a gap. */
  readonly last: number;
  /** Chunks that are not there. */
  readonly chunks: number;
  /** Chunks that there should be. */
  readonly of: number;
}

/** Numbers of a virtual dataset's source that are read at once. */
const MOST_VIRTUAL = 2 ** 27;
/** Virtual datasets whose sources are virtual. */
const MOST_DEPTH = 8;

/** A dataset of an open file. */
export class Hdf5Dataset {
  readonly info: DatasetInfo;
  readonly #parts: DatasetParts;
  readonly #open: (name: string) => Hdf5Dataset;
  #chunks: ChunkMap | undefined;

  /** @param open opens another dataset of the same file */
  constructor(parts: DatasetParts, open: (name: string) => Hdf5Dataset) {
    this.#parts = parts;
    this.#open = open;
    const { name, extent: { shape }, element: { format, size, littleEndian, words: type }, storage, filters } = parts;
    const chunks = storage.kind === "chunked" ? storage.shape : null;
    this.info = {
      name,
      shape,
      format,
      size,
      littleEndian,
      type,
      storage: storage.kind,
      chunks,
      filters: filters.map((f) => f.name),
    };
  }

  /** The value of elements that were never written. */
  get fill(): number {
    const { fill, element } = this.#parts;
    try {
      return fill ? toFloat64(Uint8Array.from(fill), element)[0]! : 0;
    } catch (error) {
      if (error instanceof InexactNumber) return Number(error.value);
      throw error;
    }
  }

  /** Refuses what cannot be read; @throws {DataError} saying what it is and what to do */
  check(): void {
    const refusal = this.#guard(() => refusalOf(this.#parts));
    if (refusal !== undefined) throw this.#error(refusal);
  }

  /** The rows that were never written, where that can be known: of chunks. */
  get unwritten(): Unwritten | undefined {
    const { storage, extent: { shape } } = this.#parts;
    if (storage.kind !== "chunked") return undefined;
    const { firstMissing, grid, numbers, count } = this.chunks;
    if (firstMissing < 0) return undefined;
    const perRow = count / grid[0]!, rows = storage.shape[0]!, start = Math.floor(firstMissing / perRow);
    const held = new Map<number, number>();
    for (const number of numbers) held.set(Math.floor(number / perRow), (held.get(Math.floor(number / perRow)) ?? 0) + 1);
    let stop = start + 1;
    while (stop < grid[0]! && (held.get(stop) ?? 0) < perRow) stop++;
    return { first: start * rows, last: Math.min(stop * rows, shape[0]!) - 1, chunks: count - numbers.length, of: count };
  }

  /** The chunks that are there. */
  get chunks(): ChunkMap {
    const { source, storage, extent, filters } = this.#parts;
    if (storage.kind !== "chunked") throw new Error(`"${this.info.name}" has no chunks`);
    return this.#chunks ??= this.#guard(() => new ChunkMap(source, storage, extent, filters.length > 0));
  }

  /**
   * The bytes of a chunk, unpacked.
   *
   * @returns undefined if it was never written
   * @throws {DataError} if it is damaged
   */
  readChunk(number: number): Uint8Array<ArrayBuffer> | undefined {
    const { source, storage, filters, extent: { shape } } = this.#parts;
    const chunk = this.chunks.get(number);
    if (!chunk || storage.kind !== "chunked") return undefined;
    const place = placeOf(number, this.chunks.grid);
    const bare = storage.bareEdges && place.some((at, axis) => (at + 1) * storage.shape[axis]! > shape[axis]!);
    return this.#guard(
      () => unpackChunk(source.read(chunk.address, chunk.bytes), bare ? [] : filters, chunk.mask, storage.bytes),
      () => `the chunk from (${place.map((at, axis) => at * storage.shape[axis]!).join(", ")})`,
    );
  }

  /**
   * Reads rows that lie one after the other: of contiguous or compact storage.
   *
   * @throws {DataError} if the file ends before
   */
  readRows(first: number, count: number, into: Uint8Array<ArrayBuffer>): void {
    const { source, storage, extent: { shape }, element } = this.#parts;
    const rowBytes = shape.slice(1).reduce((product, n) => product * n, element.size);
    const [start, length] = [first * rowBytes, count * rowBytes];
    this.#guard(() => {
      if (storage.kind === "contiguous" && storage.address !== undefined) {
        source.readInto(storage.address + start, into.subarray(0, length));
      } else if (storage.kind === "compact") {
        if (start + length > storage.data.length) throw new Hdf5Fault("its header holds fewer numbers than it says");
        into.set(storage.data.subarray(start, start + length));
      } else throw new Error(`"${this.info.name}" is not stored row by row`);
    }, () => count > 1 ? `rows ${first} to ${first + count - 1}` : `row ${first}`);
  }

  /**
   * All its numbers, the last axis fastest.
   *
   * @throws {DataError} if they cannot be read, were never written, or are whole numbers beyond what is exact
   */
  readNumbers(): Float64Array {
    this.check();
    const { storage } = this.#parts;
    if (storage.kind === "virtual") return this.#readVirtual(0);
    const rows = this.unwritten;
    if (rows) {
      throw this.#error(
        `was never written ${rows.last > rows.first ? `in rows ${rows.first} to ${rows.last}` : `in row ${rows.first}`}`,
      );
    }
    return this.#decode(storage.kind === "chunked" ? this.#gather() : this.#wholeBytes());
  }

  #decode(bytes: Uint8Array<ArrayBuffer>): Float64Array {
    try {
      return toFloat64(bytes, this.#parts.element);
    } catch (error) {
      if (!(error instanceof InexactNumber)) throw error;
      const { shape } = this.info;
      const row = Math.floor(error.index / shape.slice(1).reduce((product, n) => product * n, 1));
      throw this.#error(`holds ${error.value} at row ${row}, which double precision cannot hold. Store smaller numbers`);
    }
  }

  #wholeBytes(): Uint8Array<ArrayBuffer> {
    const { extent: { shape }, element } = this.#parts;
    const bytes = new Uint8Array(shape.reduce((product, n) => product * n, element.size));
    if (bytes.length > 0) this.readRows(0, shape[0] ?? 1, bytes);
    return bytes;
  }

  /** All chunks in one array. */
  #gather(): Uint8Array<ArrayBuffer> {
    const { storage, extent: { shape }, element: { size: width } } = this.#parts;
    if (storage.kind !== "chunked") throw new Error("no chunks");
    const out = new Uint8Array(shape.reduce((product, n) => product * n, width));
    for (const number of this.chunks.numbers) {
      const chunk = this.readChunk(number)!;
      const start = placeOf(number, this.chunks.grid).map((at, axis) => at * storage.shape[axis]!);
      const held = start.map((at, axis) => Math.min(storage.shape[axis]!, shape[axis]! - at));
      const lines = held.slice(0, -1).reduce((product, n) => product * n, 1), length = held.at(-1)! * width;
      for (let line = 0; line < lines; line++) {
        const inside = [...placeOf(line, held.slice(0, -1)), 0];
        const from = numberOf(inside, storage.shape) * width;
        out.set(chunk.subarray(from, from + length), numberOf(inside.map((at, axis) => start[axis]! + at), shape) * width);
      }
    }
    return out;
  }

  /** The numbers of a virtual dataset, each from where it is. */
  #readVirtual(depth: number): Float64Array {
    const { path, source, storage, extent: { shape }, element } = this.#parts;
    if (storage.kind !== "virtual" || depth > MOST_DEPTH) throw this.#error("is virtual, and its sources have no end");
    const out = new Float64Array(shape.reduce((product, n) => product * n, 1)), known = new Uint8Array(out.length);
    for (const { dataset, from, to } of this.#guard(() => readMappings(source, storage.heap))) {
      let other: Hdf5Dataset, values: Float64Array;
      try {
        other = this.#open(dataset);
        other.check();
        const { format, storage: kind, shape } = other.info;
        if (format !== element.format) throw new DataError(`its source "${dataset}" holds numbers of another type`);
        if (shape.reduce((product, n) => product * n, 1) > MOST_VIRTUAL) {
          throw new DataError(`its source "${dataset}" is too large`);
        }
        values = kind === "virtual" ? other.#readVirtual(depth + 1) : other.readNumbers();
      } catch (error) {
        // of sources of sources, the first one that cannot be read is named
        if (!(error instanceof DataError) || depth > 0) throw error;
        throw this.#error(`is virtual: ${error.message.replace(`${path}: `, "")}. Store the numbers themselves`);
      }
      this.#guard(() => {
        const [theirs, ours] = [selected(from, other.info.shape, values.length), selected(to, shape, out.length)];
        if (theirs.length !== ours.length) throw new Hdf5Fault("one of its sources has other sizes than it counts on");
        for (const [i, at] of ours.entries()) out[at] = values[theirs[i]!]!, known[at] = 1;
      }, () => "the virtual numbers");
    }
    const row = Math.floor(known.indexOf(0) / (out.length / shape[0]!));
    if (row >= 0) throw this.#error(`is virtual, and nothing stands for its row ${row}. Store the numbers themselves`);
    return out;
  }

  /** Does something, and names file and dataset in what is wrong. */
  #guard<Result>(work: () => Result, where?: () => string): Result {
    try {
      return work();
    } catch (error) {
      if (error instanceof Hdf5Fault) throw explainFault(error, this.#parts.path, this.info.name, where?.());
      throw error;
    }
  }

  #error(what: string): DataError {
    return new DataError(`${this.#parts.path}: dataset "${this.info.name}" ${what}`);
  }
}
