/**
 * @file How the numbers of grown HDF5 files are stored: in the header, in one block, in chunks under each index, in other datasets, in other
 * files; all of them, or some.
 */

import { deflateSync } from "node:zlib";
import { fletcher32 } from "../../lib/data/hdf5/checksum.ts";
import {
  dataspace,
  fillValue,
  type FilterMessage,
  flat,
  globalHeap,
  type Hdf5Builder,
  type HeaderMessage,
  le,
  link,
  NOWHERE,
  objectHeader,
  padded,
  type Part,
  pipeline,
  sealed,
} from "../support/hdf5.ts";
import type { Choices } from "./choices.ts";
import { bytesOf, type ElementType, elementType } from "./hdf5_types.ts";

/** Value of an element. */
export const valueOf = (i: number) => i % 97;

/** A dataset that is to be written. */
export interface Plan {
  readonly shape: readonly number[];
  readonly type: ElementType;
}

/** Where a storage is, in messages of a header. */
type Stored = readonly HeaderMessage[];

/** A chunk as it is stored. */
interface StoredChunk {
  readonly place: readonly number[];
  readonly bytes: Uint8Array;
  readonly mask: number;
}

/** All elements, in the form "all" of a selection. */
const ALL: Part = le(4, 3, 1, 0, 0);

/** Stores numbers in a file. */
export class Storage {
  readonly #choose: Choices;
  readonly #file: Hdf5Builder;
  /** Links of the root group: a virtual dataset adds its source. */
  readonly #links: HeaderMessage[];
  /** Version of the headers of objects. */
  readonly #version: 1 | 2;

  constructor(choose: Choices, file: Hdf5Builder, version: 1 | 2, links: HeaderMessage[]) {
    this.#choose = choose;
    this.#file = file;
    this.#version = version;
    this.#links = links;
  }

  /** Messages that say where the numbers of a dataset are, which are written; its name is that of its link. */
  of(name: string, plan: Plan, most: readonly number[]): Stored {
    const bytes = contents(plan);
    return this.#choose.mostly<() => Stored>([
      () => [{ type: 8, body: flat(3, 0, le(2, bytes.length), bytes) }],
      () => [{ type: 8, body: flat(3, 1, le(8, this.#file.place(bytes), bytes.length)) }],
      () => [{
        type: 8,
        body: flat(3, 1, this.#choose.below(4) > 0 ? le(8, this.#file.place(bytes)) : NOWHERE, le(8, bytes.length)),
      }],
      () => this.#oldLayout(plan, bytes),
      () => this.#chunks(plan, most),
      () => name === "jet" ? this.#chunks(plan, most) : this.#virtual(name, plan),
      () => this.#external(bytes),
    ])();
  }

  /** Layout messages of versions 1 and 2. */
  #oldLayout({ shape, type }: Plan, bytes: Uint8Array): Stored {
    const head = (kind: number) => [this.#choose.pick([1, 2]), shape.length, kind, new Uint8Array(5)];
    return this.#choose.pick<() => Stored>([
      () => [{ type: 8, body: flat(head(1), le(8, this.#file.place(bytes)), le(4, ...shape)) }],
      () => [{ type: 8, body: flat(head(0), le(4, ...shape), le(4, bytes.length), bytes) }],
      () => {
        const tree = this.#tree(shape, type, [{ place: shape.map(() => 0), bytes, mask: 0 }]);
        const sizes = le(4, ...shape, type.bytes);
        return [{ type: 8, body: flat(this.#choose.pick([1, 2]), shape.length + 1, 2, new Uint8Array(5), le(8, tree), sizes) }];
      },
    ])();
  }

  #chunks(plan: Plan, most: readonly number[]): Stored {
    const { shape, type } = plan;
    const chunk = shape.map((size, axis) => 1 + this.#choose.below(most[axis] === Infinity ? size + 1 : size));
    const filters = this.#filters(type.bytes);
    const holes = this.#choose.below(3) === 0;
    const all = chunksOf(plan, chunk);
    const kept = all.filter(() => !holes || this.#choose.below(3) > 0).map(({ place, bytes }) => ({
      place,
      ...this.#filter(bytes, filters),
    }));
    const sizes = [...chunk, type.bytes], messages = filters.length > 0 ? [pipeline(this.#choose.pick([1, 2]), filters)] : [];
    const indexed = (flags: number, kind: number, index: Part) => [
      ...messages,
      { type: 8, body: flat(4, 2, flags, sizes.length, 1, sizes, kind, index) },
    ];
    const bounded = most.every((size) => size < Infinity), grid = most.map((size, axis) => Math.ceil(size / chunk[axis]!));
    return this.#choose.pick<() => Stored>([
      () => {
        const tree = kept.length > 0 ? le(8, this.#tree(chunk, type, kept)) : NOWHERE;
        return [...messages, { type: 8, body: flat(3, 2, sizes.length, tree, le(4, ...sizes)) }];
      },
      () => {
        const [only] = kept;
        if (all.length !== 1 || !only) return indexed(0, 5, this.#secondTree(plan, chunk, kept, filters.length > 0));
        const { bytes, mask } = only;
        const address = le(8, this.#file.place(bytes));
        return filters.length > 0 ? indexed(2, 1, [le(8, bytes.length), le(4, mask), address]) : indexed(0, 1, address);
      },
      () => {
        if (!bounded || filters.length > 0 || most.some((size, axis) => size !== shape[axis])) {
          return indexed(0, 5, this.#secondTree(plan, chunk, kept, filters.length > 0));
        }
        return indexed(0, 2, le(8, this.#file.place(flat(all.map(({ bytes }) => bytes)))));
      },
      () => {
        if (!bounded) return indexed(0, 5, this.#secondTree(plan, chunk, kept, filters.length > 0));
        return indexed(0, 3, [10, this.#array(chunk, type, grid, kept, filters.length > 0)]);
      },
    ])();
  }

  #filters(bytes: number): FilterMessage[] {
    const shuffle = { id: 2, parameters: [bytes] }, deflate = { id: 1, parameters: [6] }, sum = { id: 3, parameters: [] };
    const unknown = { id: 32000, parameters: [1, 2, 3] };
    return this.#choose.mostly([[], [deflate], [shuffle, deflate], [deflate, sum], [sum, deflate], [sum], [shuffle], [unknown]]);
  }

  /** Applies filters, and leaves one of them out now and then. */
  #filter(bytes: Uint8Array, filters: readonly FilterMessage[]): { bytes: Uint8Array; mask: number } {
    let mask = 0, out = bytes;
    for (const [i, { id, parameters }] of filters.entries()) {
      if (this.#choose.below(8) === 0) mask |= 1 << i;
      else if (id === 1) out = new Uint8Array(deflateSync(out));
      else if (id === 2) out = shuffled(out, parameters[0]!);
      else if (id === 3) out = flat(out, le(4, fletcher32(out)));
    }
    return { bytes: out, mask };
  }

  /** A tree of version 1 over chunks, of one level or two. */
  #tree(chunk: readonly number[], { bytes: width }: ElementType, chunks: readonly StoredChunk[]): number {
    const key = ({ place, bytes, mask }: StoredChunk) => [
      le(4, bytes.length, mask),
      le(8, ...place.map((at, axis) => at * chunk[axis]!), 0),
    ];
    const last = [le(4, 0, 0), le(8, ...chunk.map(() => 2 ** 40), width)];
    const node = (level: number, children: readonly { key: Part; address: number }[]) => {
      const entries = children.map(({ key, address }) => [key, le(8, address)]);
      // nodes have room for 64 children, whether these are there or not
      const room = new Uint8Array(64 * (8 + 8 * (chunk.length + 2)));
      return this.#file.place(flat("TREE", 1, level, le(2, children.length), NOWHERE, NOWHERE, entries, last, room));
    };
    const leaves = chunks.map((stored) => ({ key: key(stored), address: this.#file.place(stored.bytes) }));
    if (leaves.length < 3 || this.#choose.below(2) === 0 && leaves.length <= 64) return node(0, leaves);
    const half = Math.min(60, Math.ceil(leaves.length / 2));
    const parts = Array.from({ length: Math.ceil(leaves.length / half) }, (_, i) => leaves.slice(i * half, (i + 1) * half));
    return node(1, parts.map((part) => ({ key: part[0]!.key, address: node(0, part) })));
  }

  /** A tree of version 2 of one leaf. */
  #secondTree(plan: Plan, chunk: readonly number[], chunks: readonly StoredChunk[], filtered: boolean): Part {
    const width = sizeWidth(chunk, plan.type);
    const records = chunks.map(({ place, bytes, mask }) => [
      le(8, this.#file.place(bytes)),
      filtered ? [le(width, bytes.length), le(4, mask)] : [],
      le(8, ...place),
    ]);
    const size = 8 + (filtered ? width + 4 : 0) + 8 * chunk.length, type = filtered ? 11 : 10;
    const nodeBytes = Math.max(2048, 16 + size * chunks.length);
    const leaf = flat(sealed("BTLF", 0, type, records), new Uint8Array(nodeBytes - 10 - size * chunks.length));
    const root = chunks.length > 0 ? le(8, this.#file.place(leaf)) : NOWHERE;
    const counts = [le(2, chunks.length), le(8, chunks.length)];
    const head = sealed("BTHD", 0, type, le(4, nodeBytes), le(2, size, 0), 100, 40, root, counts);
    return [le(4, nodeBytes), 100, 40, le(8, this.#file.place(head))];
  }

  /** An array of fixed size, over the chunks that there may be at the most. */
  #array(
    chunk: readonly number[],
    type: ElementType,
    grid: readonly number[],
    chunks: readonly StoredChunk[],
    filtered: boolean,
  ): Part {
    const width = sizeWidth(chunk, type);
    const numberOf = (place: readonly number[]) => place.reduce((number, at, axis) => number * grid[axis]! + at, 0);
    const stored = new Map(chunks.map((chunk) => [numberOf(chunk.place), chunk]));
    const count = grid.reduce((product, n) => product * n, 1);
    const elements = Array.from({ length: count }, (_, i) => {
      const chunk = stored.get(i);
      const address = chunk ? le(8, this.#file.place(chunk.bytes)) : NOWHERE;
      return filtered ? [address, le(width, chunk?.bytes.length ?? 0), le(4, chunk?.mask ?? 0)] : address;
    });
    const size = 8 + (filtered ? width + 4 : 0), client = filtered ? 1 : 0;
    // the block names its header, which is placed first and is 28 bytes long: 32 of the file
    const block = this.#file.place(new Uint8Array(0)) + 32;
    const header = this.#file.place(sealed("FAHD", 0, client, size, 10, le(8, count, block)));
    this.#file.place(sealed("FADB", 0, client, le(8, header), elements));
    return le(8, header);
  }

  /** Parts of other datasets. */
  #virtual(name: string, plan: Plan): Stored {
    const source = `source ${name}`, { shape } = plan;
    const other = this.#choose.below(6) === 0 ? { ...plan, type: elementType(this.#choose) } : plan;
    const header = objectHeader(this.#version, [
      dataspace(1, shape),
      { type: 3, body: flat(other.type.message) },
      fillValue(2, undefined),
      {
        type: 8,
        body: flat(
          3,
          1,
          this.#choose.below(8) > 0 ? le(8, this.#file.place(contents(other))) : NOWHERE,
          le(8, contents(other).length),
        ),
      },
    ]);
    this.#links.push(link(source, "hard", this.#file.place(header)));
    const rows = this.#choose.below(shape[0]! + 1), file = this.#choose.pick([".", ".", ".", ".", "other.h5"]);
    const named = this.#choose.pick([source, source, source, source, "nowhere"]);
    const range = (first: number, count: number) => [first, count] as const;
    const parts = this.#choose.pick([
      [range(0, shape[0]!)],
      [range(0, rows), range(rows, shape[0]! - rows)].filter(([, count]) => count > 0),
      [range(0, Math.max(1, rows))],
      [],
    ]);
    const entries = parts.map(([first, count]) => {
      const selection = first === 0 && count === shape[0] && this.#choose.below(2) === 0 ? ALL : this.#rows(shape, first, count);
      return [file, 0, named, 0, selection, selection];
    });
    const heap = this.#file.place(globalHeap(sealed(0, le(8, entries.length), entries)));
    return [{ type: 8, body: flat(4, 3, le(8, heap), le(4, 1)) }];
  }

  /** Rows of a dataset as a selection, in one of the two old ways to write it. */
  #rows(shape: readonly number[], first: number, count: number): Part {
    const starts = [first, ...shape.slice(1).map(() => 0)], counts = [count, ...shape.slice(1)];
    if (this.#choose.below(2) === 0) {
      const ends = starts.map((start, axis) => start + counts[axis]! - 1);
      return [le(4, 2, 1, 0, 8 + 8 * shape.length, shape.length, 1), le(4, ...starts, ...ends)];
    }
    const axes = starts.map((start, axis) => le(8, start, counts[axis]!, 1, counts[axis]!));
    return [le(4, 2, 2), 1, le(4, 4 + 32 * shape.length, shape.length), axes];
  }

  /** Numbers in files beside this one. */
  #external(bytes: Uint8Array): Stored {
    const names = padded(flat(new Uint8Array(8), "numbers.bin\0"));
    const data = this.#file.place(names);
    const heap = this.#file.place(flat("HEAP", new Uint8Array(4), le(8, names.length, 1, data)));
    return [
      { type: 7, body: flat(1, 0, 0, 0, le(2, 1, 1), le(8, heap), le(8, 8, 0, bytes.length)) },
      { type: 8, body: flat(3, 1, NOWHERE, le(8, bytes.length)) },
    ];
  }
}

function contents({ shape, type }: Plan): Uint8Array {
  return flat(Array.from({ length: shape.reduce((product, n) => product * n, 1) }, (_, i) => bytesOf(type, valueOf(i))));
}

/** The chunks of a dataset; what is outside of it is 0. */
function chunksOf({ shape, type }: Plan, chunk: readonly number[]): { place: number[]; bytes: Uint8Array }[] {
  const grid = shape.map((size, axis) => Math.ceil(size / chunk[axis]!));
  return places(grid).map((place) => ({
    place,
    bytes: flat(
      places(chunk).map((inside) => {
        const at = inside.map((k, axis) => place[axis]! * chunk[axis]! + k);
        if (at.some((k, axis) => k >= shape[axis]!)) return new Uint8Array(type.bytes);
        return bytesOf(type, valueOf(at.reduce((number, k, axis) => number * shape[axis]! + k, 0)));
      }),
    ),
  }));
}

/** All places of a grid, the last axis counting fastest. */
function places(grid: readonly number[]): number[][] {
  return grid.reduce<number[][]>((all, n) => all.flatMap((place) => Array.from({ length: n }, (_, i) => [...place, i])), [[]]);
}

function sizeWidth(chunk: readonly number[], { bytes }: ElementType): number {
  return 1 + Math.floor((Math.floor(Math.log2(chunk.reduce((product, n) => product * n, bytes))) + 8) / 8);
}

function shuffled(bytes: Uint8Array, size: number): Uint8Array {
  const count = Math.floor(bytes.length / size), out = bytes.slice();
  for (let i = 0; i < count; i++) for (let j = 0; j < size; j++) out[j * count + i] = bytes[i * size + j]!;
  return out;
}
