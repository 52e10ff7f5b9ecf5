/** @file What packing and training know of data files: images, and numbers for each of them, be they of one file or of several. */

import type { Unwritten } from "./data_file.ts";
import type { Fingerprint } from "./fingerprint.ts";
import type { ImageGroup, JetLayout } from "./image_group.ts";

/** What a data set may hold; a target is any dataset of numbers, by its name. */
export type JetQuantity = "images" | "labels" | "mass" | "pt" | "weight" | `target ${string}`;

/** What a data set may hold once for each image. */
export type JetScalar = Exclude<JetQuantity, "images">;

/** Names of datasets given by the user; of several targets with commas between them. */
export type JetNames = Partial<Record<Exclude<JetQuantity, `target ${string}`> | "targets", string>>;

/** Images of a file or of several, with what is known of each: what is packed. */
export interface Jets extends Omit<JetLayout, "channelsFirst">, Disposable {
  /** What images of nothing but fill values hold in every place, by file. */
  readonly fills: readonly number[];
  /** What was taken for granted about the images, in words, if anything was. */
  readonly assumption: string | undefined;
  /**
   * Images of chunks that were never written; undefined if there are none.
   *
   * @internal
   */
  readonly unwritten: Unwritten | undefined;
  /** Which images belong to which file. */
  readonly parts: readonly JetPart[];
  /** True if there is such a number for each image of a file. */
  has(quantity: JetScalar): boolean;
  /**
   * One number for each image.
   *
   * @throws {DataError} if a file has none
   */
  readScalars(quantity: JetScalar): Float64Array;
  /**
   * The unit of these numbers, where the file says it beside them.
   *
   * @throws {DataError} if files do not agree
   */
  unitOf(quantity: JetScalar): string | undefined;
  /**
   * Reads images, a few at a time.
   *
   * @param wanted their numbers, rising
   * @throws {DataError} if they cannot be read
   * @internal
   */
  scan(wanted: ArrayLike<number>): AsyncGenerator<ImageGroup>;
  /** File, dataset and number of an image, in words. */
  nameOf(image: number): string;
  /** What tells this state of the files from others. */
  fingerprint(): Promise<Fingerprint>;
}

/** A file of a data set, and its images. */
export interface JetPart {
  /** Path of the file. */
  readonly path: string;
  /** Its number of images. */
  readonly count: number;
}
