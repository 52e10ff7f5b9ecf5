/**
 * @file Files in an uncompressed zip archive, as PyTorch writes them (APPNOTE.TXT 6.3, with its 64-bit fields).
 *
 * Nothing in the archive is trusted: every range must lie in the file, no two entries may share bytes, and contents must have
 * the checksum that the directory gives.
 */

import { crc32 } from "node:zlib";
import { shorten } from "../format.ts";

/** An archive that cannot be read. */
export class ZipError extends Error {
  /** Name of the error class. */
  override readonly name = "ZipError";
}

const END = 0x06054b50, END_64 = 0x06064b50, LOCATOR_64 = 0x07064b50, CENTRAL = 0x02014b50, LOCAL = 0x04034b50;
const END_BYTES = 22;
const MOST_COMMENT = 65535;

interface Entry {
  readonly name: string;
  readonly start: number;
  readonly stop: number;
  readonly crc: number;
  /** Why it cannot be read, if it cannot. */
  readonly hindrance: string | undefined;
}

/**
 * Reads the directory.
 *
 * @param file all bytes of the archive
 * @returns a function that gives an entry's contents, a view into the file; undefined if there is no such entry
 * @throws {ZipError} if the archive is cut or damaged, or, on reading, an entry is compressed or encrypted
 */
export function openZip(file: Uint8Array): { readonly names: readonly string[]; read(name: string): Uint8Array | undefined } {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const entries = new Map<string, Entry>();
  const { start, bytes, count } = directoryOf(view, file);
  for (let i = 0, offset = start; i < count; i++) {
    const { entry, next } = centralEntry(view, file, offset, start + bytes);
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
  return {
    names: [...entries.keys()],
    read(name) {
      const entry = entries.get(name);
      if (!entry) return undefined;
      if (entry.hindrance !== undefined) throw new ZipError(`entry "${shorten(name)}" is ${entry.hindrance}`);
      const contents = file.subarray(entry.start, entry.stop);
      if (crc32(contents) !== entry.crc) throw new ZipError(`entry "${shorten(name)}" is damaged: its checksum is wrong`);
      return contents;
    },
  };
}

/** Where the central directory is. */
function directoryOf(view: DataView, file: Uint8Array): { start: number; bytes: number; count: number } {
  let end = file.length - END_BYTES;
  const last = Math.max(0, end - MOST_COMMENT);
  while (end >= last && view.getUint32(end, true) !== END) end--;
  if (end < last) throw new ZipError("the archive has no end: it is cut, or no zip archive");
  let count = view.getUint16(end + 10, true), bytes = view.getUint32(end + 12, true), start = view.getUint32(end + 16, true);
  const locator = end - 20;
  if (locator >= 0 && view.getUint32(locator, true) === LOCATOR_64) {
    const record = wide(view, locator + 8);
    if (record + 56 > file.length || view.getUint32(record, true) !== END_64) {
      throw new ZipError("the archive's directory is damaged");
    }
    [count, bytes, start] = [wide(view, record + 32), wide(view, record + 40), wide(view, record + 48)];
  }
  if (start + bytes > end) throw new ZipError("the archive's directory lies outside the file");
  return { start, bytes, count };
}

function centralEntry(view: DataView, file: Uint8Array, at: number, end: number): { entry: Entry; next: number } {
  if (at + 46 > end || view.getUint32(at, true) !== CENTRAL) throw new ZipError("the archive's directory is damaged");
  const flags = view.getUint16(at + 8, true), method = view.getUint16(at + 10, true);
  const nameBytes = view.getUint16(at + 28, true), extraBytes = view.getUint16(at + 30, true);
  const next = at + 46 + nameBytes + extraBytes + view.getUint16(at + 32, true);
  if (next > end) throw new ZipError("the archive's directory is damaged");
  const name = new TextDecoder().decode(file.subarray(at + 46, at + 46 + nameBytes));
  const hindrance = (flags & 1) !== 0 ? "encrypted" : method !== 0 ? "compressed" : undefined;
  const extra = at + 46 + nameBytes;
  const sizes = wideFields(view, extra, extra + extraBytes, [
    view.getUint32(at + 24, true),
    view.getUint32(at + 20, true),
    view.getUint32(at + 42, true),
  ]);
  const [size, stored, local] = sizes as [number, number, number];
  if (size !== stored && hindrance === undefined) throw new ZipError(`entry "${shorten(name)}" has two sizes`);
  if (local + 30 > file.length || view.getUint32(local, true) !== LOCAL) {
    throw new ZipError(`entry "${shorten(name)}" lies outside the file`);
  }
  const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  const stop = start + stored;
  if (stop > file.length) throw new ZipError(`entry "${shorten(name)}" claims ${stored} bytes, more than the file has`);
  return { entry: { name, start, stop, crc: view.getUint32(at + 16, true), hindrance }, next };
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
