/** @file A few images of a data file, packed. */

import { type Encoding, NonFiniteValue, pack, type PackedBatch } from "./entries.ts";
import { DataError } from "./errors.ts";
import type { JetFile } from "./jet_file.ts";
import type { ImageSize } from "./packed.ts";

/**
 * Reads and packs images.
 *
 * @returns undefined if the encoding cannot hold a value
 * @throws {DataError} if they cannot be read, or hold a value that is not finite
 */
export function packRows(file: JetFile, first: number, count: number, encoding: Encoding): PackedBatch | undefined {
  const images = file.readImages(first, count);
  try {
    return pack(file.channelsFirst ? channelsLast(images, file) : images, count, encoding);
  } catch (error) {
    if (!(error instanceof NonFiniteValue)) throw error;
    throw new DataError(
      `${file.path}: dataset "${file.images.name}": image ${first + error.image} holds ${error.value}. ` +
        "Remove that image or set the value to 0",
    );
  }
}

/** (N, C, S, S) to (N, S, S, C). */
function channelsLast(images: Float32Array, { channels, size }: ImageSize): Float32Array {
  const out = new Float32Array(images.length);
  const pixels = size * size;
  for (let base = 0; base < images.length; base += pixels * channels) {
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < pixels; p++) out[base + p * channels + c] = images[base + c * pixels + p]!;
    }
  }
  return out;
}
