/**
 * @file Virtual datasets: which elements of which other datasets theirs are.
 *
 * A virtual dataset is a list of pairs: some elements of another dataset, and some of its own that they stand for,
 * both counted with the last axis fastest. libhdf5 gives the fill value for an element that no other stands for, or
 * whose dataset or file is not there, without a word; here it must be known for every element where it comes from.
 * See "HDF5 File Format Specification" version 3.0, sections VII.B and VIII.A (selections).
 */

import { heapObject } from "./global_heap.ts";
import { Cursor, Hdf5Fault, type Hdf5Source, verified } from "./hdf5_source.ts";

/** Some elements of a dataset: all, or those of some boxes. */
export type Selection = "all" | readonly Box[];

/** Along each axis: blocks of some elements, at a distance. */
type Box = readonly { readonly start: number; readonly stride: number; readonly count: number; readonly block: number }[];

/** Elements of another dataset that stand for some of the virtual one. */
export interface Mapping {
  /** File of the other dataset; "." is this one. */
  readonly file: string;
  readonly dataset: string;
  readonly from: Selection;
  readonly to: Selection;
}

/** Reads the list of a virtual dataset. */
export function readMappings(
  source: Hdf5Source,
  heap: { readonly address: number | undefined; readonly object: number },
): Mapping[] {
  if (heap.address === undefined) return [];
  const cursor = new Cursor(
    verified(heapObject(source, heap.address, heap.object, "its list of sources"), "virtual dataset"),
    source.widths,
  );
  if (cursor.uint(1) !== 0) throw new Hdf5Fault("its list of sources has a version that is not known here");
  const count = cursor.length();
  const mappings: Mapping[] = [];
  for (let i = 0; i < count; i++) {
    mappings.push({ file: cursor.name(), dataset: cursor.name(), from: readSelection(cursor), to: readSelection(cursor) });
  }
  return mappings;
}

/**
 * Numbers of the selected elements of a dataset, in order.
 *
 * @param most elements that may be selected
 */
export function selected(selection: Selection, shape: readonly number[], most: number): number[] {
  const whole = shape.map((size) => ({ start: 0, stride: 1, count: 1, block: size }));
  const boxes = selection === "all" ? [whole] : selection;
  const fits = (box: Box) =>
    box.length === shape.length &&
    box.every(({ start, stride, count, block }, axis) => start + (count - 1) * stride + block <= shape[axis]!);
  const count = boxes.reduce((sum, box) => sum + box.reduce((product, { count, block }) => product * count * block, 1), 0);
  if (!boxes.every(fits) || !(count <= most)) throw new Hdf5Fault("one of its sources has other sizes than it counts on");
  const numbers = boxes.flatMap((box) => numbersOf(box, shape));
  return boxes.length > 1 ? numbers.sort((a, b) => a - b) : numbers;
}

function numbersOf(box: Box, shape: readonly number[]): number[] {
  let numbers = [0];
  for (const [axis, { start, stride, count, block }] of box.entries()) {
    const positions = Array.from({ length: count * block }, (_, i) => start + Math.floor(i / block) * stride + i % block);
    numbers = numbers.flatMap((number) => positions.map((at) => number * shape[axis]! + at));
  }
  return numbers;
}

const NONE = 0, SLABS = 2, ALL = 3;

function readSelection(cursor: Cursor): Selection {
  const kind = cursor.uint(4), version = cursor.uint(4);
  if (kind === ALL || kind === NONE) {
    cursor.skip(8);
    return kind === ALL ? "all" : [];
  }
  if (kind !== SLABS || version < 1 || version > 3) throw new Hdf5Fault("it selects elements in a way that is not known here");
  if (version === 1) return readBlocks(cursor, (cursor.skip(8), cursor.uint(4)), 4);
  const regular = (cursor.uint(1) & 1) !== 0;
  const width = version === 2 ? (cursor.skip(4), 8) : cursor.uint(1), rank = cursor.uint(4);
  return regular ? [readRegular(cursor, rank, width)] : readBlocks(cursor, rank, width);
}

/** First and last corner of each block. */
function readBlocks(cursor: Cursor, rank: number, width: number): Box[] {
  const count = cursor.uint(width);
  if (!(count * rank * width * 2 <= cursor.left)) throw new Hdf5Fault("its list of sources is shorter than it says");
  return Array.from({ length: count }, () => {
    const starts = Array.from({ length: rank }, () => cursor.uint(width));
    return starts.map((start) => ({ start, stride: 1, count: 1, block: cursor.uint(width) - start + 1 }));
  });
}

function readRegular(cursor: Cursor, rank: number, width: number): Box {
  return Array.from({ length: rank }, () => {
    const [start, stride, count, block] = [cursor.uint(width), cursor.uint(width), cursor.uint(width), cursor.uint(width)];
    if ([count, block].some((n) => n >= 2 ** (8 * width) - 1)) {
      throw new Hdf5Fault("it grows with its sources, which is not read here");
    }
    return { start, stride, count, block };
  });
}
