/** @file How much each channel deposits in a patch: the scale of what masked pretraining on active patches predicts. */

import { log } from "../elementary.ts";
import type { WorkOptions } from "../interrupted.ts";
import { forEachImage } from "./each_image.ts";
import { forEachEntry } from "./entries.ts";
import type { ImageSource } from "./packed.ts";

/**
 * Deviation of log(1 + sum) for each channel, over all patches of some images that hold a pixel which is not zero; 1 where all of them
 * are the same. Sums below 0 count as 0.
 *
 * @param patch pixels along each side of a patch
 * @param images their numbers
 * @throws {Interrupted} if the signal was aborted
 */
export async function sumDeviations(
  source: ImageSource,
  patch: number,
  images: Uint32Array,
  options: WorkOptions = {},
): Promise<number[]> {
  const { size, channels, encoding } = source;
  const grid = Math.floor(size / patch);
  const sums = new Float64Array(grid * grid * channels), filled = new Uint8Array(grid * grid);
  const total = new Float64Array(channels), squares = new Float64Array(channels);
  let patches = 0;
  const visit = (words: Uint32Array) => {
    sums.fill(0);
    filled.fill(0);
    forEachEntry(words, encoding, (position, value) => {
      const pixel = Math.floor(position / channels),
        row = Math.floor(pixel / size / patch),
        column = Math.floor(pixel % size / patch);
      if (row >= grid || column >= grid || value === 0) return;
      filled[row * grid + column] = 1;
      const at = (row * grid + column) * channels + position % channels;
      sums[at] = sums[at]! + value;
    });
    for (let n = 0; n < filled.length; n++) {
      if (filled[n] === 0) continue;
      patches++;
      for (let c = 0; c < channels; c++) {
        const value = log(1 + Math.max(0, sums[n * channels + c]!));
        total[c] = total[c]! + value;
        squares[c] = squares[c]! + value * value;
      }
    }
  };
  await forEachImage(source, images, visit, options, "Stopped while measuring patches");
  return Array.from(total, (sum, c) => {
    const variance = squares[c]! / patches - (sum / patches) ** 2;
    // what is below is a rounding
    return variance > 1e-12 ? Math.sqrt(variance) : 1;
  });
}
