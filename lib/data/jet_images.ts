/**
 * @file Reads images in whatever way they are stored, each part of the file once, in bounded memory.
 *
 * Rows that lie one after the other are read a few images at a time. Chunks that hold whole images are unpacked one by
 * one. Of chunks that hold a corner or a channel of many images, all that belong to some images are read together (image_bands.ts).
 */

import type { Dataset } from "./data_file.ts";
import { decodeImages } from "./decode.ts";
import { ImageBands } from "./image_bands.ts";
import { blank, type ImageGroup, IMAGES_AT_ONCE, type JetLayout, runs, valuesOf } from "./image_group.ts";

/**
 * Reads images, each part of the file once.
 *
 * @param wanted numbers of the images, rising
 * @returns groups in this order; each is overwritten by the next
 * @throws {DataError} if they cannot be read, or hold numbers that single precision cannot hold
 */
export function scanImages(file: JetLayout, images: Dataset, wanted: ArrayLike<number>): AsyncGenerator<ImageGroup> {
  return images.info.chunks ? scanChunks(file, images, wanted) : scanRows(file, images, wanted);
}

async function* scanRows(file: JetLayout, images: Dataset, wanted: ArrayLike<number>): AsyncGenerator<ImageGroup> {
  const rowBytes = images.info.size * valuesOf(file);
  // one buffer for all reads: the first touch of new memory takes longer than the read
  const buffer = new Uint8Array(Math.min(IMAGES_AT_ONCE, wanted.length) * rowBytes);
  for (const { first, count } of runs(wanted)) {
    await images.readRows(first, count, buffer);
    yield {
      first,
      count,
      values: channelsLast(decodeImages(file.path, images.info, buffer.subarray(0, count * rowBytes), first), file),
    };
  }
}

async function* scanChunks(file: JetLayout, images: Dataset, wanted: ArrayLike<number>): AsyncGenerator<ImageGroup> {
  const { shape, chunks } = images.info;
  const rows = chunks![0]!;
  const whole = chunks!.slice(1).every((size, axis) => size === shape[axis + 1]);
  const bands = new ImageBands(file, images);
  for (let at = 0, stop = 0; at < wanted.length; at = stop) {
    const band = Math.floor(wanted[at]! / rows);
    while (stop < wanted.length && Math.floor(wanted[stop]! / rows) === band) stop++;
    const inBand = Uint32Array.from({ length: stop - at }, (_, i) => wanted[at + i]!);
    yield* whole ? scanWholeImages(file, images, band, inBand) : bands.scan(band, inBand);
  }
}

/** Images of a chunk that holds whole ones. */
async function* scanWholeImages(file: JetLayout, images: Dataset, band: number, wanted: Uint32Array): AsyncGenerator<ImageGroup> {
  const start = band * images.info.chunks![0]!, rowBytes = images.info.size * valuesOf(file);
  const chunk = images.readChunk!(band);
  for (const { first, count } of runs(wanted)) {
    const values = chunk
      ? decodeImages(file.path, images.info, chunk.subarray((first - start) * rowBytes, (first - start + count) * rowBytes), first)
      : blank(file, images, count * valuesOf(file));
    yield { first, count, values: channelsLast(values, file) };
  }
}

/** (N, C, S, S) to (N, S, S, C). */
function channelsLast(images: Float32Array<ArrayBuffer>, { channels, size, channelsFirst }: JetLayout): Float32Array<ArrayBuffer> {
  if (!channelsFirst) return images;
  const out = new Float32Array(images.length);
  const pixels = size * size;
  for (let base = 0; base < images.length; base += pixels * channels) {
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < pixels; p++) out[base + p * channels + c] = images[base + c * pixels + p]!;
    }
  }
  return out;
}
