/**
 * @file The numbers of a dataset, read straight from the file: every byte is known to have been written, and what its bits mean.
 *
 * libhdf5 gives a fill value for what was never written, and takes numbers by their size alone where it is asked for bytes.
 */

import type { Dataset, DatasetInfo, DatasetUse, Unwritten } from "../data_file.ts";
import { decodeNumbers } from "../decode.ts";
import { DataError } from "../errors.ts";
import { elementsOf, numberOf, placeOf } from "../boxes.ts";
import { InexactNumber, toFloat64 } from "../numbers.ts";
import { ChunkMap } from "./chunk_index.ts";
import { unpackChunk } from "./filters.ts";
import type { DatasetParts } from "./parts.ts";
import { explainFault, refusalOf } from "./refusal.ts";
import { Hdf5Fault } from "./hdf5_source.ts";
import { readUnit } from "./unit.ts";
import { readMappings, selected } from "./virtual.ts";

/** Numbers of a virtual dataset's source that are read at once. */
const MOST_VIRTUAL = 2 ** 27;
/** Virtual datasets whose sources are virtual. */
const MOST_DEPTH = 8;

/** A dataset of an open file. */
export class Hdf5Dataset implements Dataset {
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

  get place(): number {
    return this.#parts.address;
  }

  get unit(): string | undefined {
    const { source, messages } = this.#parts;
    return this.#guard(() => readUnit(source, messages));
  }

  get fill(): number {
    const { fill, element } = this.#parts;
    try {
      return fill ? toFloat64(Uint8Array.from(fill), element)[0]! : 0;
    } catch (error) {
      if (error instanceof InexactNumber) return Number(error.value);
      throw error;
    }
  }

  check(as: DatasetUse): void {
    const refusal = this.#guard(() => refusalOf(this.#parts, as));
    if (refusal !== undefined) throw this.#error(refusal);
    if (as === "rows" && this.info.storage === "virtual") {
      throw this.#error(
        "is virtual: its images are parts of other datasets. 'h5repack -l CONTI in.h5 out.h5' writes them into one",
      );
    }
  }

  /** That can be known of chunks. */
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

  /** Of contiguous or compact storage. */
  readRows(first: number, count: number, into: Uint8Array<ArrayBuffer>): void {
    const { source, storage, extent: { shape }, element } = this.#parts;
    const rowBytes = element.size * elementsOf(shape.slice(1));
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

  readNumbers(): Float64Array {
    this.check("numbers");
    const { storage } = this.#parts;
    if (storage.kind === "virtual") return this.#readVirtual(0);
    const rows = this.unwritten;
    if (rows) {
      throw this.#error(
        `was never written ${rows.last > rows.first ? `in rows ${rows.first} to ${rows.last}` : `in row ${rows.first}`}`,
      );
    }
    return decodeNumbers(this.#parts.path, this.info, storage.kind === "chunked" ? this.#gather() : this.#wholeBytes());
  }

  #wholeBytes(): Uint8Array<ArrayBuffer> {
    const { extent: { shape }, element } = this.#parts;
    const bytes = new Uint8Array(element.size * elementsOf(shape));
    if (bytes.length > 0) this.readRows(0, shape[0] ?? 1, bytes);
    return bytes;
  }

  /** All chunks in one array. */
  #gather(): Uint8Array<ArrayBuffer> {
    const { storage, extent: { shape }, element: { size: width } } = this.#parts;
    if (storage.kind !== "chunked") throw new Error("no chunks");
    const out = new Uint8Array(width * elementsOf(shape));
    for (const number of this.chunks.numbers) {
      const chunk = this.readChunk(number)!;
      const start = placeOf(number, this.chunks.grid).map((at, axis) => at * storage.shape[axis]!);
      const held = start.map((at, axis) => Math.min(storage.shape[axis]!, shape[axis]! - at));
      const lines = elementsOf(held.slice(0, -1)), length = held.at(-1)! * width;
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
    const out = new Float64Array(elementsOf(shape)), known = new Uint8Array(out.length);
    for (const { dataset, from, to } of this.#guard(() => readMappings(source, storage.heap))) {
      let other: Hdf5Dataset, values: Float64Array;
      try {
        other = this.#open(dataset);
        other.check("numbers");
        const { format, storage: kind, shape } = other.info;
        if (format !== element.format) throw new DataError(`its source "${dataset}" holds numbers of another type`);
        if (elementsOf(shape) > MOST_VIRTUAL) {
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
