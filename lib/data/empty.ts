/** @file Images that hold nothing, and how they are spoken of. */

import { formatCount } from "../format.ts";
import { pack } from "./entries.ts";
import type { Unwritten } from "./data_file.ts";
import type { ImageSource } from "./packed.ts";

/** Images of a data set that hold nothing. */
export interface EmptyImages {
  /** How many they are. */
  readonly count: number;
  /** The first of them; -1 if there are none. */
  readonly first: number;
}

/** Images of which those can be found that are alike. */
export interface SearchableImages extends ImageSource {
  /** Numbers of the images whose words are these. */
  find(words: Uint32Array): number[];
}

/**
 * Finds images without any value but 0, or with the same fill value everywhere.
 *
 * @param fills values of what was never written
 */
export function findEmpty(source: SearchableImages, fills: readonly number[]): EmptyImages {
  const { encoding, channels, size } = source;
  const values = new Float32Array(size * size * channels);
  const blanks = new Set([0, ...fills.filter(Number.isFinite)]);
  const found = [...blanks].flatMap((value) => {
    const blank = pack(values.fill(value), 1, encoding);
    return blank ? source.find(blank.words) : [];
  });
  return { count: found.length, first: found.length > 0 ? found.reduce((least, image) => Math.min(least, image)) : -1 };
}

/**
 * What there is to say about images beside what they show: how they were understood, and which hold nothing.
 *
 * @param of number of images that were looked at
 */
export function remarksOn(
  { assumption, unwritten }: { readonly assumption: string | undefined; readonly unwritten: Unwritten | undefined },
  empty: EmptyImages,
  of: number,
): string[] {
  return [assumption, describeEmpty(empty, of, unwritten)].filter((line) => line !== undefined);
}

function describeEmpty({ count, first }: EmptyImages, of: number, unwritten: Unwritten | undefined): string | undefined {
  const parts: string[] = [];
  if (count > 0) parts.push(`${formatCount(count)} of ${formatCount(of)} images are empty, the first is ${first}`);
  if (unwritten) {
    const { chunks, of, first, last } = unwritten;
    parts.push(`${formatCount(chunks)} of ${formatCount(of)} chunks were never written, the first of images ${first} to ${last}`);
  }
  return parts.length > 0 ? parts.join("; ") : undefined;
}

/** What there is to say about numbers that are exactly 0, as those are that were never written; undefined if there are none. */
export function describeZeros(what: string, values: Float64Array): string | undefined {
  const count = values.reduce((sum, value) => sum + (value === 0 ? 1 : 0), 0);
  if (count === 0) return undefined;
  return `${formatCount(count)} of ${formatCount(values.length)} ${what} are exactly 0, the first is that of image ${
    values.indexOf(0)
  }. ` +
    "Were they written?";
}

/** What there is to say about masses and momenta below 0, which none is; undefined if there are none. */
export function describeNegative(what: string, values: Float64Array): string | undefined {
  const first = values.findIndex((value) => value < 0);
  if (first < 0) return undefined;
  const count = values.reduce((sum, value) => sum + (value < 0 ? 1 : 0), 0);
  return `${formatCount(count)} of ${formatCount(values.length)} ${what} are below 0, the first is that of image ${first}: ${
    values[first]
  }. ` + "Do they stand for what is not known?";
}

/** A run of equal labels that chance makes less often than this is spoken of. */
const CHANCE = 1e-9;

/**
 * What there is to say about labels that end in zeros, as those do whose writing was cut short; undefined if they may well do so:
 * because they are sorted, or because zeros are frequent.
 */
export function describeZeroEnd(labels: Float64Array): string | undefined {
  let start = labels.length, zeros = 0, changes = 0;
  while (start > 0 && labels[start - 1] === 0) start--;
  for (let i = 0; i < start; i++) {
    if (labels[i] === 0) zeros++;
    if (i > 0 && (labels[i] === 0) !== (labels[i - 1] === 0)) changes++;
  }
  const share = zeros / start, isMixed = changes > share * (1 - share) * start;
  if (!isMixed || share ** (labels.length - start) > CHANCE) return undefined;
  return `the last ${formatCount(labels.length - start)} of ${
    formatCount(labels.length)
  } labels are 0, though classes are mixed before. ` +
    "Were they written?";
}
