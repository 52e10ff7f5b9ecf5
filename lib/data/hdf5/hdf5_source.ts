/**
 * @file The bytes of an HDF5 file by address, and cursors over its structures.
 *
 * Addresses count from the superblock, which lies at byte 0 or, behind a user block, at 512, 1024, 2048 ...; an
 * address whose bits are all set stands for "nowhere". The superblock says how wide addresses and lengths are.
 * See "HDF5 File Format Specification" version 3.0, section II.A.
 */

import type { ByteSource } from "../../io/source.ts";
import { metadataChecksum } from "./checksum.ts";

/** What is wrong with a part of a file; whoever knows the file and the dataset names them. */
export class Hdf5Fault extends Error {
  /** True if a check sum says so, or if the file ends too early. */
  readonly damaged: boolean;

  constructor(message: string, damaged = false) {
    super(message);
    this.damaged = damaged;
  }
}

const SIGNATURE = "\x89HDF\r\n\x1a\n";
const CHECKSUM_BYTES = 4;

/** Bytes of addresses and of lengths in a file. */
interface Widths {
  readonly address: number;
  readonly length: number;
}

/** The bytes of an open file. */
export class Hdf5Source {
  /** Bytes of addresses and of lengths. */
  readonly widths: Widths;
  /** Bytes from the superblock to the end of the file. */
  readonly bytes: number;
  readonly #file: ByteSource;
  readonly #base: number;

  /** @throws {Hdf5Fault} if there is no superblock */
  constructor(file: ByteSource) {
    this.#file = file;
    const base = findSuperblock(file);
    if (base === undefined) throw new Hdf5Fault("there is no superblock", true);
    this.#base = base;
    this.bytes = file.size - base;
    const start = this.read(0, Math.min(16, this.bytes));
    // where the widths lie depends on the version, which is the byte behind the signature
    const at = start[8]! < 2 ? 13 : 9;
    this.widths = { address: start[at]!, length: start[at + 1]! };
    if (![this.widths.address, this.widths.length].every((width) => width === 2 || width === 4 || width === 8)) {
      throw new Hdf5Fault("its addresses have a width that cannot be read here");
    }
  }

  /** Reads bytes; @throws {Hdf5Fault} if the file ends before. */
  read(address: number, length: number): Uint8Array<ArrayBuffer> {
    this.check(address, length);
    const bytes = new Uint8Array(length);
    this.readInto(address, bytes);
    return bytes;
  }

  /** Fills a buffer; @throws {Hdf5Fault} if the file ends before. */
  readInto(address: number, bytes: Uint8Array): void {
    this.check(address, bytes.length);
    const done = this.#file.read(this.#base + address, bytes);
    if (done < bytes.length) throw this.#endsBefore(address + bytes.length, address + done);
  }

  /** A cursor over a structure. */
  cursor(address: number, length: number): Cursor {
    return new Cursor(this.read(address, length), this.widths);
  }

  /**
   * A cursor over a structure that begins with a signature and ends with a check sum, behind its signature.
   *
   * @param length with both
   * @throws {Hdf5Fault} if either is wrong
   */
  checked(address: number, length: number, signature: string): Cursor {
    const bytes = this.read(address, length);
    const cursor = new Cursor(verified(bytes, signature), this.widths);
    const found = cursor.text(signature.length);
    if (found !== signature) throw new Hdf5Fault(`there is no "${signature}" where one should be`, true);
    return cursor;
  }

  /** @throws {Hdf5Fault} if the file ends before that many bytes from an address on */
  check(address: number, length: number): void {
    if (!(address + length <= this.bytes)) throw this.#endsBefore(address + length, this.bytes);
  }

  #endsBefore(wanted: number, found: number): Hdf5Fault {
    return new Hdf5Fault(`the file ends at byte ${this.#base + found}, and byte ${this.#base + wanted} is needed`, true);
  }
}

/** The bytes before a check sum; @throws {Hdf5Fault} if it is another. */
export function verified(bytes: Uint8Array<ArrayBuffer>, what: string): Uint8Array<ArrayBuffer> {
  if (bytes.length < CHECKSUM_BYTES) throw new Hdf5Fault(`"${what}" is shorter than its check sum`);
  const body = bytes.subarray(0, bytes.length - CHECKSUM_BYTES);
  const stored = new DataView(bytes.buffer, bytes.byteOffset + body.length).getUint32(0, true);
  if (stored !== metadataChecksum(body)) throw new Hdf5Fault(`the check sum of "${what}" is wrong`, true);
  return body;
}

/** Where a file's superblock is; undefined if it has none. */
export function findSuperblock(file: ByteSource): number | undefined {
  const bytes = new Uint8Array(SIGNATURE.length);
  for (let at = 0; at + SIGNATURE.length <= file.size; at = at === 0 ? 512 : 2 * at) {
    file.read(at, bytes);
    if (String.fromCharCode(...bytes) === SIGNATURE) return at;
  }
  return undefined;
}

/** Reads little-endian numbers one after the other. */
export class Cursor {
  /** Position of the next number. */
  at = 0;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #widths: Widths;

  constructor(bytes: Uint8Array<ArrayBuffer>, widths: Widths) {
    this.#bytes = bytes;
    this.#widths = widths;
  }

  /** Bytes that are left. */
  get left(): number {
    return this.#bytes.length - this.at;
  }

  /** Some bytes as they are. */
  bytes(count: number): Uint8Array<ArrayBuffer> {
    if (!(count <= this.left)) throw new Hdf5Fault("one of its structures is shorter than it says");
    return this.#bytes.subarray(this.at, this.at += count);
  }

  skip(count: number): this {
    this.bytes(count);
    return this;
  }

  /** A whole number of some bytes; beyond 2^53 it is rounded, which no size or place in a file is. */
  uint(width: number): number {
    return this.bytes(width).reduceRight((sum, byte) => 256 * sum + byte, 0);
  }

  /** An address, or undefined if it says "nowhere". */
  address(): number | undefined {
    const bytes = this.bytes(this.#widths.address);
    return bytes.every((byte) => byte === 0xff) ? undefined : bytes.reduceRight((sum, byte) => 256 * sum + byte, 0);
  }

  /** An address that must be somewhere. */
  place(): number {
    const address = this.address();
    if (address === undefined) throw new Hdf5Fault("one of its structures is nowhere");
    return address;
  }

  length(): number {
    return this.uint(this.#widths.length);
  }

  /** A length; Infinity if its bits are all set. */
  limit(): number {
    const { length } = this.#widths;
    const value = this.length();
    return value >= 2 ** (8 * length) - 1 ? Infinity : value;
  }

  /** Characters of one byte each. */
  text(count: number): string {
    return String.fromCharCode(...this.bytes(count));
  }

  /** UTF-8 up to a zero byte. */
  name(): string {
    const end = this.#bytes.indexOf(0, this.at);
    const text = new TextDecoder().decode(this.bytes((end < 0 ? this.#bytes.length : end) - this.at));
    this.skip(end < 0 ? 0 : 1);
    return text;
  }
}
