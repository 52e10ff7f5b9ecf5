/**
 * @file The pieces of HDF5 files, for files that no program would write: every message by itself, in every version of the format.
 *
 * See "HDF5 File Format Specification" version 3.0. Files are built from the end: what is placed last names what was placed before.
 */

import { metadataChecksum } from "../../lib/data/hdf5/checksum.ts";

/** A byte, characters of one byte each, bytes, or pieces one after the other. */
export type Part = number | string | Uint8Array | readonly Part[];

/** "Nowhere", as an address. */
export const NOWHERE = new Uint8Array(8).fill(0xff);

/** Joins bytes. */
export function flat(...parts: readonly Part[]): Uint8Array<ArrayBuffer> {
  const all: number[] = [];
  const add = (part: Part) => {
    if (typeof part === "number") all.push(part & 0xff);
    else if (typeof part === "string") all.push(...Array.from(part, (character) => character.charCodeAt(0)));
    else for (const inner of part) add(inner);
  };
  add(parts);
  return Uint8Array.from(all);
}

/** Whole numbers of some bytes, little-endian. */
export function le(width: number, ...values: readonly number[]): Uint8Array {
  return flat(values.map((value) => Array.from({ length: width }, (_, i) => Math.floor(value / 256 ** i))));
}

/** Bytes with zeros up to a multiple. */
export function padded(bytes: Uint8Array, multiple = 8): Uint8Array {
  return flat(bytes, new Uint8Array(-bytes.length & (multiple - 1)));
}

/** A structure with its check sum. */
export function sealed(...parts: readonly Part[]): Uint8Array {
  const bytes = flat(...parts);
  return flat(bytes, le(4, metadataChecksum(bytes)));
}

/** One message of an object header. */
export interface HeaderMessage {
  readonly type: number;
  readonly body: Uint8Array;
  /** True if the body says where the message is. */
  readonly shared?: boolean;
}

/** An object header of version 1 or 2. */
export function objectHeader(version: 1 | 2, messages: readonly HeaderMessage[]): Uint8Array {
  if (version === 1) {
    const body = flat(messages.map(({ type, body, shared }) => {
      const bytes = padded(body);
      return [le(2, type, bytes.length), shared ? 2 : 0, 0, 0, 0, bytes];
    }));
    return flat(1, 0, le(2, messages.length), le(4, 1, body.length), le(4, 0), body);
  }
  const body = flat(messages.map(({ type, body, shared }) => [type, le(2, body.length), shared ? 2 : 0, body]));
  return sealed("OHDR", 2, 2, le(4, body.length), body);
}

/** The bytes of a file. */
export class Hdf5Builder {
  readonly #superblock: 0 | 2;
  readonly #userBlock: number;
  readonly #blocks: Uint8Array[] = [];
  #end: number;

  constructor(superblock: 0 | 2, userBlock: number) {
    this.#superblock = superblock;
    this.#userBlock = userBlock;
    this.#end = superblock === 0 ? 96 : 48;
  }

  /** Places bytes; returns their address. */
  place(bytes: Uint8Array): number {
    const address = this.#end;
    this.#blocks.push(padded(bytes));
    this.#end += this.#blocks.at(-1)!.length;
    return address;
  }

  /** The file with a group as its root. */
  finish(root: number): Uint8Array {
    const base = this.#userBlock, signature = flat(0x89, "HDF\r\n", 0x1a, 0x0a);
    const superblock = this.#superblock === 0
      ? flat(
        signature,
        [0, 0, 0, 0, 0, 8, 8, 0, le(2, 4, 16), le(4, 0), le(8, base), NOWHERE, le(8, this.#end + base), NOWHERE],
        [le(8, 0, root), le(4, 0, 0), new Uint8Array(16)],
      )
      : sealed(signature, 2, 8, 8, 0, le(8, base), NOWHERE, le(8, this.#end + base), le(8, root));
    return flat(new Uint8Array(base), superblock, this.#blocks);
  }
}

/** A link to an object, to a path, or to a path in another file; of a kind of its own if it is none of these. */
export function link(name: string, kind: "hard" | "soft" | "external" | "own", target: number | string, file = ""): HeaderMessage {
  const code = { hard: 0, soft: 1, external: 64, own: 70 }[kind];
  const value = typeof target === "number"
    ? le(8, target)
    : kind === "soft"
    ? flat(le(2, target.length), target)
    : flat(le(2, target.length + file.length + 3), 0, file, 0, target, 0);
  return { type: 6, body: flat(1, 8, code, name.length, name, value) };
}

/** A group with links. */
export function group(version: 1 | 2, links: readonly HeaderMessage[]): Uint8Array {
  const info = { type: 2, body: flat(0, 0, NOWHERE, NOWHERE) };
  return objectHeader(version, [info, { type: 10, body: Uint8Array.of(0, 0) }, ...links]);
}

/** Sizes of a dataset, and what it can grow to. */
export function dataspace(version: 1 | 2, shape: readonly number[], most?: readonly number[]): HeaderMessage {
  const head = version === 1 ? [1, shape.length, most ? 1 : 0, new Uint8Array(5)] : [2, shape.length, most ? 1 : 0, 1];
  return { type: 1, body: flat(head, le(8, ...shape), (most ?? []).map((size) => size === Infinity ? NOWHERE : le(8, size))) };
}

/** The value of what was never written. */
export function fillValue(version: 2 | 3, value: Uint8Array | undefined): HeaderMessage {
  const defined = value ? [le(4, value.length), value] : [];
  return {
    type: 5,
    body: version === 2 ? flat(2, 2, 2, value ? 1 : 0, defined) : flat(3, 0x0a | (value ? 0x20 : 0), defined),
  };
}

/** A filter and its parameters. */
export interface FilterMessage {
  readonly id: number;
  readonly parameters: readonly number[];
}

/** The filters of a dataset. */
export function pipeline(version: 1 | 2, filters: readonly FilterMessage[]): HeaderMessage {
  const each = filters.map(({ id, parameters }) => {
    if (version === 2 && id < 256) return [le(2, id, 0, parameters.length), le(4, ...parameters)];
    const name = padded(flat(`filter ${id}\0`));
    const padding = version === 1 && parameters.length % 2 === 1 ? new Uint8Array(4) : [];
    return [le(2, id, name.length, 0, parameters.length), name, le(4, ...parameters), padding];
  });
  return { type: 11, body: flat(version, filters.length, version === 1 ? new Uint8Array(6) : [], each) };
}

/** An object of the global heap: a collection of its own, whose first object it is. */
export function globalHeap(object: Uint8Array): Uint8Array {
  const bytes = padded(object), size = Math.max(4096, bytes.length + 64);
  const free = size - 16 - 16 - bytes.length;
  return flat("GCOL", 1, 0, 0, 0, le(8, size), le(2, 1, 1), le(4, 0), le(8, object.length), bytes, [
    le(2, 0, 0),
    le(4, 0),
    le(8, free),
    new Uint8Array(free - 16),
  ]);
}
