/**
 * @file Writes HDF5 files in the published layout: a few contiguous float32 datasets in the root group.
 *
 * The rows are streamed to disk, so a file may be larger than memory. The format is the oldest one
 * (superblock version 0, symbol-table group), which every HDF5 library reads; see "HDF5 File Format
 * Specification" version 3.0, sections II.A to IV.A.
 */

import { writeAll } from "./files.ts";
import { explaining } from "./system_error.ts";

/** Name and shape of a dataset; the first axis counts rows. */
export interface DatasetShape {
  /** Name in the root group. */
  readonly name: string;
  /** Sizes of the axes; the first counts rows. */
  readonly shape: readonly number[];
}

const UNDEFINED_ADDRESS = 0xffff_ffff_ffff_ffffn;
const LEAF_K = 4;
const INTERNAL_K = 16;
const MESSAGE = { dataspace: 1, datatype: 3, fill: 5, layout: 8, symbolTable: 0x11 } as const;

/** Writes float32 rows into datasets whose sizes are known from the start. */
export class Hdf5Writer {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  readonly #datasets = new Map<string, { readonly start: number; readonly rowBytes: number }>();

  /**
   * Creates the file with its header.
   *
   * @param path must not exist
   * @param datasets at most 8, stored in this order
   * @throws {FileError} if there is such a file, or it cannot be written
   */
  constructor(path: string | URL, datasets: readonly DatasetShape[]) {
    if (datasets.length > 2 * LEAF_K) throw new RangeError(`Cannot write ${datasets.length} datasets: at most ${2 * LEAF_K}`);
    // the headers of the two published files end there
    let at = datasets.length === 1 ? 2048 : 2216;
    const placed = datasets.map(({ name, shape }) => {
      const bytes = 4 * shape.reduce((product, n) => product * n, 1);
      const dataset = { name, shape, start: at, bytes };
      this.#datasets.set(name, { start: at, rowBytes: bytes / Math.max(1, shape[0]!) });
      at += bytes;
      return dataset;
    });
    this.#path = String(path);
    this.#file = this.#writing(() => Deno.openSync(path, { createNew: true, write: true }));
    this.#writing(() => {
      writeAll(this.#file, encodeHeader(placed, at));
      this.#file.truncateSync(at);
    });
  }

  /**
   * Writes rows of a dataset, from the given one on.
   *
   * @throws {FileError} if the operating system refuses
   */
  write(name: string, firstRow: number, values: Float32Array): void {
    const dataset = this.#datasets.get(name);
    if (!dataset) throw new Error(`This file has no dataset "${name}"`);
    this.#writing(() => {
      this.#file.seekSync(dataset.start + firstRow * dataset.rowBytes, Deno.SeekMode.Start);
      writeAll(this.#file, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    });
  }

  /** Flushes and closes the file. */
  [Symbol.dispose](): void {
    try {
      this.#writing(() => this.#file.syncSync());
    } finally {
      this.#file.close();
    }
  }

  #writing<Result>(work: () => Result): Result {
    return explaining(this.#path, "written", work);
  }
}

/** Appends little-endian numbers. */
class Bytes {
  readonly #bytes: number[] = [];

  get length(): number {
    return this.#bytes.length;
  }

  /** A number of so many bytes. */
  put(width: number, ...values: (number | bigint)[]): this {
    for (const value of values) {
      let rest = BigInt(value);
      for (let i = 0; i < width; i++, rest >>= 8n) this.#bytes.push(Number(rest & 0xffn));
    }
    return this;
  }

  text(value: string): this {
    this.#bytes.push(...new TextEncoder().encode(value));
    return this;
  }

  append(other: Bytes): this {
    this.#bytes.push(...other.#bytes);
    return this;
  }

  /** Zeros up to a length. */
  padTo(length: number): this {
    while (this.#bytes.length < length) this.#bytes.push(0);
    return this;
  }

  toArray(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#bytes);
  }
}

interface Placed extends DatasetShape {
  readonly start: number;
  readonly bytes: number;
}

function encodeHeader(datasets: readonly Placed[], endOfFile: number): Uint8Array<ArrayBuffer> {
  const names = heapOfNames(datasets);
  const rootHeader = 96;
  const tree = rootHeader + 40;
  const heap = tree + 24 + 8 * (4 * INTERNAL_K + 1);
  const heapData = heap + 32;
  const symbols = heapData + names.bytes.length;
  let next = symbols + 8 + 2 * LEAF_K * 40;
  const headers = datasets.map((dataset) => {
    const header = datasetHeader(dataset);
    const address = next;
    next += header.length;
    return { name: dataset.name, header, address };
  });
  if (next > datasets[0]!.start) throw new RangeError("Cannot write the file: names or shapes are too long for its header");

  const out = new Bytes();
  out.put(1, 0x89).text("HDF\r\n").put(1, 0x1a, 0x0a);
  out.put(1, 0, 0, 0, 0, 0, 8, 8, 0).put(2, LEAF_K, INTERNAL_K).put(4, 0);
  out.put(8, 0, UNDEFINED_ADDRESS, endOfFile, UNDEFINED_ADDRESS);
  out.put(8, 0, rootHeader).put(4, 1, 0).put(8, tree, heap);
  out.append(objectHeader([[MESSAGE.symbolTable, new Bytes().put(8, tree, heap)]]));

  const sorted = headers.toSorted((a, b) => a.name < b.name ? -1 : 1);
  out.text("TREE").put(1, 0, 0).put(2, 1).put(8, UNDEFINED_ADDRESS, UNDEFINED_ADDRESS);
  out.put(8, 0, symbols, names.offsets.get(sorted.at(-1)!.name)!).padTo(heap);
  out.text("HEAP").put(4, 0).put(8, names.bytes.length, 1, heapData).append(names.bytes);
  out.text("SNOD").put(1, 1, 0).put(2, sorted.length);
  for (const { name, address } of sorted) out.put(8, names.offsets.get(name)!, address).put(4, 0, 0).put(8, 0, 0);
  out.padTo(headers[0]!.address);
  for (const { header } of headers) out.append(header);
  return out.padTo(datasets[0]!.start).toArray();
}

/** The group's local heap: an empty name, then each dataset's, padded to 8 bytes. */
function heapOfNames(datasets: readonly DatasetShape[]): { bytes: Bytes; offsets: Map<string, number> } {
  const bytes = new Bytes().padTo(8);
  const offsets = new Map<string, number>();
  for (const { name } of datasets) {
    offsets.set(name, bytes.length);
    bytes.text(name).put(1, 0);
    bytes.padTo(Math.ceil(bytes.length / 8) * 8);
  }
  return { bytes, offsets };
}

function datasetHeader({ shape, start, bytes }: Placed): Bytes {
  const dataspace = new Bytes().put(1, 1, shape.length, 0, 0).put(4, 0).put(8, ...shape);
  // IEEE 754 binary32, little-endian: sign bit 31, exponent 8 bits from 23 with bias 127, mantissa 23 bits
  const float32 = new Bytes().put(1, 0x11, 0x20, 31, 0).put(4, 4).put(2, 0, 32).put(1, 23, 8, 0, 23).put(4, 127);
  // version 2, allocated early, fill value never written, none defined
  const fill = new Bytes().put(1, 2, 1, 1, 0);
  const layout = new Bytes().put(1, 3, 1).put(8, bytes > 0 ? start : UNDEFINED_ADDRESS, bytes);
  return objectHeader([[MESSAGE.dataspace, dataspace], [MESSAGE.datatype, float32], [MESSAGE.fill, fill], [
    MESSAGE.layout,
    layout,
  ]]);
}

/** A version 1 object header; each message is padded to 8 bytes. */
function objectHeader(messages: readonly [type: number, body: Bytes][]): Bytes {
  const body = new Bytes();
  for (const [type, message] of messages) {
    const size = Math.ceil(message.length / 8) * 8;
    body.put(2, type, size).put(4, 0).append(message.padTo(size));
  }
  return new Bytes().put(1, 1, 0).put(2, messages.length).put(4, 1, body.length, 0).append(body);
}
