/**
 * @file Which chunks of a dataset are there, and where: the six lists of chunks that HDF5 has.
 *
 * The oldest is a tree by the chunks' positions; since version 1.10 there is one for each use: a single chunk; chunks
 * one after the other; an array of fixed size; one that grows along one axis; a tree for those that grow along several.
 * The arrays are in array_index.ts. A chunk that was never written is in none of them. See "HDF5 File Format
 * Specification" version 3.0, sections III.A and VII.
 */

import { elementsOf, gridOf, numberOf, placeOf } from "../boxes.ts";
import { readExtensibleArray, readFixedArray } from "./array_index.ts";
import { type EntryFormat, readEntry, type StoredChunk } from "./chunk_entry.ts";
import type { ChunkedStorage, Extent } from "./data_layout.ts";
import { Hdf5Fault, type Hdf5Source } from "./hdf5_source.ts";

/** What an entry of a list says; place is in chunks along each axis. */
export type AddChunk = (place: readonly number[], chunk: StoredChunk) => void;

const MOST_LEVELS = 64;

/** The chunks of a dataset that are there. */
export class ChunkMap {
  /** Chunks along each axis. */
  readonly grid: readonly number[];
  /** Numbers of the chunks that are there, rising; the last axis counts fastest. */
  readonly numbers: Float64Array;
  readonly #chunks: readonly StoredChunk[];

  /** @throws {Hdf5Fault} if the list contradicts itself */
  constructor(source: Hdf5Source, storage: ChunkedStorage, extent: Extent, filtered: boolean) {
    this.grid = gridOf(extent.shape, storage.shape);
    const entries: { number: number; chunk: StoredChunk }[] = [];
    listChunks(source, storage, extent, filtered, (place, chunk) => {
      // chunks that a dataset has shrunk away from may still be listed
      if (place.some((at, axis) => !(at < this.grid[axis]!))) return;
      if (!(chunk.address + chunk.bytes <= source.bytes)) throw new Hdf5Fault("the file ends before one of its chunks", true);
      if (!filtered && chunk.bytes !== storage.bytes) throw new Hdf5Fault("one of its chunks has a wrong size");
      entries.push({ number: numberOf(place, this.grid), chunk });
    });
    entries.sort((a, b) => a.number - b.number);
    if (entries.some(({ number }, i) => i > 0 && number === entries[i - 1]!.number)) {
      throw new Hdf5Fault("its list of chunks names one of them twice");
    }
    this.numbers = Float64Array.from(entries, ({ number }) => number);
    this.#chunks = entries.map(({ chunk }) => chunk);
  }

  /** The chunk with a number, if it was ever written. */
  get(number: number): StoredChunk | undefined {
    let low = 0, high = this.numbers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.numbers[middle]! < number) low = middle + 1;
      else high = middle;
    }
    return this.numbers[low] === number ? this.#chunks[low] : undefined;
  }

  /** Chunks that there should be. */
  get count(): number {
    return elementsOf(this.grid);
  }

  /** The first chunk that was never written; -1 if all are there. */
  get firstMissing(): number {
    const first = this.numbers.findIndex((number, i) => number !== i);
    return first >= 0 ? first : this.numbers.length < this.count ? this.numbers.length : -1;
  }
}

function listChunks(source: Hdf5Source, { shape, bytes, index }: ChunkedStorage, extent: Extent, filtered: boolean, add: AddChunk) {
  if (index.address === undefined) return;
  const { address } = index;
  if (index.kind === "tree") return readTree(source, address, shape, add);
  if (index.kind === "single") return add(shape.map(() => 0), { address, bytes, mask: 0, ...index.filtered });
  // in arrays, numbers count the chunks that there are when the dataset has grown to its most
  const grid = gridOf(extent.most, shape);
  const sizeWidth = index.wideSizes ? source.widths.length : Math.min(8, 1 + Math.floor((Math.floor(Math.log2(bytes)) + 8) / 8));
  const format: EntryFormat = { filtered, chunkBytes: bytes, sizeWidth };
  switch (index.kind) {
    case "implicit":
      return consecutive(source, address, bytes, grid, add);
    case "fixed":
      return readFixedArray(source, address, format, (number, chunk) => add(placeOf(number, grid), chunk));
    case "extensible": {
      // the axis that grows is counted as the first
      const axis = Math.max(0, grid.indexOf(Infinity));
      const swapped = [grid[axis]!, ...grid.toSpliced(axis, 1)];
      return readExtensibleArray(source, address, format, (number, chunk) => {
        const [first, ...others] = placeOf(number, swapped);
        add(others.toSpliced(axis, 0, first!), chunk);
      });
    }
    case "tree2":
      return readSecondTree(source, address, shape.length, format, add);
  }
}

function consecutive(source: Hdf5Source, address: number, bytes: number, grid: readonly number[], add: AddChunk): void {
  const count = elementsOf(grid);
  if (!(address + count * bytes <= source.bytes)) throw new Hdf5Fault("the file ends before its chunks do", true);
  for (let i = 0; i < count; i++) add(placeOf(i, grid), { address: address + i * bytes, bytes, mask: 0 });
}

/** The tree of version 1: keys of size, mask and position, children between them. */
function readTree(source: Hdf5Source, root: number, shape: readonly number[], add: AddChunk): void {
  const { address: width } = source.widths;
  const visit = (address: number, parentLevel: number): void => {
    const head = source.cursor(address, 8);
    if (head.text(4) !== "TREE" || head.uint(1) !== 1) throw new Hdf5Fault("its tree of chunks is none");
    const level = head.uint(1), entries = head.uint(2), keyBytes = 8 + 8 * (shape.length + 1);
    if (level >= parentLevel) throw new Hdf5Fault("its tree of chunks has no end");
    const cursor = source.cursor(address + 8 + 2 * width, entries * (keyBytes + width));
    for (let i = 0; i < entries; i++) {
      const bytes = cursor.uint(4), mask = cursor.uint(4);
      const place = shape.map((size) => cursor.uint(8) / size);
      const child = cursor.skip(8).place();
      if (level > 0) {
        visit(child, level);
        continue;
      }
      if (!place.every(Number.isInteger)) throw new Hdf5Fault("one of its chunks is out of place");
      add(place, { address: child, bytes, mask });
    }
  };
  visit(root, MOST_LEVELS);
}

/** The tree of version 2: records in nodes of one size, with check sums. */
function readSecondTree(source: Hdf5Source, root: number, rank: number, format: EntryFormat, add: AddChunk): void {
  const { address: addressWidth, length: lengthWidth } = source.widths;
  const head = source.checked(root, 22 + addressWidth + lengthWidth, "BTHD").skip(2);
  const nodeBytes = head.uint(4), recordBytes = head.uint(2), depth = head.uint(2);
  const start = head.skip(2).address(), startCount = head.uint(2);
  if (start === undefined) return;
  const expected = addressWidth + (format.filtered ? format.sizeWidth + 4 : 0) + 8 * rank;
  if (recordBytes !== expected || depth > MOST_LEVELS) throw new Hdf5Fault("its tree of chunks is none");
  // how many records a node of each depth can have says how wide their counts are
  const widthOf = (count: number) => Math.floor(Math.log2(count) / 8) + 1;
  const most = [Math.floor((nodeBytes - 10) / recordBytes)], widths = [0];
  const countWidth = widthOf(most[0]!);
  for (let d = 1; d <= depth; d++) {
    const pointer = addressWidth + countWidth + widths[d - 1]!;
    const own = Math.floor((nodeBytes - 10 - pointer) / (recordBytes + pointer));
    most[d] = (own + 1) * most[d - 1]! + own;
    widths[d] = widthOf(most[d]!);
  }
  const visit = (address: number, count: number, level: number): void => {
    const pointer = level > 0 ? addressWidth + countWidth + widths[level - 1]! : 0;
    const bytes = 10 + count * recordBytes + (count + 1) * pointer;
    const node = source.checked(address, bytes, level > 0 ? "BTIN" : "BTLF").skip(2);
    for (let i = 0; i < count; i++) {
      const chunk = readEntry(node, format);
      const place = Array.from({ length: rank }, () => node.uint(8));
      if (chunk) add(place, chunk);
    }
    for (let i = 0; level > 0 && i <= count; i++) {
      const child = node.place(), childCount = node.uint(countWidth);
      node.skip(widths[level - 1]!);
      visit(child, childCount, level - 1);
    }
  };
  visit(start, startCount, depth);
}
