/**
 * @file Packs a data file into a store of the cache folder, or finds the store that is there.
 *
 * While it is made, a store is two files beside its place: the words (`.partial`), and for each image its
 * number of words and their check sum (`.partial.index`). A run that was cut goes on from there, after
 * a comparison of what lies in the one with the other. At the end offsets and header are written, the file is
 * flushed and renamed. The name holds a hash of the data file's fingerprint, so a file that has changed is
 * packed again; what was packed from the same path before is removed then, unless somebody is reading it.
 */

import type { Progress } from "../interrupted.ts";
import { makeFolder } from "./atomic.ts";
import { readAt, removeIfPossible, writeAll } from "./files.ts";
import { type Notice, removeUnlessHeld, waitForLock } from "./lock.ts";
import { encodeHeader } from "../io/safetensors.ts";
import { FileError } from "../io/file_error.ts";
import { explaining, systemCode } from "./system_error.ts";
import { checksum, type Encoding } from "../data/entries.ts";
import { DataError } from "../data/errors.ts";
import { type Fingerprint, sha256 } from "../data/fingerprint.ts";
import type { Jets } from "../data/jets.ts";
import { packedChunks } from "../data/pack_memory.ts";
import { encodeFacts, HEADER_BYTES, OTHER_CACHE, PackedStore } from "./packed_store.ts";

/** Milliseconds between two moments from which a cut run can go on. */
const FLUSH_EVERY = 1000;

/**
 * The packed images of a data file: from its store if there is one, packed now otherwise. A store that is there is only read:
 * it may be on a disk that can only be read.
 *
 * @param folder cache folder, made if it is not there
 * @param notice is told if another process is packing the file, which is waited for
 * @throws {DataError} if the file cannot be read, or an image holds a value that is not finite; nothing is left behind
 * @throws {FileError} if the operating system refuses to read or to write; what is packed is kept, for a next run to go on
 */
export async function openPacked(file: Jets, folder: string, progress?: Progress, notice?: Notice): Promise<PackedStore> {
  const source = await file.fingerprint();
  const path = `${folder}/${await storeName(source)}`;
  const ready = openStore(path);
  if (ready) return ready;
  makeFolder(folder, OTHER_CACHE);
  // whoever packs the same file at the same time waits here, and then finds the store
  using _lock = await waitForLock(`${path}.lock`, `another task has packed ${file.path}`, { notice, elsewhere: OTHER_CACHE });
  const found = openStore(path);
  if (found) return found;
  await packInto(path, file, source, progress);
  removeOlder(folder, path, source.path);
  return new PackedStore(path);
}

/** Name of the store of a data file. */
async function storeName(source: Fingerprint): Promise<string> {
  const stem = source.path.split("/").at(-1)!.replace(/\.[^.]*$/, "").replaceAll(/[^\w.-]/g, "_");
  const hash = await sha256(new TextEncoder().encode(JSON.stringify(source)));
  return `${stem}-${hash.slice(0, 12)}.safetensors`;
}

async function packInto(path: string, file: Jets, source: Fingerprint, progress?: Progress): Promise<void> {
  // one byte a value, unless a value needs more
  for (const encoding of ["u8", "f32"] as const) {
    const partial = new PartialStore(`${path}.${encoding}.partial`);
    try {
      if (!await writePartial(partial, file, encoding, progress)) {
        partial.remove();
        continue;
      }
      partial.finish(path, { encoding, channels: file.channels, size: file.size, source });
      return;
    } catch (error) {
      // what the data hold stays as it is; a full disk or a read that failed may pass, and the next run goes on from here
      if (error instanceof DataError) partial.remove();
      else partial.keep();
      throw error;
    }
  }
}

/** @returns false if the encoding cannot hold a value */
async function writePartial(partial: PartialStore, file: Jets, encoding: Encoding, progress?: Progress): Promise<boolean> {
  let flushed = performance.now();
  for await (const { stop, packed } of packedChunks(file, partial.count, encoding)) {
    if (!packed) return false;
    partial.append(packed.offsets, packed.words);
    if (performance.now() - flushed > FLUSH_EVERY || stop === file.count) {
      partial.flush();
      flushed = performance.now();
      progress?.(stop, file.count);
    }
  }
  return true;
}

/** A store that is being made. */
class PartialStore {
  readonly #path: string;
  readonly #words: Deno.FsFile;
  readonly #index: Deno.FsFile;
  /** Pairs (words, check sum) of the images. */
  #pairs: number[] = [];
  #written = 0;

  /** Opens what an earlier run has left, as far as it is right, or starts anew. */
  constructor(path: string) {
    this.#path = path;
    const open = (name: string) => Deno.openSync(name, { create: true, read: true, write: true });
    [this.#words, this.#index] = this.#writing(() => [open(path), open(`${path}.index`)]);
    this.#writing(() => this.#restore());
  }

  /** Images that are packed. */
  get count(): number {
    return this.#pairs.length / 2;
  }

  append(offsets: Uint32Array, words: Uint32Array): void {
    this.#writing(() => writeAll(this.#words, bytesOf(words)));
    for (let i = 1; i < offsets.length; i++) {
      const image = words.subarray(offsets[i - 1], offsets[i]);
      this.#pairs.push(image.length, checksum(image));
    }
  }

  /** From here a cut run can go on: the words are on disk before the index says so. */
  flush(): void {
    this.#writing(() => {
      this.#words.syncDataSync();
      writeAll(this.#index, bytesOf(Uint32Array.from(this.#pairs.slice(this.#written))));
    });
    this.#written = this.#pairs.length;
  }

  /** Writes offsets, check sums and header, and puts the store in its place. */
  finish(path: string, facts: Parameters<typeof encodeFacts>[0]): void {
    const count = this.count;
    const offsets = new BigInt64Array(count + 1);
    for (let i = 0; i < count; i++) offsets[i + 1] = offsets[i]! + BigInt(this.#pairs[2 * i]!);
    const checks = Uint32Array.from({ length: count }, (_, i) => this.#pairs[2 * i + 1]!);
    const layout = [["words", "U32", [Number(offsets[count])]], ["offsets", "I64", [count + 1]], ["checks", "U32", [
      count,
    ]]] as const;
    this.#writing(() => {
      writeAll(this.#words, bytesOf(offsets));
      writeAll(this.#words, bytesOf(checks));
      this.#words.seekSync(0, Deno.SeekMode.Start);
      writeAll(this.#words, encodeHeader(layout, encodeFacts(facts), HEADER_BYTES));
      this.#words.syncSync();
      Deno.renameSync(this.#path, path);
    });
    this.#close();
    removeIfPossible(`${this.#path}.index`);
  }

  /** Closes and removes both files. */
  remove(): void {
    this.#close();
    removeIfPossible(this.#path);
    removeIfPossible(`${this.#path}.index`);
  }

  /** Closes both files for a next run to go on, from as far as the disk takes. */
  keep(): void {
    attempt(() => this.flush());
    this.#close();
  }

  #close(): void {
    this.#words.close();
    this.#index.close();
  }

  #writing<Result>(work: () => Result): Result {
    return explaining(this.#path, "written", work, OTHER_CACHE);
  }

  #restore(): void {
    const index = new Uint32Array(Math.floor(this.#index.statSync().size / 8) * 2);
    readAt(this.#index, 0, bytesOf(index));
    let position = HEADER_BYTES;
    const size = this.#words.statSync().size;
    for (let i = 0; i < index.length && position + 4 * index[i]! <= size; i += 2) {
      const words = new Uint32Array(index[i]!);
      const whole = readAt(this.#words, position, bytesOf(words)) === words.byteLength && checksum(words) === index[i + 1];
      if (!whole) break;
      this.#pairs.push(index[i]!, index[i + 1]!);
      position += words.byteLength;
    }
    this.#written = this.#pairs.length;
    this.#index.truncateSync(4 * this.#written);
    this.#index.seekSync(4 * this.#written, Deno.SeekMode.Start);
    this.#words.truncateSync(position);
    this.#words.seekSync(position, Deno.SeekMode.Start);
  }
}

/** The store if it is there and whole. */
function openStore(path: string): PackedStore | undefined {
  try {
    return new PackedStore(path);
  } catch (error) {
    if (error instanceof DataError || error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Removes stores that were made of an earlier state of the same data file. One that cannot be read, or removed, stays. */
function removeOlder(folder: string, current: string, sourcePath: string): void {
  const names = attempt(() => [...Deno.readDirSync(folder)].filter(({ isFile }) => isFile).map(({ name }) => name)) ?? [];
  for (const path of names.filter((name) => name.endsWith(".safetensors")).map((name) => `${folder}/${name}`)) {
    if (path !== current && attempt(() => sourceOf(path)) === sourcePath) removeUnlessHeld(path);
  }
}

/** The data file that a store was made of. */
function sourceOf(path: string): string {
  using store = new PackedStore(path);
  return store.source.path;
}

/** What the work gives, or undefined where the operating system refuses or a store is damaged. */
function attempt<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof DataError || error instanceof FileError || systemCode(error) !== undefined) return undefined;
    throw error;
  }
}

function bytesOf(values: Uint32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
