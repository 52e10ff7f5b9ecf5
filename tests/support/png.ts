/** @file Reads pictures in the format PNG back, as far as they are written here: colours by a palette, a byte a pixel, no filter. */

import { assertEquals } from "@std/assert";
import { crc32, inflateSync } from "node:zlib";
import type { Picture } from "../../lib/io/png.ts";

/** A picture; every checksum is compared. */
export function decodePng(file: Uint8Array): Picture {
  assertEquals(Array.from(file.subarray(0, 8)), [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength), chunks = new Map<string, Uint8Array>();
  for (let at = 8; at < file.length;) {
    const length = view.getUint32(at), contents = file.subarray(at + 8, at + 8 + length);
    assertEquals(view.getUint32(at + 8 + length), crc32(file.subarray(at + 4, at + 8 + length)));
    chunks.set(new TextDecoder().decode(file.subarray(at + 4, at + 8)), contents);
    at += 12 + length;
  }
  assertEquals([...chunks.keys()], ["IHDR", "PLTE", "IDAT", "IEND"]);
  const head = chunks.get("IHDR")!, sizes = new DataView(head.buffer, head.byteOffset, 8), colours = chunks.get("PLTE")!;
  const [width, height] = [sizes.getUint32(0), sizes.getUint32(4)];
  assertEquals(Array.from(head.subarray(8)), [8, 3, 0, 0, 0]);
  const rows = new Uint8Array(inflateSync(chunks.get("IDAT")!)), pixels = new Uint8Array(width * height);
  assertEquals(rows.length, height * (width + 1));
  for (let y = 0; y < height; y++) {
    assertEquals(rows[y * (width + 1)], 0);
    pixels.set(rows.subarray(y * (width + 1) + 1, (y + 1) * (width + 1)), y * width);
  }
  const palette = Array.from({ length: colours.length / 3 }, (_, i) => Array.from(colours.subarray(3 * i, 3 * i + 3)));
  return { width, height, pixels, palette: palette as [number, number, number][] };
}
