/**
 * @file Files in a zip archive, as PyTorch and NumPy write them (APPNOTE.TXT 6.3, with its 64-bit fields).
 *
 * Nothing in the archive is trusted: every range must lie in the file, no two entries may share bytes, and contents must have
 * the checksum that the directory gives.
 */

import { shorten } from "../format.ts";
import { crc32 } from "./crc32.ts";

/** An archive that cannot be read. */
export class ZipError extends Error {
  /** Name of the error class. */
  override readonly name = "ZipError";
}

const END = 0x06054b50, END_64 = 0x06064b50, LOCATOR_64 = 0x07064b50, CENTRAL = 0x02014b50, LOCAL = 0x04034b50;
const END_BYTES = 22, LOCATOR_BYTES = 20, END_64_BYTES = 56, CENTRAL_BYTES = 46, LOCAL_BYTES = 30;
const MOST_COMMENT = 65535;
/** Largest directory that is read. */
const MOST_DIRECTORY = 2 ** 27;
const STORED = 0, DEFLATED = 8;

/** An entry of an archive. */
export interface ZipEntry {
  /** Its name in the archive. */
  readonly name: string;
  /** Where its contents begin in the file, as they are stored. */
  readonly start: number;
  /** Where they end. */
  readonly stop: number;
  /** Bytes of the contents, unpacked. */
  readonly size: number;
  /** Checksum of the contents, unpacked. */
  readonly crc: number;
  /** True if they are compressed by deflate. */
  readonly deflated: boolean;
  /** Why it cannot be read at all, if it cannot. */
  readonly hindrance: string | undefined;
}

/** The bytes of a file from start to stop; the caller asks for none behind its end. */
export type ReadBytes = (start: number, stop: number) => Uint8Array;

/**
 * Reads the directory of an archive that need not be in memory.
 *
 * @param size bytes of the file
 * @throws {ZipError} if the archive is cut or damaged
 */
export function readZipDirectory(size: number, read: ReadBytes): ZipEntry[] {
  const entries = new Map<string, ZipEntry>();
  const { start, bytes, count } = findDirectory(size, read);
  const directory = read(start, start + bytes);
  for (let i = 0, offset = 0; i < count; i++) {
    const { entry, next } = centralEntry(directory, offset, size, read);
    if (entries.has(entry.name)) throw new ZipError(`two entries of the archive are called "${shorten(entry.name)}"`);
    entries.set(entry.name, entry);
    offset = next;
  }
  const sorted = [...entries.values()].sort((a, b) => a.start - b.start || a.stop - b.stop);
  sorted.forEach((entry, i) => {
    if (entry.start < (sorted[i - 1]?.stop ?? 0)) {
      throw new ZipError(`the entries "${shorten(sorted[i - 1]!.name)}" and "${shorten(entry.name)}" overlap`);
    }
  });
  return [...entries.values()];
}

/**
 * Opens an archive without compression, as PyTorch writes it.
 *
 * @param file all bytes of the archive
 * @returns a function that gives an entry's contents, a view into the file; undefined if there is no such entry
 * @throws {ZipError} if the archive is cut or damaged, or, on reading, an entry is compressed or encrypted
 */
export function openZip(file: Uint8Array): { readonly names: readonly string[]; read(name: string): Uint8Array | undefined } {
  const directory = readZipDirectory(file.length, (start, stop) => file.subarray(start, stop));
  const entries = new Map(directory.map((entry) => [entry.name, entry]));
  return {
    names: [...entries.keys()],
    read(name) {
      const entry = entries.get(name);
      if (!entry) return undefined;
      const hindrance = entry.hindrance ??
        (entry.deflated ? "compressed. Unpack it, then pack it without: zip -0 -r NEW FOLDER" : undefined);
      if (hindrance !== undefined) throw new ZipError(`entry "${shorten(name)}" is ${hindrance}`);
      const contents = file.subarray(entry.start, entry.stop);
      if (crc32(contents) !== entry.crc) throw new ZipError(`entry "${shorten(name)}" is damaged: its checksum is wrong`);
      return contents;
    },
  };
}

/** Where the central directory is. */
function findDirectory(size: number, read: ReadBytes): { start: number; bytes: number; count: number } {
  const from = Math.max(0, size - END_BYTES - MOST_COMMENT - LOCATOR_BYTES), tail = read(from, size), view = viewOf(tail);
  let at = tail.length - END_BYTES;
  const last = Math.max(0, at - MOST_COMMENT);
  while (at >= last && view.getUint32(at, true) !== END) at--;
  if (at < last) throw new ZipError("the archive has no end: it is cut, or no zip archive");
  let count = view.getUint16(at + 10, true), bytes = view.getUint32(at + 12, true), start = view.getUint32(at + 16, true);
  const locator = at - LOCATOR_BYTES;
  if (locator >= 0 && view.getUint32(locator, true) === LOCATOR_64) {
    const place = wide(view, locator + 8);
    const record = place + END_64_BYTES <= size ? viewOf(read(place, place + END_64_BYTES)) : undefined;
    if (record?.getUint32(0, true) !== END_64) throw new ZipError("the archive's directory is damaged");
    [count, bytes, start] = [wide(record, 32), wide(record, 40), wide(record, 48)];
  }
  if (!(start + bytes <= from + at)) throw new ZipError("the archive's directory lies outside the file");
  if (bytes > MOST_DIRECTORY) throw new ZipError("the archive's directory is too large");
  return { start, bytes, count };
}

function centralEntry(
  directory: Uint8Array,
  at: number,
  fileBytes: number,
  read: ReadBytes,
): { entry: ZipEntry; next: number } {
  const view = viewOf(directory);
  if (at + CENTRAL_BYTES > directory.length || view.getUint32(at, true) !== CENTRAL) {
    throw new ZipError("the archive's directory is damaged");
  }
  const flags = view.getUint16(at + 8, true), method = view.getUint16(at + 10, true);
  const nameBytes = view.getUint16(at + 28, true), extraBytes = view.getUint16(at + 30, true);
  const extra = at + CENTRAL_BYTES + nameBytes;
  const next = extra + extraBytes + view.getUint16(at + 32, true);
  if (next > directory.length) throw new ZipError("the archive's directory is damaged");
  const name = new TextDecoder().decode(directory.subarray(at + CENTRAL_BYTES, extra));
  const hindrance = (flags & 1) !== 0 ? "encrypted" : method !== STORED && method !== DEFLATED ? "compressed" : undefined;
  const sizes = wideFields(view, extra, extra + extraBytes, [
    view.getUint32(at + 24, true),
    view.getUint32(at + 20, true),
    view.getUint32(at + 42, true),
  ]);
  const [size, stored, local] = sizes as [number, number, number];
  if (size !== stored && method === STORED && hindrance === undefined) {
    throw new ZipError(`entry "${shorten(name)}" has two sizes`);
  }
  const header = local + LOCAL_BYTES <= fileBytes ? viewOf(read(local, local + LOCAL_BYTES)) : undefined;
  if (header?.getUint32(0, true) !== LOCAL) throw new ZipError(`entry "${shorten(name)}" lies outside the file`);
  const start = local + LOCAL_BYTES + header.getUint16(26, true) + header.getUint16(28, true), stop = start + stored;
  if (!(stop <= fileBytes)) throw new ZipError(`entry "${shorten(name)}" claims ${stored} bytes, more than the file has`);
  const crc = view.getUint32(at + 16, true);
  return { entry: { name, start, stop, size, crc, deflated: method === DEFLATED, hindrance }, next };
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** Numbers of the directory; those that read 0xffffffff are in the extra field 1, in their order. */
function wideFields(view: DataView, from: number, to: number, numbers: number[]): number[] {
  for (let at = from; at + 4 <= to;) {
    const id = view.getUint16(at, true), bytes = view.getUint16(at + 2, true);
    if (id !== 1) {
      at += 4 + bytes;
      continue;
    }
    let field = at + 4;
    return numbers.map((number) => {
      if (number !== 0xffffffff || field + 8 > Math.min(to, at + 4 + bytes)) return number;
      field += 8;
      return wide(view, field - 8);
    });
  }
  return numbers;
}

/** A 64-bit number; one beyond 2^53 loses digits, and fails every check of a range. */
function wide(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}
