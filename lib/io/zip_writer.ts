/** @file Writes zip archives without compression, whose contents begin where memory can be mapped, as PyTorch's do. */

import { crc32 } from "./crc32.ts";

const END = 0x06054b50, CENTRAL = 0x02014b50, LOCAL = 0x04034b50;
const LOCAL_BYTES = 30, CENTRAL_BYTES = 46, END_BYTES = 22;
const VERSION = 20;
/** 1 January 1980, the first day that there is: the same contents give the same archive. */
const DAY = 1 << 5 | 1;
/** Contents begin at a multiple of it. */
const ALIGNMENT = 64;
/** Marks an extra field that is there for the alignment alone, as in PyTorch's inline_container.cc. */
const PADDING = 0x4246, PADDING_BYTES = 4;
/** Sizes and places have 32 bits; the largest stands for more. */
const MOST_BYTES = 2 ** 32 - 2;

/** Where an entry comes to lie. */
interface Place {
  readonly name: Uint8Array;
  readonly contents: Uint8Array;
  /** First byte of its header. */
  readonly header: number;
  /** First byte of its contents. */
  readonly start: number;
}

/**
 * An archive of these entries, in their order.
 *
 * @param entries contents by name
 * @throws {RangeError} if it would have 4 GiB or more
 */
export function encodeZip(entries: ReadonlyMap<string, Uint8Array>): Uint8Array<ArrayBuffer> {
  const { places, end } = placed(entries);
  const directoryBytes = places.reduce((sum, { name }) => sum + CENTRAL_BYTES + name.length, 0);
  const size = end + directoryBytes + END_BYTES;
  if (size > MOST_BYTES) throw new RangeError(`the archive has ${size} bytes, and its format takes ${MOST_BYTES}`);
  const file = new Uint8Array(size), view = new DataView(file.buffer);
  let at = end;
  for (const place of places) {
    const { name, contents, header, start } = place, crc = crc32(contents);
    const padding = start - header - LOCAL_BYTES - name.length;
    view.setUint32(header, LOCAL, true);
    writeCommon(view, header + 4, place, crc);
    view.setUint16(header + 28, padding, true);
    file.set(name, header + LOCAL_BYTES);
    view.setUint16(start - padding, PADDING, true);
    view.setUint16(start - padding + 2, padding - PADDING_BYTES, true);
    file.set(contents, start);
    view.setUint32(at, CENTRAL, true);
    view.setUint16(at + 4, VERSION, true);
    writeCommon(view, at + 6, place, crc);
    view.setUint32(at + 42, header, true);
    file.set(name, at + CENTRAL_BYTES);
    at += CENTRAL_BYTES + name.length;
  }
  view.setUint32(at, END, true);
  view.setUint16(at + 8, places.length, true);
  view.setUint16(at + 10, places.length, true);
  view.setUint32(at + 12, directoryBytes, true);
  view.setUint32(at + 16, end, true);
  return file;
}

function placed(entries: ReadonlyMap<string, Uint8Array>): { places: Place[]; end: number } {
  const encoder = new TextEncoder(), places: Place[] = [];
  let end = 0;
  for (const [text, contents] of entries) {
    const name = encoder.encode(text), header = end;
    const start = Math.ceil((header + LOCAL_BYTES + name.length + PADDING_BYTES) / ALIGNMENT) * ALIGNMENT;
    places.push({ name, contents, header, start });
    end = start + contents.length;
  }
  return { places, end };
}

/** What the header of an entry and its line in the directory share. */
function writeCommon(view: DataView, at: number, { name, contents }: Place, crc: number): void {
  view.setUint16(at, VERSION, true);
  view.setUint16(at + 8, DAY, true);
  view.setUint32(at + 10, crc, true);
  view.setUint32(at + 14, contents.length, true);
  view.setUint32(at + 18, contents.length, true);
  view.setUint16(at + 22, name.length, true);
}
