/**
 * @file libhdf5 as WebAssembly (h5wasm), over files that are served to it byte by byte.
 *
 * A file is served by a small virtual file over a {@linkcode ByteSource}, so nothing but read permission is needed and a 28 GB
 * file takes no memory. The library's error text is kept for messages, and its memory is bounded.
 */

import type { ByteSource } from "../../io/source.ts";
import h5wasm from "h5wasm";
import { FileError } from "../../io/file_error.ts";

/** The part of h5wasm's module that is used here. */
export interface Library {
  readonly H5G_GROUP: number;
  readonly H5G_DATASET: number;
  readonly H5G_TYPE: number;
  readonly H5G_LINK: number;
  readonly H5G_UDLINK: number;
  readonly HEAPU8: Uint8Array;
  readonly FS: {
    createFile(parent: string, name: string, properties: object, canRead: boolean, canWrite: boolean): VirtualNode;
    unlink(path: string): void;
    readonly streams: ({ readonly path: string } | null | undefined)[];
    close(stream: { readonly path: string }): void;
    getStream(fd: number): { stream_ops: Record<string, unknown>; tty?: { ops: Record<string, unknown> } };
  };
  open(name: string, mode: number, trackOrder: boolean, low: number, high: number): bigint;
  close_file(id: bigint): number;
  get_names(id: bigint, path: string, recursive: boolean): string[];
  get_type(id: bigint, path: string): number;
  get_symbolic_link(id: bigint, path: string): string | null;
  get_external_link(id: bigint, path: string): { filename?: string; obj_path?: string };
  create_object_reference(id: bigint, path: string): number[];
}

/** A file that the library has open. */
export interface ServedFile extends Disposable {
  readonly library: Library;
  /** The library's number of it; negative if it cannot be opened. */
  readonly id: bigint;
}

interface VirtualNode {
  node_ops: Record<string, unknown>;
  stream_ops: Record<string, unknown>;
  size: number;
}

/** Memory that libhdf5 may take: it reads nothing but names and headers, and so no more than a small file has. */
const MEMORY = { least: 64 * 2 ** 20, most: 256 * 2 ** 20 };
const MEMORY_FACTOR = 4;
const PAGE = 65536;
let messages: string[] = [];
let prepared = false;
let allowed = MEMORY.least;

/** Opens a file with the library. */
export async function openWithLibrary(file: ByteSource): Promise<ServedFile> {
  const library = await h5wasm.ready as unknown as Library;
  if (!prepared) quieten(library), confine(library);
  prepared = true;
  allowed = Math.min(MEMORY.most, MEMORY.least + MEMORY_FACTOR * file.size);
  // a name that no link in a file can hold: a link to a file is never taken for one that is served
  const name = crypto.randomUUID();
  serve(library, file, name);
  let id: bigint;
  try {
    id = attempt(() => library.open(`/${name}`, 0, false, -1, -1)) ?? -1n;
  } catch (error) {
    withdraw(library, name);
    throw error;
  }
  return {
    library,
    id,
    [Symbol.dispose]() {
      if (id >= 0n) library.close_file(id);
      withdraw(library, name);
    },
  };
}

/**
 * Calls the library; undefined if it throws, which it does for what it cannot bear. Its earlier messages are forgotten.
 *
 * @throws {FileError} if the operating system refuses to read the file
 */
export function attempt<Result>(call: () => Result): Result | undefined {
  messages = [];
  try {
    return call();
  } catch (error) {
    if (error instanceof FileError) throw error;
    return undefined;
  }
}

/** All that the library said since the last attempt began. */
export function libraryText(): string {
  return messages.join("");
}

/** The innermost error of the library's stack, in its own words, said to be those. */
export function libraryReason(): string {
  const found = libraryError();
  return found === undefined ? "libhdf5 gives no reason" : `libhdf5 says: ${found}`;
}

/** True if the library's last error was that there is no such thing. */
export function foundNothing(): boolean {
  return libraryError() === "component not found";
}

function libraryError(): string | undefined {
  const found = [...libraryText().matchAll(/#\d+: \S+ line \d+ in (\w+)\(\): (.+)/g)];
  return found.at(-1)?.[2]?.trim();
}

/** Bytes of memory that libhdf5 has taken; what it has taken once it keeps. */
export async function hdf5Memory(): Promise<number> {
  return (await h5wasm.ready as unknown as Library).HEAPU8.length;
}

/** Keeps libhdf5's error text, which goes to standard error, for our own messages. */
function quieten(library: Library): void {
  const stderr = library.FS.getStream(2);
  const decoder = new TextDecoder();
  stderr.stream_ops = {
    ...stderr.stream_ops,
    write: (_stream: unknown, buffer: Uint8Array, offset: number, length: number) => {
      messages.push(decoder.decode(buffer.slice(offset, offset + length)));
      return length;
    },
  };
}

/** Keeps a file that asks for a gigabyte in a few kilobytes from getting it: the library is told that there is no more memory. */
function confine(library: Library): void {
  const { prototype } = WebAssembly.Memory;
  const { grow } = prototype;
  prototype.grow = function (pages) {
    const { buffer } = this;
    if (buffer === library.HEAPU8.buffer && buffer.byteLength + PAGE * pages > allowed) throw new RangeError("no more memory");
    return grow.call(this, pages);
  };
}

/** Makes a read-only file in the module's file system whose bytes come from an open file. */
function serve({ FS }: Library, file: ByteSource, name: string): void {
  const size = file.size;
  const node = FS.createFile("/", name, {}, true, false);
  const getattr = node.node_ops["getattr"] as (node: VirtualNode) => { size: number };
  node.node_ops = { ...node.node_ops, getattr: (of: VirtualNode) => ({ ...getattr(of), size }) };
  node.stream_ops = {
    ...node.stream_ops,
    llseek: (stream: { position: number }, offset: number, whence: number) =>
      whence === 1 ? stream.position + offset : whence === 2 ? size + offset : offset,
    read: (_stream: unknown, buffer: Uint8Array, offset: number, length: number, position: number) => {
      // a damaged file may point anywhere
      if (!(position >= 0 && position < size)) return 0;
      return file.read(position, new Uint8Array(buffer.buffer, buffer.byteOffset + offset, length));
    },
  };
}

/** Takes a file out of the module's file system, and closes what the library has left open of it when it gave up half-way. */
function withdraw({ FS }: Library, name: string): void {
  for (const stream of FS.streams) if (stream?.path === `/${name}`) FS.close(stream);
  FS.unlink(`/${name}`);
}
