/** @file Whether the values of images are of the size that they are divided by, and those of several files of one size. */

import { ConfigError } from "../config/parse.ts";
import { forEachEntry } from "../data/entries.ts";
import type { Loader } from "./loader.ts";

/** Images that are looked at for the size of their values. */
const SCALED = 64;
/** Sizes of the largest scaled value between which a model can see the others: published images reach 1. */
const SMALLEST_SCALED = 1e-6, LARGEST_SCALED = 1e9;

/** Largest ratio of the largest values of two files: one that was divided by 255 lies beyond. */
const MOST_APART = 50;

/**
 * Checks the sizes of values.
 *
 * @param scale data.norm_scale
 * @param path what the data are called
 * @throws {ConfigError} if values do not fit the scale, or those of one file are of another scale than those of another
 */
export async function checkScales(loader: Loader, scale: number, path: string): Promise<void> {
  const { parts } = loader, largest: number[] = [];
  let first = 0;
  for (const { path: file, count } of parts) {
    largest.push(await checkScale(loader, scale, { path: parts.length > 1 ? file : path, first, count }));
    first += count;
  }
  const most = largest.indexOf(Math.max(...largest));
  const other = largest.findIndex((value) => value > 0 && value * MOST_APART < largest[most]!);
  if (other < 0) return;
  const reaches = (i: number) => `${parts[i]!.path} reach ${Number(largest[i]!.toPrecision(3))}`;
  throw new ConfigError(
    `The values of ${reaches(most)}, and those of ${reaches(other)}: they are scaled differently. Scale them alike`,
  );
}

/**
 * @returns the largest value of some images of a file
 * @throws {ConfigError} if hardly anything is left of values that are divided by the scale, or far too much
 */
async function checkScale(
  loader: Loader,
  scale: number,
  { path, first, count }: { readonly path: string; readonly first: number; readonly count: number },
): Promise<number> {
  const length = Math.min(SCALED, count);
  const spread = Uint32Array.from({ length }, (_, i) => first + Math.floor(i * count / length));
  let largest = 0;
  forEachEntry((await loader.batch(spread)).words, loader.encoding, (_, value) => largest = Math.max(largest, Math.abs(value)));
  const scaled = largest / scale;
  if (largest === 0 || (scaled >= SMALLEST_SCALED && scaled <= LARGEST_SCALED)) return largest;
  throw new ConfigError(
    `${path}: the largest value of ${length} images is ${Number(largest.toPrecision(3))}, and data.norm_scale ${scale} makes ` +
      `${
        Number(scaled.toPrecision(3))
      } of it. Set data.norm_scale near the largest value, or to what the weights were trained with`,
  );
}
