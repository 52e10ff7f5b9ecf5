/** @file Goes through packed images one after the other, on this thread, which signals can still reach. */

import { pauses, type WorkOptions } from "../interrupted.ts";
import type { ImageSource } from "./packed.ts";

/** Images that are read at once. */
const AT_ONCE = 256;

/**
 * Visits the entries of some images.
 *
 * @param images their numbers
 * @param visit is given the words of each, as of entries.ts
 * @param stopped what is said if the work is stopped
 * @throws {Interrupted} if the signal was aborted
 */
export async function forEachImage(
  source: ImageSource,
  images: Uint32Array,
  visit: (words: Uint32Array) => void,
  options: WorkOptions,
  stopped: string,
): Promise<void> {
  const pause = pauses(options, stopped);
  for (let first = 0; first < images.length; first += AT_ONCE) {
    const some = images.subarray(first, first + AT_ONCE);
    const { offsets, words } = await source.batch(some);
    for (const i of some.keys()) visit(words.subarray(offsets[i], offsets[i + 1]));
    await pause(first + some.length, images.length);
  }
}
