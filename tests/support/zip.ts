/** @file Writes uncompressed zip archives, right or wrong in one way. */

import { concat } from "../../lib/arrays.ts";
import { crc32 } from "node:zlib";

/** What is wrong with an archive. */
export interface ZipChange {
  /** An entry whose contents differ from its checksum. */
  readonly damage: string;
  /** True: all entries begin at the same byte. */
  readonly overlap: boolean;
  /** Compression that the directory claims. */
  readonly method: number;
}

/** An archive of these entries. */
export function zipOf(entries: Readonly<Record<string, Uint8Array>>, change: Partial<ZipChange> = {}): Uint8Array<ArrayBuffer> {
  const local: Uint8Array[] = [], directory: number[] = [];
  let at = 0;
  for (const [name, contents] of Object.entries(entries)) {
    const offset = change.overlap ? 0 : at;
    const letters = [...new TextEncoder().encode(name)];
    const crc = crc32(contents) ^ (change.damage === name ? 1 : 0);
    const common = [
      ...u16(20),
      ...u16(0),
      ...u16(change.method ?? 0),
      ...u32(0),
      ...u32(crc),
      ...u32(contents.length),
      ...u32(contents.length),
    ];
    directory.push(...u32(0x02014b50), ...u16(20), ...common, ...u16(letters.length), ...u16(0), ...u16(0), ...u16(0), ...u16(0));
    directory.push(...u32(0), ...u32(offset), ...letters);
    const head = Uint8Array.from([...u32(0x04034b50), ...common, ...u16(letters.length), ...u16(0), ...letters]);
    local.push(head, contents);
    at += head.length + contents.length;
  }
  const count = Object.keys(entries).length;
  const end = [...u32(0x06054b50), ...u32(0), ...u16(count), ...u16(count), ...u32(directory.length), ...u32(at), ...u16(0)];
  return concat([...local, Uint8Array.from([...directory, ...end])]);
}

function u16(value: number): number[] {
  return [value & 255, value >> 8 & 255];
}

function u32(value: number): number[] {
  return [...u16(value), ...u16(value >>> 16)];
}
