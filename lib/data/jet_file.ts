/**
 * @file Data sets of jet images: which datasets of a file hold images, labels, masses and momenta.
 *
 * Images may be stored channels last (N, S, S, C), as published, channels first (N, C, S, S), or without an axis for
 * their one channel (N, S, S); labels, masses and momenta as (N) or (N, 1). Numbers may be floats or integers of any
 * size and byte order.
 */

import { listed } from "../format.ts";
import { DataError } from "./errors.ts";
import { type DatasetInfo, Hdf5File, type Unwritten } from "./hdf5.ts";
import type { Hdf5Dataset } from "./hdf5/dataset.ts";
import type { ImageGroup, JetLayout } from "./image_group.ts";
import { scanImages } from "./jet_images.ts";
import { isOneHot } from "./labels.ts";

/** Names to look for, in order, where the user gives none. */
const CANDIDATES: Readonly<Record<JetQuantity, readonly string[]>> = {
  images: ["jet", "X_jets", "images"],
  labels: ["Y", "y", "labels"],
  mass: ["m", "mass"],
  pt: ["pT", "pt"],
};

/** What a data set may hold. */
export type JetQuantity = "images" | "labels" | "mass" | "pt";

/** What a data set may hold once for each image. */
export type JetScalar = Exclude<JetQuantity, "images">;

/** Names of datasets given by the user. */
export type JetNames = Partial<Record<JetQuantity, string>>;

/** An open file of jet images. */
export class JetFile implements JetLayout {
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
  readonly #hdf5: Hdf5File;
  readonly #names: JetNames;
  readonly #images: Hdf5Dataset;

  private constructor(hdf5: Hdf5File, names: JetNames) {
    this.path = hdf5.path;
    this.#hdf5 = hdf5;
    this.#names = names;
    this.#images = hdf5.dataset(this.#find("images"));
    const { shape, name, storage } = this.images;
    const fail = (why: string) => new DataError(`${this.path}: dataset "${name}" ${why}`);
    this.#images.check();
    const layout = layoutOf(shape);
    if (typeof layout === "string") throw fail(`has shape (${shape.join(", ")}); ${layout}`);
    ({ count: this.count, size: this.size, channels: this.channels, channelsFirst: this.channelsFirst } = layout);
    if (this.count === 0) throw fail("holds no image");
    if (this.size === 0 || this.channels === 0) throw fail(`has shape (${shape.join(", ")}): its images hold no numbers`);
    if (storage === "virtual") {
      throw fail("is virtual: its images are parts of other datasets. 'h5repack -l CONTI in.h5 out.h5' writes them into one");
    }
  }

  /**
   * Opens a file and finds its images.
   *
   * @param names datasets to use instead of the usual names
   * @throws {DataError} if the file holds no images
   */
  static async open(path: string, names: JetNames = {}): Promise<JetFile> {
    const hdf5 = await Hdf5File.open(path);
    try {
      return new JetFile(hdf5, names);
    } catch (error) {
      hdf5[Symbol.dispose]();
      throw error;
    }
  }

  /** The dataset of the images. */
  get images(): DatasetInfo {
    return this.#images.info;
  }

  /** Images of chunks that were never written; undefined if there are none. */
  get unwritten(): Unwritten | undefined {
    return this.#images.unwritten;
  }

  /** What an image of nothing but fill values holds in every place. */
  get fill(): number {
    return this.#images.fill;
  }

  /** True if the file has such a dataset. */
  has(quantity: JetQuantity): boolean {
    return this.#lookUp(quantity) !== undefined;
  }

  /**
   * Reads images, a few at a time, whatever the storage: each part of the file once.
   *
   * @param wanted numbers of the images, rising
   * @returns groups in this order; each is overwritten by the next
   * @throws {DataError} if the file cannot be read there
   */
  scan(wanted: ArrayLike<number>): Generator<ImageGroup> {
    return scanImages(this, this.#images, wanted);
  }

  /**
   * Reads one number for each image.
   *
   * @throws {DataError} if the file has no such dataset, or of another shape, or with rows never written or not finite
   */
  readScalars(quantity: JetScalar): Float64Array {
    const dataset = this.#hdf5.dataset(this.#find(quantity));
    const { name, shape } = dataset.info;
    const fail = (why: string) => new DataError(`${this.path}: dataset "${name}" ${why}`);
    dataset.check();
    if (shape[0] !== this.count || shape.slice(1).some((n) => n !== 1)) {
      const isTable = quantity === "labels" && shape.length === 2 && shape[0] === this.count && shape[1]! <= MOST_CLASSES;
      if (isTable && isOneHot(dataset.readNumbers(), shape[1]!)) {
        throw fail(
          `is one-hot, ${shape[1]} columns for each image. In h5py: new["${name}"] = old["${name}"][:].argmax(1)`,
        );
      }
      const elements = shape.reduce((product, n) => product * n, 1);
      const how = elements === this.count
        ? "[:].reshape(-1)"
        : shape.length === 2 && shape[0] === this.count
        ? "[:, 0]"
        : undefined;
      throw fail(
        `has shape (${shape.join(", ")}); expected (${this.count}) or (${this.count}, 1): one number for each image` +
          (how ? `. In h5py: new["${name}"] = old["${name}"]${how}` : ""),
      );
    }
    const values = dataset.readNumbers();
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) throw fail(`holds ${values[bad]} at row ${bad}. Remove such rows`);
    return values;
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#hdf5[Symbol.dispose]();
  }

  /** The dataset that a name given by the user leads to, or the first of the usual ones; a link counts, wherever it leads. */
  #lookUp(quantity: JetQuantity): string | undefined {
    const wanted = this.#names[quantity];
    if (wanted !== undefined) return this.#hdf5.kind(wanted) === "nothing" ? undefined : wanted;
    return CANDIDATES[quantity].find((name) => ["dataset", "link", "unreadable"].includes(this.#hdf5.kind(name)));
  }

  #find(quantity: JetQuantity): string {
    const found = this.#lookUp(quantity);
    if (found !== undefined) return found;
    const wanted = this.#names[quantity] ?? CANDIDATES[quantity].join(" or ");
    throw new DataError(
      `${this.path}: there is no dataset ${wanted} for ${quantity}; the file holds ${listed(this.#hdf5.names) || "no datasets"}. ` +
        `Name the right one with data.keys.${quantity}`,
    );
  }
}

/** Columns of a table of labels that may be one-hot. */
const MOST_CLASSES = 1000;

type Layout = Omit<JetLayout, "path">;

/** What the axes of images are, or what is wrong with them. */
function layoutOf(shape: readonly number[]): Layout | string {
  const [count = 0, a, b, c] = shape;
  if (shape.length === 3 && a === b) return { count, size: a!, channels: 1, channelsFirst: false };
  if (shape.length === 2) {
    return `images have four axes: (N, size, size, channels). Store x.reshape(${count}, size, size, channels), ${a} values an image`;
  }
  if (shape.length !== 4) {
    return shape.length === 3 ? "the images must be square" : "images have four axes: (N, size, size, channels)";
  }
  if (a === b) return { count, size: a!, channels: c!, channelsFirst: false };
  if (b === c) return { count, size: b!, channels: a!, channelsFirst: true };
  return "the images must be square";
}
