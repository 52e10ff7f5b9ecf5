/**
 * @file HDF5 files through h5wasm, in bounded memory and with every failure seen.
 *
 * h5wasm's own `slice()` ignores the status of a read: a corrupt chunk comes back as whatever the memory
 * held before. Here rows are read by the low-level call into a buffer of our own, its status is checked, and
 * the library's error text is kept for the message. The file is served to libhdf5 by a small virtual file over
 * `Deno.FsFile`, so nothing but read permission is needed and a 28 GB file takes no memory.
 */

import h5wasm from "h5wasm";
import { readAt } from "../io/files.ts";
import { DataError } from "./errors.ts";

/** How the numbers of a dataset are stored. */
export interface DatasetInfo {
  /** Path of the dataset in the file. */
  readonly name: string;
  /** Sizes of the axes, the slowest first. */
  readonly shape: readonly number[];
  /** "float", "integer", or a word for what cannot be read as numbers. */
  readonly kind: "float" | "integer" | "other";
  /** Bytes of an element. */
  readonly size: number;
  /** True for integers with a sign. */
  readonly signed: boolean;
  /** Byte order in the file. */
  readonly littleEndian: boolean;
  /** Chunk shape, or null for contiguous storage. */
  readonly chunks: readonly number[] | null;
  /** Names of filters, such as "gzip" or "shuffle". */
  readonly filters: readonly string[];
}

type ReadLog = { readonly position: number; readonly length: number }[];

/** What libhdf5 has read from the file, while somebody wants to know. */
interface Reads {
  log: ReadLog | undefined;
}

interface Opened {
  readonly id: bigint;
  readonly file: Deno.FsFile;
  readonly name: string;
  readonly reads: Reads;
}

interface VirtualNode {
  node_ops: Record<string, unknown>;
  stream_ops: Record<string, unknown>;
  size: number;
}

const SUPPORTED_FILTERS = new Set([1, 2, 3]);
/** Memory that libhdf5 may take: for chunks and their filters, and for files whose header lies about sizes no more. */
const MEMORY = 256 * 2 ** 20;
const MEMORY_FACTOR = 20;
const PAGE = 65536;
let messages: string[] = [];
let counter = 0;
let allowed = MEMORY;

/** An open HDF5 file. */
export class Hdf5File {
  readonly #module: H5Module;
  readonly #opened: Opened;
  /** Path as the user gave it. */
  readonly path: string;
  /** Size of the file. */
  readonly bytes: number;
  #buffer = { pointer: 0, bytes: 0 };

  private constructor(module: H5Module, opened: Opened, path: string) {
    this.#module = module;
    this.#opened = opened;
    this.path = path;
    this.bytes = opened.file.statSync().size;
  }

  /**
   * Opens a file for reading.
   *
   * @throws {DataError} if it is missing, cut short or not HDF5
   */
  static async open(path: string): Promise<Hdf5File> {
    const module = await h5wasm.ready as unknown as H5Module;
    module.FS_quiet ??= quieten(module) && confine(module);
    let file: Deno.FsFile;
    try {
      file = Deno.openSync(path);
    } catch (error) {
      throw explainOpen(error, path);
    }
    allowed = MEMORY + MEMORY_FACTOR * file.statSync().size;
    const reads: Reads = { log: undefined };
    const name = serve(module, file, (position, length) => reads.log?.push({ position, length }));
    messages = [];
    let id = -1n;
    try {
      id = module.open(`/${name}`, 0, false, -1, -1);
    } catch {
      // what the library cannot bear is a damaged file like any other
    }
    if (id < 0n) {
      const size = file.statSync().size;
      withdraw(module, file, name);
      throw new DataError(explainContents(path, size));
    }
    return new Hdf5File(module, { id, file, name, reads }, path);
  }

  /**
   * Names of all datasets, with their groups.
   *
   * @throws {DataError} if the file is damaged there
   */
  get names(): string[] {
    const { id } = this.#opened;
    messages = [];
    try {
      return this.#module.get_names(id, "/", true)
        .filter((name) => this.#module.get_type(id, name) === this.#module.H5G_DATASET)
        .map((name) => name.replace(/^\//, ""));
    } catch {
      throw new DataError(
        `${this.path}: the names of its datasets cannot be read (${reason()}). The file is damaged there: copy or download it again`,
      );
    }
  }

  /**
   * Shape and storage of a dataset.
   *
   * @throws {DataError} if it cannot be opened, or needs a filter that is not there
   */
  info(name: string): DatasetInfo {
    const { id } = this.#opened;
    messages = [];
    let meta: ReturnType<H5Module["get_dataset_metadata"]>, filters: ReturnType<H5Module["get_dataset_filters"]>;
    try {
      meta = this.#module.get_dataset_metadata(id, name);
      filters = this.#module.get_dataset_filters(id, name);
    } catch {
      throw new DataError(
        `${this.path}: dataset "${name}" cannot be opened (${reason()}). The file is damaged there: copy or download it again`,
      );
    }
    const missing = filters.find((filter) => !SUPPORTED_FILTERS.has(filter.id));
    if (missing) {
      throw new DataError(
        `${this.path}: dataset "${name}" is compressed with "${missing.name || missing.id}", which cannot be read here. ` +
          "Rewrite it with gzip, or uncompressed (h5repack -f GZIP=4 in.h5 out.h5)",
      );
    }
    const kind = meta.type === 1 ? "float" : meta.type === 0 || meta.type === 8 ? "integer" : "other";
    const { size, signed, littleEndian, chunks } = meta;
    return { name, shape: meta.shape ?? [], kind, size, signed, littleEndian, chunks, filters: filters.map((f) => f.name) };
  }

  /**
   * Reads rows as libhdf5 converts them.
   *
   * @returns a view that the next read overwrites
   * @throws {DataError} if the file cannot be read there, with the library's own words
   */
  readRows(info: DatasetInfo, first: number, count: number): Uint8Array {
    const { shape, size, name } = info;
    const bytes = size * shape.slice(1).reduce((product, n) => product * n, 1) * count;
    this.#reserve(bytes);
    messages = [];
    const counts = [count, ...shape.slice(1)].map(BigInt);
    const offsets = [first, ...shape.slice(1).map(() => 0)].map(BigInt);
    const strides = shape.map(() => 1n);
    const { pointer } = this.#buffer;
    let status: number;
    try {
      status = this.#module.get_dataset_data(this.#opened.id, name, counts, offsets, strides, BigInt(pointer));
    } catch (error) {
      throw new DataError(
        `${this.path}: rows ${first} to ${first + count - 1} of "${name}" cannot be read: ${(error as Error).message}`,
      );
    }
    if (status < 0) {
      throw new DataError(
        `${this.path}: rows ${first} to ${first + count - 1} of "${name}" cannot be read (${reason()}). ` +
          "The file is damaged there: copy or download it again",
      );
    }
    return this.#module.HEAPU8.subarray(pointer, pointer + bytes);
  }

  /**
   * Where the rows of a contiguous dataset lie in the file, found by watching libhdf5 read the first and last.
   *
   * @returns byte offset of the first row, or undefined if rows are not read straight from one range
   */
  contiguousOffset(info: DatasetInfo): number | undefined {
    if (info.chunks || info.filters.length > 0 || info.shape[0] === 0) return undefined;
    const rowBytes = info.size * info.shape.slice(1).reduce((product, n) => product * n, 1);
    const last = info.shape[0]! - 1;
    const at = (row: number) => {
      const { reads } = this.#opened;
      const log: ReadLog = reads.log = [];
      this.readRows(info, row, 1);
      reads.log = undefined;
      return log.findLast(({ length }) => length === rowBytes)?.position;
    };
    const start = at(0);
    if (start === undefined) return undefined;
    if (last > 0 && at(last) !== start + last * rowBytes) return undefined;
    return start;
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    const { id, file, name } = this.#opened;
    if (this.#buffer.pointer) this.#module._free(this.#buffer.pointer);
    this.#module.close_file(id);
    withdraw(this.#module, file, name);
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#buffer.bytes) return;
    if (this.#buffer.pointer) this.#module._free(this.#buffer.pointer);
    const pointer = this.#module._malloc(bytes);
    if (pointer === 0) throw new DataError(`${this.path}: no memory for ${bytes} bytes of rows`);
    this.#buffer = { pointer, bytes };
  }
}

/** The part of h5wasm's module that is used here. */
interface H5Module {
  FS_quiet?: true;
  readonly H5G_DATASET: number;
  readonly HEAPU8: Uint8Array;
  readonly FS: {
    createFile(parent: string, name: string, properties: object, canRead: boolean, canWrite: boolean): VirtualNode;
    unlink(path: string): void;
    readonly streams: ({ readonly path: string } | null | undefined)[];
    close(stream: { readonly path: string }): void;
    getStream(fd: number): { stream_ops: Record<string, unknown>; tty?: { ops: Record<string, unknown> } };
  };
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  open(name: string, mode: number, trackOrder: boolean, low: number, high: number): bigint;
  close_file(id: bigint): number;
  get_names(id: bigint, path: string, recursive: boolean): string[];
  get_type(id: bigint, path: string): number;
  get_dataset_metadata(id: bigint, path: string): {
    type: number;
    size: number;
    signed: boolean;
    littleEndian: boolean;
    shape: number[] | null;
    chunks: number[] | null;
  };
  get_dataset_filters(id: bigint, path: string): { id: number; name: string }[];
  get_dataset_data(id: bigint, path: string, count: bigint[], offset: bigint[], strides: bigint[], pointer: bigint): number;
}

/** Keeps libhdf5's error text, which goes to standard error, for our own messages. */
function quieten(module: H5Module): true {
  const stderr = module.FS.getStream(2);
  const decoder = new TextDecoder();
  stderr.stream_ops = {
    ...stderr.stream_ops,
    write: (_stream: unknown, buffer: Uint8Array, offset: number, length: number) => {
      messages.push(decoder.decode(buffer.slice(offset, offset + length)));
      return length;
    },
  };
  return true;
}

/** Keeps a file that asks for a gigabyte in a few kilobytes from getting it: the library is told that there is no more memory. */
function confine(module: H5Module): true {
  const { prototype } = WebAssembly.Memory;
  const { grow } = prototype;
  prototype.grow = function (pages) {
    const { buffer } = this;
    if (buffer === module.HEAPU8.buffer && buffer.byteLength + PAGE * pages > allowed) throw new RangeError("no more memory");
    return grow.call(this, pages);
  };
  return true;
}

/** Bytes of memory that libhdf5 has taken; what it has taken once it keeps. */
export async function hdf5Memory(): Promise<number> {
  return (await h5wasm.ready as unknown as H5Module).HEAPU8.length;
}

/** The innermost error of libhdf5's stack, in its own words. */
function reason(): string {
  const text = messages.join("");
  const found = [...text.matchAll(/#\d+: \S+ line \d+ in (\w+)\(\): (.+)/g)];
  return found.at(-1)?.[2]?.trim() ?? "no reason given";
}

/** Makes a read-only file in the module's file system whose bytes come from an open file. */
function serve(module: H5Module, file: Deno.FsFile, watch: (position: number, length: number) => void): string {
  const name = `data${counter++}.h5`;
  const size = file.statSync().size;
  const node = module.FS.createFile("/", name, {}, true, false);
  const getattr = node.node_ops["getattr"] as (node: VirtualNode) => { size: number };
  node.node_ops = { ...node.node_ops, getattr: (of: VirtualNode) => ({ ...getattr(of), size }) };
  node.stream_ops = {
    ...node.stream_ops,
    llseek: (stream: { position: number }, offset: number, whence: number) =>
      whence === 1 ? stream.position + offset : whence === 2 ? size + offset : offset,
    read: (_stream: unknown, buffer: Uint8Array, offset: number, length: number, position: number) => {
      // a damaged file may point anywhere
      if (!(position >= 0 && position < size)) return 0;
      watch(position, length);
      return readAt(file, position, new Uint8Array(buffer.buffer, buffer.byteOffset + offset, length));
    },
  };
  return name;
}

/** Takes a file out of the module's file system, and closes what the library has left open of it when it gave up half-way. */
function withdraw({ FS }: H5Module, file: Deno.FsFile, name: string): void {
  for (const stream of FS.streams) if (stream?.path === `/${name}`) FS.close(stream);
  FS.unlink(`/${name}`);
  file.close();
}

function explainOpen(error: unknown, path: string): Error {
  if (error instanceof Deno.errors.NotFound) {
    return new DataError(`${path}: there is no such file. Check the path, or make data with 'deno task synth'`);
  }
  if (error instanceof Deno.errors.IsADirectory) return new DataError(`${path}: this is a folder, not an HDF5 file`);
  return error as Error;
}

function explainContents(path: string, size: number): string {
  const text = messages.join("");
  const cut = /truncated file: eof = (\d+).*stored_eof = (\d+)/.exec(text);
  if (cut) return `${path}: the file is cut short: it has ${size} bytes and should have ${cut[2]}. Copy or download it again`;
  if (size === 0) return `${path}: the file is empty. Copy or download it again`;
  if (text.includes("signature not found")) return `${path}: this is not an HDF5 file`;
  return `${path}: the file cannot be opened as HDF5 (${reason()}). Copy or download it again`;
}
