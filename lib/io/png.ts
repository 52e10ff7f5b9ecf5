/**
 * @file Pictures in the format PNG: a signature, then chunks, each with its length, name, contents and checksum (ISO/IEC 15948).
 *
 * A pixel is a byte, the number of a colour in a palette. Each row begins with the number of a filter; 0 leaves it as it is.
 */

import { crc32 } from "./crc32.ts";

/** A picture whose pixels are numbers of colours. */
export interface Picture {
  /** Pixels in a row. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** (height, width) from the top left. */
  readonly pixels: Uint8Array;
  /** Red, green and blue of each colour, from 0 to 255. */
  readonly palette: readonly (readonly [red: number, green: number, blue: number])[];
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Bits of a pixel, colours by a palette, deflate, filters of five kinds, no interlacing. */
const FORM = [8, 3, 0, 0, 0];

/** The file of a picture. */
export async function encodePng({ width, height, pixels, palette }: Picture): Promise<Uint8Array<ArrayBuffer>> {
  const head = new Uint8Array(13), sizes = new DataView(head.buffer);
  sizes.setUint32(0, width);
  sizes.setUint32(4, height);
  head.set(FORM, 8);
  const rows = new Uint8Array(height * (width + 1));
  for (let y = 0; y < height; y++) rows.set(pixels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  const chunks = [
    chunk("IHDR", head),
    chunk("PLTE", Uint8Array.from(palette.flat())),
    chunk("IDAT", await deflate(rows)),
    chunk("IEND", new Uint8Array(0)),
  ];
  return new Uint8Array(await new Blob([Uint8Array.from(SIGNATURE), ...chunks]).arrayBuffer());
}

/** A chunk; its checksum is that of its name and contents. */
function chunk(name: string, contents: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(12 + contents.length), view = new DataView(bytes.buffer);
  view.setUint32(0, contents.length);
  bytes.set(new TextEncoder().encode(name), 4);
  bytes.set(contents, 8);
  view.setUint32(8 + contents.length, crc32(bytes.subarray(4, 8 + contents.length)));
  return bytes;
}

async function deflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}
