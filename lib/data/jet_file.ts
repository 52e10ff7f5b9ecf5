/**
 * @file Data sets of jet images: which datasets of a file hold images, labels, masses and momenta.
 *
 * Images may be stored channels last (N, S, S, C), as published, channels first (N, C, S, S), or without an axis for
 * their one channel (N, S, S); labels, masses and momenta as (N) or (N, 1). Numbers may be floats or integers of any
 * size and byte order. The formats of the files are in formats.ts.
 */

import { listed } from "../format.ts";
import type { SourceState } from "../io/source.ts";
import { type DataFile, type Dataset, type DatasetInfo, pythonAdvice, type Unwritten } from "./data_file.ts";
import { DataError } from "./errors.ts";
import { type Fingerprint, fingerprint } from "./fingerprint.ts";
import { elementsOf } from "./boxes.ts";
import type { ImageGroup, JetLayout } from "./image_group.ts";
import { scanImages } from "./jet_images.ts";
import type { JetNames, JetPart, JetQuantity, Jets, JetScalar } from "./jets.ts";
import { isOneHot } from "./labels.ts";

/** Names to look for where the user gives none. */
const CANDIDATES: Readonly<Record<Exclude<keyof JetNames, "targets">, readonly string[]>> = {
  images: ["jet", "X_jets", "images"],
  labels: ["Y", "y", "labels"],
  mass: ["m", "mass"],
  pt: ["pT", "pt"],
  // what is called a weight may be that of another selection: it has to be named
  weight: [],
};

/** An open file of jet images. */
export class JetFile implements JetLayout, Jets {
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
  /** What was taken for granted about the images, in words, if anything was. */
  readonly assumption: string | undefined;
  readonly #data: DataFile;
  readonly #names: JetNames;
  readonly #images: Dataset;
  readonly #opened: SourceState;

  private constructor(data: DataFile, names: JetNames) {
    this.path = data.path;
    this.#data = data;
    this.#names = names;
    this.#opened = data.file.state();
    this.#images = this.#find("images", (shape) => typeof layoutOf(shape) === "object");
    const { shape, name } = this.images;
    const fail = (why: string) => new DataError(`${this.path}: dataset "${name}" ${why}`);
    this.#images.check("rows");
    const layout = layoutOf(shape);
    if (typeof layout === "string") throw fail(`has shape (${shape.join(", ")}); ${layout}`);
    ({ count: this.count, size: this.size, channels: this.channels, channelsFirst: this.channelsFirst } = layout);
    if (this.count === 0) throw fail("holds no image");
    if (this.size === 0 || this.channels === 0) throw fail(`has shape (${shape.join(", ")}): its images hold no numbers`);
    const isAmbiguous = shape.length === 4 && shape[1] === shape[2] && shape[2] === shape[3] && shape[1]! > 1;
    this.assumption = isAmbiguous
      ? `the images of "${name}" have shape (${shape.join(", ")}): the last axis is taken for the channels, though it may be any`
      : undefined;
  }

  /**
   * Finds the images of a file, which is closed with it, or if this throws.
   *
   * @param names datasets to use instead of the usual names
   * @throws {DataError} if the file holds no images
   */
  static of(data: DataFile, names: JetNames = {}): JetFile {
    try {
      return new JetFile(data, names);
    } catch (error) {
      data[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * The dataset of the images.
   *
   * @internal
   */
  get images(): DatasetInfo {
    return this.#images.info;
  }

  /**
   * Images of chunks that were never written; undefined if there are none.
   *
   * @internal
   */
  get unwritten(): Unwritten | undefined {
    return this.#images.unwritten;
  }

  /** What an image of nothing but fill values holds in every place. */
  get fill(): number {
    return this.#images.fill;
  }

  /** The same in a list, for files that are read together. */
  get fills(): readonly number[] {
    return [this.fill];
  }

  /** The file itself, for files that are read together. */
  get parts(): readonly JetPart[] {
    return [{ path: this.path, count: this.count }];
  }

  /** File, dataset and number of an image, in words. */
  nameOf(image: number): string {
    return `${this.path}: dataset "${this.images.name}": image ${image}`;
  }

  /** True if the file has such a dataset. */
  has(quantity: JetQuantity): boolean {
    return this.#namesOf(quantity).length > 0;
  }

  /**
   * Reads images, a few at a time, whatever the storage: each part of the file once.
   *
   * @param wanted numbers of the images, rising
   * @returns groups in this order; each is overwritten by the next
   * @throws {DataError} if the file cannot be read there, or has changed since it was opened
   * @internal
   */
  async *scan(wanted: ArrayLike<number>): AsyncGenerator<ImageGroup> {
    yield* scanImages(this, this.#images, wanted);
    this.#checkUnchanged();
  }

  /**
   * Reads one number for each image.
   *
   * @throws {DataError} if the file has no such dataset, or of another shape, or with rows never written or not finite
   */
  readScalars(quantity: JetScalar): Float64Array {
    const dataset = this.#find(quantity, (shape) => this.#isColumn(shape));
    const { name, shape } = dataset.info;
    const fail = (why: string) => new DataError(`${this.path}: dataset "${name}" ${why}`);
    const advice = (expression: string) => `. ${pythonAdvice(this.#data.module, name, expression)}`;
    dataset.check(quantity === "labels" ? "classes" : "numbers");
    if (!this.#isColumn(shape)) {
      const isTable = shape.length === 2 && shape[0] === this.count;
      if (quantity === "labels" && isTable && shape[1]! <= MOST_CLASSES && isOneHot(dataset.readNumbers(), shape[1]!)) {
        throw fail(`is one-hot, ${shape[1]} columns for each image${advice("OLD[:].argmax(1)")}`);
      }
      const how = elementsOf(shape) === this.count ? "OLD[:].reshape(-1)" : isTable ? "OLD[:, 0]" : undefined;
      throw fail(
        `has shape (${shape.join(", ")}); expected (${this.count}) or (${this.count}, 1): one number for each image` +
          (how ? advice(how) : ""),
      );
    }
    const values = dataset.readNumbers();
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) throw fail(`holds ${values[bad]} at row ${bad}. Remove such rows`);
    this.#checkUnchanged();
    return values;
  }

  unitOf(quantity: JetScalar): string | undefined {
    return this.has(quantity) ? this.#find(quantity, (shape) => this.#isColumn(shape)).unit : undefined;
  }

  /** Names of the datasets that hold one number for each image. */
  get columns(): string[] {
    return this.#data.names.filter((name) => {
      const { info } = this.#attempt(name) ?? {};
      return info?.format !== undefined && this.#isColumn(info.shape);
    });
  }

  /** What tells this state of the file from others. */
  fingerprint(): Promise<Fingerprint> {
    return fingerprint(this.#data, this.#images);
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#data[Symbol.dispose]();
  }

  /** The name given by the user, or the usual ones, and the key that gives it. */
  #wanted(quantity: JetQuantity): { given?: string | undefined; candidates: readonly string[]; key: keyof JetNames } {
    const [, target] = /^target (.*)$/s.exec(quantity) ?? [], key = quantity as keyof typeof CANDIDATES;
    if (target !== undefined) return { given: target, candidates: [], key: "targets" };
    return { given: this.#names[key], candidates: CANDIDATES[key], key };
  }

  /** The name given by the user, or all of the usual ones; of those that there are. */
  #namesOf(quantity: JetQuantity): string[] {
    const { given, candidates } = this.#wanted(quantity);
    return given === undefined
      ? candidates.filter((name) => this.#data.kind(name) === "dataset")
      : [given].filter((name) => this.#data.kind(name) !== "nothing");
  }

  /** The dataset that the user names, or the only one of a usual name whose numbers and shape fit. */
  #find(quantity: JetQuantity, fits: (shape: readonly number[]) => boolean): Dataset {
    const names = this.#namesOf(quantity);
    if (names.length === 0) {
      const { given, candidates, key } = this.#wanted(quantity), what = key === "targets" ? "a target" : quantity;
      throw new DataError(
        `${this.path}: there is no dataset ${given ?? candidates.join(" or ")} for ${what}; the file holds ${
          listed(this.#data.names) || "no datasets"
        }. ` +
          (this.#data.advice ?? `Name the right one with data.keys.${key}`),
      );
    }
    const all = names.map((name) => ({ name, dataset: names.length > 1 ? this.#attempt(name) : undefined }));
    // beside one that can be opened, one that cannot may be the one that is meant
    const fitting = all.filter(({ dataset }) => !dataset || (dataset.info.format && fits(dataset.info.shape)));
    const places = new Map(fitting.map(({ name, dataset }) => [dataset?.place ?? name, name]));
    const [first = names[0]!, second] = places.values();
    if (second === undefined || all.every(({ dataset }) => !dataset)) return this.#data.dataset(first);
    throw new DataError(
      `${this.path}: "${first}" and "${second}" may both be the ${quantity}. ` +
        `Choose with data.keys.${quantity}, or --${quantity} of deno task inspect`,
    );
  }

  #attempt(name: string): Dataset | undefined {
    try {
      return this.#data.dataset(name);
    } catch (error) {
      if (error instanceof DataError) return undefined;
      throw error;
    }
  }

  /** True for one number for each image. */
  #isColumn(shape: readonly number[]): boolean {
    return shape[0] === this.count && elementsOf(shape) === this.count;
  }

  /** What was read before a change and after it does not belong together. */
  #checkUnchanged(): void {
    const { size, modified } = this.#data.file.state();
    if (size === this.#opened.size && modified === this.#opened.modified) return;
    throw new DataError(
      `${this.path}: the file was changed while it was read. Wait until nothing writes it, then run the same command again`,
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
  if (shape.length === 4 && a === b) return { count, size: a!, channels: c!, channelsFirst: false };
  if (shape.length === 4 && b === c) return { count, size: b!, channels: a!, channelsFirst: true };
  const order = "(N, size, size, channels) or (N, channels, size, size)";
  return shape.length === 3 || shape.length === 4
    ? `the images must be square: ${order}. Reorder the axes (np.moveaxis), or fill the images up with zeros (np.pad)`
    : `images have four axes: ${order}. Reshape or index the dataset`;
}
