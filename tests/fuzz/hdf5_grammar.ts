/**
 * @file HDF5 files that are grown by a grammar: images, labels and masses of every type, in every storage, behind every link.
 *
 * Changed bytes hardly ever make a file that is right and unusual. These are right, and unusual in all else: the numbers must come out
 * as they went in, or the file must be refused. Element i of every dataset is i modulo 97, wherever it was written.
 */

import { openJets } from "../../lib/disk/data.ts";
import { deflateSync } from "node:zlib";
import { fletcher32 } from "../../lib/data/hdf5/checksum.ts";
import type { Random } from "../../lib/random.ts";
import {
  dataspace,
  fillValue,
  type FilterMessage,
  flat,
  globalHeap,
  group,
  Hdf5Builder,
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

/** Value of an element. */
const valueOf = (i: number) => i % 97;
/** What stands for elements that were never written, where it is not 0. */
const FILL = 5;

/** A type of elements: its message, and the bytes of a number. */
interface ElementType {
  readonly message: Part;
  readonly bytes: number;
  readonly encode: (value: number) => Uint8Array;
}

/** A dataset that is to be written. */
interface Plan {
  readonly shape: readonly number[];
  readonly type: ElementType;
}

/** Where a storage is, in messages of a header. */
type Stored = readonly HeaderMessage[];

/** A file with images, labels and masses. */
export function growHdf5(random: Random): Uint8Array {
  return new Grammar(random).file();
}

/** Reads all of such a file; @throws if any number is another than went in */
export async function readGrownHdf5(path: string): Promise<void> {
  using file = await openJets(path);
  for (const quantity of ["labels", "mass"] as const) {
    if (file.has(quantity) && file.readScalars(quantity).some((value, i) => value !== valueOf(i))) {
      throw new Error(`it read other ${quantity} than were written`);
    }
  }
  const { size, channels, channelsFirst, unwritten, fill } = file, perImage = size * size * channels;
  let missing = 0;
  for await (const { first, values } of file.scan(Uint32Array.from({ length: file.count }, (_, i) => i))) {
    values.forEach((value, k) => {
      const inImage = k % perImage, channel = inImage % channels, pixel = Math.floor(inImage / channels);
      const place = channelsFirst ? channel * size * size + pixel : inImage;
      if (value === valueOf(first * perImage + (k - inImage) + place)) return;
      missing++;
      if (!unwritten || value !== fill) throw new Error(`it read ${value} in image ${first + Math.floor(k / perImage)}`);
    });
  }
  if (unwritten && missing === 0 && file.count * perImage > 97) throw new Error("it said that images were never written that were");
}

class Grammar {
  readonly #random: Random;
  readonly #file: Hdf5Builder;
  readonly #version: 1 | 2;
  /** Links of the root group. */
  readonly #links: HeaderMessage[] = [];

  constructor(random: Random) {
    this.#random = random;
    this.#file = new Hdf5Builder(this.#pick([0, 2]), this.#pick([0, 0, 0, 512, 2048]));
    this.#version = this.#pick([1, 2]);
  }

  file(): Uint8Array {
    const count = 1 + this.#below(6), size = 2 + this.#below(4), channels = 1 + this.#below(3);
    const images = [[count, size, size, channels], [count, channels, size, size], [count, size, size], [count, size * size]];
    const scalars = [[count], [count, 1], [1, count]];
    // what is unusual comes last, and is seldom chosen
    this.#add("jet", this.#mostly(images));
    for (const name of ["Y", "m"]) if (this.#below(8) > 0) this.#add(name, this.#mostly(scalars));
    return this.#file.finish(this.#file.place(group(this.#version, this.#links)));
  }

  /** A dataset, and a way to it. */
  #add(name: string, shape: readonly number[]): void {
    const plan = { shape, type: this.#type() };
    const address = this.#dataset(name, plan);
    const add = (name: string, kind: Parameters<typeof link>[1], target: number | string, file = "") =>
      this.#links.push(link(name, kind, target, file));
    const hidden = `hidden ${name}`;
    this.#mostly([
      () => add(name, "hard", address),
      () => {
        add(hidden, "hard", address);
        add(name, "soft", this.#pick([hidden, `/${hidden}`, `./${hidden}`, `//${hidden}`]));
      },
      () => {
        add(`group ${name}`, "hard", this.#file.place(group(this.#version, [link("inner", "hard", address)])));
        add(name, "soft", `group ${name}/inner`);
      },
      () => {
        const nowhere = this.#pick([name, "nowhere", "/"]);
        const inner = this.#file.place(group(this.#version, [link("inner", "hard", address)]));
        this.#pick([
          () => add(name, this.#pick(["soft", "external", "own"]), nowhere, "other.h5"),
          () => add(name, "hard", inner),
        ])();
      },
    ])();
  }

  #dataset(name: string, plan: Plan): number {
    const fill = this.#below(3) === 0 ? bytesOf(plan.type, FILL) : undefined;
    const most = this.#below(3) === 0 ? plan.shape.map((size) => this.#pick([size, size, size + 2, Infinity])) : undefined;
    const messages = [
      dataspace(this.#pick([1, 2]), plan.shape, most),
      this.#typeMessage(plan.type),
      fillValue(this.#pick([2, 3]), fill),
      ...this.#storage(name, plan, most ?? plan.shape),
    ];
    return this.#file.place(objectHeader(this.#version, messages));
  }

  /** The type itself, or where a named type is. */
  #typeMessage({ message }: ElementType): HeaderMessage {
    const own = { type: 3, body: flat(message) };
    if (this.#below(8) > 0) return own;
    const named = this.#file.place(objectHeader(this.#version, [own]));
    return { type: 3, shared: true, body: flat(this.#pick<Part>([[1, 0, new Uint8Array(14)], [2, 0], [3, 2]]), le(8, named)) };
  }

  #type(): ElementType {
    const whole = this.#wholeNumbers(1 << this.#below(4));
    return this.#mostly<() => ElementType>([
      () => whole,
      () => this.#floats(4),
      () => this.#floats(this.#pick([2, 4, 8])),
      () => ({ ...whole, message: enumeration(this.#pick([1, 3]), whole) }),
      () => this.#strange(whole),
    ])();
  }

  #wholeNumbers(bytes: number): ElementType {
    const big = this.#below(2), sign = this.#pick([0, 8]);
    return {
      bytes,
      message: [0x10, big | sign, 0, 0, le(4, bytes), le(2, 0, 8 * bytes)],
      encode: (value) => inOrder(le(bytes, value), big === 1),
    };
  }

  #floats(bytes: number): ElementType {
    const big = this.#below(2), brain = bytes === 2 && this.#below(2) === 0;
    const mantissa = brain ? 7 : { 2: 10, 4: 23, 8: 52 }[bytes]!, exponent = 8 * bytes - 1 - mantissa;
    return {
      bytes,
      message: floatMessage(bytes, { big, exponent, mantissa, bias: 2 ** (exponent - 1) - 1, hidden: 2 }),
      encode(value) {
        const view = new DataView(new ArrayBuffer(8));
        if (brain) view.setFloat32(0, value, true);
        else if (bytes === 2) view.setFloat16(0, value, true);
        else if (bytes === 4) view.setFloat32(0, value, true);
        else view.setFloat64(0, value, true);
        return inOrder(new Uint8Array(view.buffer, brain ? 2 : 0, bytes), big === 1);
      },
    };
  }

  /** Types whose bytes are those of usual numbers, and which are none. */
  #strange({ bytes, encode }: ElementType): ElementType {
    const bits = 8 * bytes, base = [0x10, 8, 0, 0, le(4, bytes), le(2, 0, bits)];
    const message = this.#pick<Part>([
      [0x10, 0, 0, 0, le(4, bytes), le(2, 1, bits - 1)],
      [0x10, 8, 0, 0, le(4, bytes), le(2, 0, bits - 2)],
      floatMessage(4, { big: 0, exponent: 8, mantissa: 23, bias: 63, hidden: 2 }),
      floatMessage(4, { big: 0, exponent: 8, mantissa: 23, bias: 127, hidden: 0 }),
      floatMessage(4, { big: 0x41, exponent: 8, mantissa: 23, bias: 127, hidden: 2 }),
      floatMessage(2, { big: 0, exponent: 4, mantissa: 11, bias: 7, hidden: 2 }),
      [0x13, 0, 0, 0, le(4, bytes)],
      [0x14, 0, 0, 0, le(4, bytes), le(2, 0, bits)],
      [0x15, 0, 0, 0, le(4, bytes)],
      [0x17, 0, 0, 0, le(4, 8)],
      [0x36, 1, 0, 0, le(4, bytes), "x\0", 0, base],
      [0x19, 0, 0, 0, le(4, 16), base],
      [0x19, 1, 0, 0, le(4, 16), base],
      [0x3a, 0, 0, 0, le(4, 2 * bytes), 1, le(4, 2), base],
    ]);
    return { message, encode, bytes: new DataView(flat(message).buffer).getUint32(4, true) };
  }

  #storage(name: string, plan: Plan, most: readonly number[]): Stored {
    const bytes = contents(plan);
    return this.#mostly<() => Stored>([
      () => [{ type: 8, body: flat(3, 0, le(2, bytes.length), bytes) }],
      () => [{ type: 8, body: flat(3, 1, le(8, this.#file.place(bytes), bytes.length)) }],
      () => [{ type: 8, body: flat(3, 1, this.#below(4) > 0 ? le(8, this.#file.place(bytes)) : NOWHERE, le(8, bytes.length)) }],
      () => this.#oldLayout(plan, bytes),
      () => this.#chunks(plan, most),
      () => name === "jet" ? this.#chunks(plan, most) : this.#virtual(name, plan),
      () => this.#external(bytes),
    ])();
  }

  /** Layout messages of versions 1 and 2. */
  #oldLayout({ shape, type }: Plan, bytes: Uint8Array): Stored {
    const head = (kind: number) => [this.#pick([1, 2]), shape.length, kind, new Uint8Array(5)];
    return this.#pick<() => Stored>([
      () => [{ type: 8, body: flat(head(1), le(8, this.#file.place(bytes)), le(4, ...shape)) }],
      () => [{ type: 8, body: flat(head(0), le(4, ...shape), le(4, bytes.length), bytes) }],
      () => {
        const tree = this.#tree(shape, type, [{ place: shape.map(() => 0), bytes, mask: 0 }]);
        const sizes = le(4, ...shape, type.bytes);
        return [{ type: 8, body: flat(this.#pick([1, 2]), shape.length + 1, 2, new Uint8Array(5), le(8, tree), sizes) }];
      },
    ])();
  }

  #chunks(plan: Plan, most: readonly number[]): Stored {
    const { shape, type } = plan;
    const chunk = shape.map((size, axis) => 1 + this.#below(most[axis] === Infinity ? size + 1 : size));
    const filters = this.#filters(type.bytes);
    const holes = this.#below(3) === 0;
    const all = chunksOf(plan, chunk);
    const kept = all.filter(() => !holes || this.#below(3) > 0).map(({ place, bytes }) => ({
      place,
      ...this.#filter(bytes, filters),
    }));
    const sizes = [...chunk, type.bytes], messages = filters.length > 0 ? [pipeline(this.#pick([1, 2]), filters)] : [];
    const indexed = (flags: number, kind: number, index: Part) => [
      ...messages,
      { type: 8, body: flat(4, 2, flags, sizes.length, 1, sizes, kind, index) },
    ];
    const bounded = most.every((size) => size < Infinity), grid = most.map((size, axis) => Math.ceil(size / chunk[axis]!));
    return this.#pick<() => Stored>([
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
    return this.#mostly([[], [deflate], [shuffle, deflate], [deflate, sum], [sum, deflate], [sum], [shuffle], [unknown]]);
  }

  /** Applies filters, and leaves one of them out now and then. */
  #filter(bytes: Uint8Array, filters: readonly FilterMessage[]): { bytes: Uint8Array; mask: number } {
    let mask = 0, out = bytes;
    for (const [i, { id, parameters }] of filters.entries()) {
      if (this.#below(8) === 0) mask |= 1 << i;
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
    if (leaves.length < 3 || this.#below(2) === 0 && leaves.length <= 64) return node(0, leaves);
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
    const other = this.#below(6) === 0 ? { ...plan, type: this.#type() } : plan;
    const header = objectHeader(this.#version, [
      dataspace(1, shape),
      { type: 3, body: flat(other.type.message) },
      fillValue(2, undefined),
      {
        type: 8,
        body: flat(3, 1, this.#below(8) > 0 ? le(8, this.#file.place(contents(other))) : NOWHERE, le(8, contents(other).length)),
      },
    ]);
    this.#links.push(link(source, "hard", this.#file.place(header)));
    const rows = this.#below(shape[0]! + 1), file = this.#pick([".", ".", ".", ".", "other.h5"]);
    const named = this.#pick([source, source, source, source, "nowhere"]);
    const range = (first: number, count: number) => [first, count] as const;
    const parts = this.#pick([
      [range(0, shape[0]!)],
      [range(0, rows), range(rows, shape[0]! - rows)].filter(([, count]) => count > 0),
      [range(0, Math.max(1, rows))],
      [],
    ]);
    const entries = parts.map(([first, count]) => {
      const selection = first === 0 && count === shape[0] && this.#below(2) === 0 ? ALL : this.#rows(shape, first, count);
      return [file, 0, named, 0, selection, selection];
    });
    const heap = this.#file.place(globalHeap(sealed(0, le(8, entries.length), entries)));
    return [{ type: 8, body: flat(4, 3, le(8, heap), le(4, 1)) }];
  }

  /** Rows of a dataset as a selection, in one of the two old ways to write it. */
  #rows(shape: readonly number[], first: number, count: number): Part {
    const starts = [first, ...shape.slice(1).map(() => 0)], counts = [count, ...shape.slice(1)];
    if (this.#below(2) === 0) {
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

  /** Any but the last, and that now and then. */
  #mostly<Choice>(choices: readonly Choice[]): Choice {
    return this.#below(24) === 0 ? choices.at(-1)! : this.#pick(choices.slice(0, -1));
  }

  #below(limit: number): number {
    return this.#random.below(limit);
  }

  #pick<Choice>(choices: readonly Choice[]): Choice {
    return choices[this.#below(choices.length)]!;
  }
}

/** A chunk as it is stored. */
interface StoredChunk {
  readonly place: readonly number[];
  readonly bytes: Uint8Array;
  readonly mask: number;
}

/** All elements, in the form "all" of a selection. */
const ALL: Part = le(4, 3, 1, 0, 0);

function contents({ shape, type }: Plan): Uint8Array {
  return flat(Array.from({ length: shape.reduce((product, n) => product * n, 1) }, (_, i) => bytesOf(type, valueOf(i))));
}

/** The bytes of a number, with zeros where a type is wider than it. */
function bytesOf({ bytes, encode }: ElementType, value: number): Uint8Array {
  const number = encode(value), element = new Uint8Array(bytes);
  element.set(number.subarray(0, bytes));
  return element;
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

function enumeration(version: 1 | 3, { message, bytes, encode }: ElementType): Part {
  const name = version === 3 ? "a\0" : padded(flat("a\0"));
  return [version << 4 | 8, 1, 0, 0, le(4, bytes), message, name, encode(1)];
}

function floatMessage(
  bytes: number,
  { big, exponent, mantissa, bias, hidden }: { big: number; exponent: number; mantissa: number; bias: number; hidden: number },
): Part {
  const bits = [mantissa, exponent, 0, mantissa];
  return [0x11, big | hidden << 4, 8 * bytes - 1, 0, le(4, bytes), le(2, 0, 8 * bytes), bits, le(4, bias)];
}

function inOrder(bytes: Uint8Array, big: boolean): Uint8Array {
  return big ? bytes.slice().reverse() : bytes;
}
