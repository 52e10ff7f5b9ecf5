/** @file How many patches of an image hold something: the room that a batch of them takes, known before anything is computed. */

import { firstNumbers } from "../arrays.ts";
import type { WorkOptions } from "../interrupted.ts";
import { forEachImage } from "./each_image.ts";
import { forEachEntry, WORDS_PER_ENTRY } from "./entries.ts";
import type { ImageSource } from "./packed.ts";

/** How images are shifted: cyclically along phi by any number of pixels, or by whole patches, so that what leaves the image is lost. */
export type Roll = "none" | "phi" | "towers";

/**
 * The most patches of any image that hold a pixel which is not zero, however the image is mirrored or shifted; 1 if there are none.
 *
 * A roll by any number of pixels cuts an image in other places. All of them are tried. Where patches do not fill the image, other pixels
 * fall beyond the last patch whenever it is moved: the most is then what its pixels can fill.
 *
 * @param patch pixels along each side of a patch
 * @throws {Interrupted} if the signal was aborted
 */
export async function mostActivePatches(
  source: ImageSource,
  patch: number,
  roll: Roll,
  options: WorkOptions = {},
): Promise<number> {
  const { size, channels, count, encoding, mostPerImage } = source;
  const grid = Math.floor(size / patch);
  if (size % patch !== 0) return Math.max(1, Math.min(grid * grid, mostPerImage / WORDS_PER_ENTRY[encoding]));
  const shifts = roll === "phi" ? patch : 1;
  let most = 1;
  const visit = (words: Uint32Array) => {
    // which columns of each row of patches hold something
    const filled = new Uint8Array(grid * size);
    forEachEntry(words, encoding, (position, value) => {
      const pixel = Math.floor(position / channels), row = Math.floor(pixel / size / patch);
      if (row < grid && value !== 0) filled[row * size + pixel % size] = 1;
    });
    for (let shift = 0; shift < shifts; shift++) most = Math.max(most, filledPatches(filled, size, patch, shift));
  };
  await forEachImage(source, firstNumbers(count), visit, options, "Stopped while counting active patches");
  return most;
}

/** Patches with a filled column, of rows of so many columns that were shifted cyclically. */
function filledPatches(filled: Uint8Array, size: number, patch: number, shift: number): number {
  const grid = Math.floor(size / patch);
  let patches = 0;
  for (let row = 0; row < filled.length; row += size) {
    for (let column = 0; column < grid; column++) {
      let any = 0;
      for (let c = column * patch + size - shift; c < (column + 1) * patch + size - shift; c++) any |= filled[row + c % size]!;
      patches += any;
    }
  }
  return patches;
}
