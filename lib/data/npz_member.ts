/**
 * @file The bytes of one array in a file of NumPy's: a whole file, or an entry of an archive, as it is or packed by deflate.
 *
 * An entry that is read from its first byte to its last is compared with the checksum of the archive.
 */

import { crc32 } from "../io/crc32.ts";
import { FileError } from "../io/file_error.ts";
import type { ByteSource } from "../io/source.ts";
import { inflate, InflateError, inflateStart, MOST_COMPRESSION } from "./inflate.ts";
import { type ZipEntry, ZipError } from "../io/zip.ts";

/** Bytes of an array with its header. */
export interface Member {
  /** Where they begin in the file. */
  readonly place: number;
  /** How many they are. */
  readonly size: number;
  /** True if they are packed. */
  readonly packed: boolean;
  /** The first of them, up to so many. */
  start(most: number): Uint8Array<ArrayBuffer>;
  /** All of them; @throws {ZipError} if they are damaged */
  readAll(): Uint8Array<ArrayBuffer>;
  /** Those from a place on; @throws {ZipError} if they are damaged */
  readInto(start: number, into: Uint8Array<ArrayBuffer>): void | Promise<void>;
  /** Ends what goes on. */
  close(): void;
}

/** A whole file. */
export function wholeFile(file: ByteSource): Member {
  return new PlainMember(file, 0, file.size, undefined);
}

/** An entry of an archive; @throws {ZipError} if it claims to be more than it can be */
export function entryOf(file: ByteSource, entry: ZipEntry): Member {
  return entry.deflated ? new PackedMember(file, entry) : new PlainMember(file, entry.start, entry.stop, entry.crc);
}

/** Bytes that lie in the file as they are. */
class PlainMember implements Member {
  readonly packed = false;
  readonly place: number;
  readonly size: number;
  readonly #file: ByteSource;
  readonly #checksum: RunningChecksum;

  constructor(file: ByteSource, start: number, stop: number, crc: number | undefined) {
    this.#file = file;
    this.place = start;
    this.size = stop - start;
    this.#checksum = new RunningChecksum(this.size, crc);
  }

  start(most: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(Math.min(most, this.size));
    readFully(this.#file, this.place, bytes);
    return bytes;
  }

  readAll(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.size);
    this.readInto(0, bytes);
    return bytes;
  }

  readInto(start: number, into: Uint8Array<ArrayBuffer>): void {
    readFully(this.#file, this.place + start, into);
    this.#checksum.add(start, into);
  }

  close(): void {}
}

/** Packed bytes read at once: they may be a hundred times as many when they are unpacked. */
const PIECE = 1024;
/** Packed bytes that hold a header. */
const START = 8192;

/** Bytes that are unpacked from the front to the back; what lies before is unpacked anew. */
class PackedMember implements Member {
  readonly packed = true;
  readonly #file: ByteSource;
  readonly #entry: ZipEntry;
  readonly #checksum: RunningChecksum;
  #unpacked: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | undefined;
  /** The last piece that was unpacked, and where it lies. */
  #piece = new Uint8Array(0);
  #at = 0;

  /** @throws {ZipError} if it claims to be more than its packed bytes can be */
  constructor(file: ByteSource, entry: ZipEntry) {
    const packed = entry.stop - entry.start;
    if (entry.size > MOST_COMPRESSION * (packed + 1)) {
      throw new ZipError(`its ${packed} compressed bytes cannot be the ${entry.size} that it claims`);
    }
    this.#file = file;
    this.#entry = entry;
    this.#checksum = new RunningChecksum(entry.size, entry.crc);
  }

  get place(): number {
    return this.#entry.start;
  }

  get size(): number {
    return this.#entry.size;
  }

  start(most: number): Uint8Array<ArrayBuffer> {
    const { start, stop } = this.#entry, packed = new Uint8Array(Math.min(START, stop - start));
    readFully(this.#file, start, packed);
    try {
      return inflateStart(packed, most);
    } catch {
      throw new ZipError("its compressed bytes are damaged");
    }
  }

  readAll(): Uint8Array<ArrayBuffer> {
    const { start, stop, size, crc } = this.#entry, packed = new Uint8Array(stop - start);
    readFully(this.#file, start, packed);
    try {
      const bytes = inflate(packed, size, "raw");
      if (bytes.length !== size || crc32(bytes) !== crc) throw new ZipError(DAMAGED);
      return bytes;
    } catch (error) {
      throw error instanceof InflateError ? new ZipError(`its compressed bytes cannot be unpacked: ${error.message}`) : error;
    }
  }

  async readInto(start: number, into: Uint8Array<ArrayBuffer>): Promise<void> {
    if (!this.#unpacked || start < this.#at) this.#restart();
    for (let done = 0; done < into.length;) {
      const from = start + done - this.#at;
      if (from < this.#piece.length) {
        const part = this.#piece.subarray(from, from + into.length - done);
        into.set(part, done);
        done += part.length;
      } else await this.#next();
    }
  }

  close(): void {
    // whatever it was doing is not wanted any more
    this.#unpacked?.cancel().catch(() => {});
  }

  #restart(): void {
    this.close();
    const { start, stop } = this.#entry, file = this.#file;
    let at = start;
    const packed = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull(controller) {
        if (at >= stop) return controller.close();
        const piece = new Uint8Array(Math.min(PIECE, stop - at));
        readFully(file, at, piece);
        at += piece.length;
        controller.enqueue(piece);
      },
    });
    this.#unpacked = packed.pipeThrough(new DecompressionStream("deflate-raw")).getReader();
    [this.#piece, this.#at] = [new Uint8Array(0), 0];
  }

  async #next(): Promise<void> {
    this.#at += this.#piece.length;
    try {
      const { value } = await this.#unpacked!.read();
      if (!value || this.#at + value.length > this.size) throw new ZipError(DAMAGED);
      this.#piece = value;
    } catch (error) {
      if (error instanceof ZipError || error instanceof FileError) throw error;
      throw new ZipError("its compressed bytes are damaged");
    }
    this.#checksum.add(this.#at, this.#piece);
  }
}

const DAMAGED = "it is damaged: its checksum or its size is wrong";

/** The checksum of bytes that come one after the other, from the first to the last. */
class RunningChecksum {
  readonly #size: number;
  readonly #expected: number | undefined;
  #passed = 0;
  #sum = 0;

  constructor(size: number, expected: number | undefined) {
    this.#size = size;
    this.#expected = expected;
  }

  /** @throws {ZipError} if these are the last bytes and it is wrong */
  add(start: number, bytes: Uint8Array): void {
    if (this.#expected === undefined) return;
    if (start === 0) [this.#passed, this.#sum] = [0, 0];
    if (start !== this.#passed) return;
    this.#sum = crc32(bytes, this.#sum);
    this.#passed += bytes.length;
    if (this.#passed === this.#size && this.#sum !== this.#expected) throw new ZipError(DAMAGED);
  }
}

function readFully(file: ByteSource, position: number, into: Uint8Array): void {
  if (file.read(position, into) < into.length) throw new ZipError("the file ends before it does");
}
