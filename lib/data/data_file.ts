/**
 * @file What a format of data files gives: arrays of numbers by name, called datasets, and their rows or chunks.
 *
 * Which datasets hold images and labels, how the axes are ordered, what is empty and what has changed is found once for
 * all formats (jet_file.ts). A format is a file that gives a {@linkcode DataFile}, and a line in the table of formats.ts.
 */

import type { ByteSource } from "../io/source.ts";
import type { NumberLayout } from "./numbers.ts";

/** An open file of datasets. */
export interface DataFile extends Disposable {
  /** Path as the user gave it. */
  readonly path: string;
  /** The file itself; closed with this. */
  readonly file: ByteSource;
  /** What writes such files in Python: advice is given in its language. */
  readonly module: "h5py" | "NumPy";
  /** What to do about a dataset that such a file cannot hold, if there is more to say than to name another. */
  readonly advice?: string | undefined;
  /**
   * Names of all datasets.
   *
   * @throws {DataError} if the file is damaged there
   */
  readonly names: string[];
  /** What a name leads to; what was meant to be a dataset is one, though it may not be readable. */
  kind(name: string): "dataset" | "other" | "nothing";
  /**
   * A dataset by its name.
   *
   * @throws {DataError} if there is none, saying what is there instead
   */
  dataset(name: string): Dataset;
}

/** What is wanted of a dataset: its rows one after the other, or all numbers at once, which may stand for classes. */
export type DatasetUse = "rows" | "numbers" | "classes";

/** Numbers under one name. */
export interface Dataset {
  /** What is known of it without reading it. */
  readonly info: DatasetInfo;
  /** Where it is in the file: two names of the same numbers have the same place. */
  readonly place: number;
  /** The value of elements that were never written. */
  readonly fill: number;
  /** Unit of its numbers, where the file says it beside them. */
  readonly unit?: string | undefined;
  /** The rows that were never written, where that can be known. */
  readonly unwritten: Unwritten | undefined;
  /**
   * Refuses what cannot be read.
   *
   * @throws {DataError} saying what it is and what to do
   */
  check(as: DatasetUse): void;
  /**
   * All its numbers, the last axis fastest.
   *
   * @throws {DataError} if they cannot be read, were never written, or are whole numbers beyond what is exact
   */
  readNumbers(): Float64Array;
  /**
   * Reads rows that lie one after the other, where there are no chunks.
   *
   * @throws {DataError} if the file ends before
   */
  readRows(first: number, count: number, into: Uint8Array<ArrayBuffer>): void | Promise<void>;
  /**
   * The bytes of a chunk, unpacked, where there are chunks.
   *
   * @param number the last axis counts fastest
   * @returns undefined if it was never written
   * @throws {DataError} if it is damaged
   */
  readChunk?(number: number): Uint8Array<ArrayBuffer> | undefined;
}

/** How the numbers of a dataset are stored. */
export interface DatasetInfo extends NumberLayout {
  /** Path of the dataset in the file. */
  readonly name: string;
  /** Sizes of the axes, the slowest first. */
  readonly shape: readonly number[];
  /** What its elements are, in words, such as "float 32 bit" or "text". */
  readonly type: string;
  /** How they are stored, in a word, such as "contiguous" or "chunked". */
  readonly storage: string;
  /** Chunk shape, or null if rows lie one after the other. */
  readonly chunks: readonly number[] | null;
  /** Names of filters, such as "deflate" (gzip) or "shuffle". */
  readonly filters: readonly string[];
}

/** Rows that were never written. */
export interface Unwritten {
  /** The first of them. */
  readonly first: number;
  /** The last of those that follow the first without a gap. */
  readonly last: number;
  /** Chunks that are not there. */
  readonly chunks: number;
  /** Chunks that there should be. */
  readonly of: number;
}

/** The type of elements that are letters. */
export const TEXT = "text";

/** How Python makes numbers of text, the dataset being OLD: names of classes become numbers, and numbers in letters what they say. */
export function textConversion(as: DatasetUse): string {
  return as === "classes" ? "np.unique(OLD[:], return_inverse=True)[1]" : 'OLD[:].astype("f8")';
}

/**
 * How other numbers are made of a dataset, in Python.
 *
 * @param expression with OLD for the dataset
 */
export function pythonAdvice(module: DataFile["module"], name: string, expression: string): string {
  return `In ${module}: new["${name}"] = ${expression.replace("OLD", () => `old["${name}"]`)}`;
}
