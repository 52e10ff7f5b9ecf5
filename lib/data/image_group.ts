/** @file Images a few at a time, and how they lie in their file. */

import type { Dataset } from "./data_file.ts";
import { DataError } from "./errors.ts";

/** A few images. */
export interface ImageGroup {
  /** Number of the first; the others follow it. */
  readonly first: number;
  /** How many they are. */
  readonly count: number;
  /** count * size * size * channels values, channels last. */
  readonly values: Float32Array<ArrayBuffer>;
}

/** How the images of a file lie in it. */
export interface JetLayout {
  /** Path as the user gave it. */
  readonly path: string;
  /** Number of images. */
  readonly count: number;
  /** Values of a pixel. */
  readonly channels: number;
  /** Pixels along eta and phi. */
  readonly size: number;
  /** True for (N, C, S, S). */
  readonly channelsFirst: boolean;
}

/** Images read at once: a few megabytes, which stay in the processor's cache until they are packed. */
export const IMAGES_AT_ONCE = 8;

/** Values of an image. */
export function valuesOf({ size, channels }: Pick<JetLayout, "size" | "channels">): number {
  return size * size * channels;
}

/** Runs of numbers that follow one another, a few at a time. */
export function* runs(wanted: ArrayLike<number>): Generator<{ first: number; count: number }> {
  for (let at = 0, count = 1; at < wanted.length; at += count) {
    for (count = 1; count < IMAGES_AT_ONCE && wanted[at + count] === wanted[at]! + count; count++);
    yield { first: wanted[at]!, count };
  }
}

/** The fill value, which stands for what was never written; @throws {DataError} if it is none of single precision */
export function blank({ path }: JetLayout, images: Dataset, count: number): Float32Array<ArrayBuffer> {
  const { info, fill } = images;
  if (Number.isFinite(Math.fround(fill))) return new Float32Array(count).fill(fill);
  const { first, last } = images.unwritten!;
  throw new DataError(
    `${path}: dataset "${info.name}" was never written in rows ${first} to ${last}, and ${fill} stands for its values. Leave these out`,
  );
}
