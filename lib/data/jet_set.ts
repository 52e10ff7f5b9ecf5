/**
 * @file The images of several files as if they were those of one: a file for each process, or for each period of data taking.
 *
 * Images are counted through all files, in their order. The files may be of different formats and name their datasets
 * differently; what has to agree is the size of the images. A class may come from the file: then its labels are not looked at.
 */

import { listed } from "../format.ts";
import type { Unwritten } from "./data_file.ts";
import { DataError } from "./errors.ts";
import { type Fingerprint, sha256 } from "./fingerprint.ts";
import type { ImageGroup } from "./image_group.ts";
import type { JetFile } from "./jet_file.ts";
import type { JetPart, Jets, JetScalar } from "./jets.ts";

/** Images of several files, one file after the other. */
export class JetSet implements Jets {
  readonly path: string;
  readonly count: number;
  readonly size: number;
  readonly channels: number;
  readonly #files: readonly JetFile[];
  readonly #classes: readonly number[] | undefined;
  /** Number of the first image of each file. */
  readonly #starts: readonly number[];

  private constructor(path: string, files: readonly JetFile[], classes: readonly number[] | undefined) {
    this.path = path;
    this.#files = files;
    this.#classes = classes;
    let count = 0;
    this.#starts = files.map((file) => (count += file.count) - file.count);
    this.count = count;
    ({ size: this.size, channels: this.channels } = files[0]!);
  }

  /**
   * Takes open files, which are closed with the set, or if this throws.
   *
   * @param path what the set is called in messages
   * @param classes class of all images of each file; the files' own labels if not given
   * @throws {DataError} if their images have different sizes, or two are copies of one another
   */
  static async of(path: string, files: readonly JetFile[], classes?: readonly number[]): Promise<JetSet> {
    try {
      checkSizes(files);
      await checkCopies(files);
      return new JetSet(path, files, classes);
    } catch (error) {
      files.forEach((file) => file[Symbol.dispose]());
      throw error;
    }
  }

  get fills(): readonly number[] {
    return this.#files.flatMap(({ fills }) => fills);
  }

  get assumption(): string | undefined {
    const of = this.#files.filter(({ assumption }) => assumption !== undefined);
    return of.length === 0 ? undefined : `${of[0]!.assumption} (of ${listed(of.map(({ path }) => path))})`;
  }

  get unwritten(): Unwritten | undefined {
    const of = this.#files.flatMap(({ unwritten }, i) => unwritten ? [{ ...unwritten, start: this.#starts[i]! }] : []);
    const [first] = of;
    if (!first) return undefined;
    const total = (count: (part: Unwritten) => number) => of.reduce((sum, part) => sum + count(part), 0);
    return {
      first: first.start + first.first,
      last: first.start + first.last,
      chunks: total(({ chunks }) => chunks),
      of: total(({ of }) => of),
    };
  }

  get parts(): readonly JetPart[] {
    return this.#files.flatMap(({ parts }) => parts);
  }

  has(quantity: JetScalar): boolean {
    return (quantity === "labels" && this.#classes !== undefined) || this.#files.some((file) => file.has(quantity));
  }

  readScalars(quantity: JetScalar): Float64Array {
    const all = new Float64Array(this.count), classes = quantity === "labels" ? this.#classes : undefined;
    this.#files.forEach((file, i) => {
      const start = this.#starts[i]!;
      if (classes) all.fill(classes[i]!, start, start + file.count);
      else all.set(file.readScalars(quantity), start);
    });
    return all;
  }

  unitOf(quantity: JetScalar): string | undefined {
    const [first, ...others] = this.#files.map((file) => ({ path: file.path, unit: file.unitOf(quantity) }));
    const other = others.find(({ unit }) => unit !== first!.unit);
    if (!other) return first!.unit;
    const [here, there] = [first!, other].map(({ path, unit }) => `${unit === undefined ? "of no unit" : `in ${unit}`} in ${path}`);
    throw new DataError(`${quantity.replace(/^target /, "")} is ${here}, and ${there}. Store it in one unit`);
  }

  async *scan(wanted: ArrayLike<number>): AsyncGenerator<ImageGroup> {
    for (let at = 0; at < wanted.length;) {
      const [i, start] = this.#fileOf(wanted[at]!), file = this.#files[i]!, inside: number[] = [];
      while (at < wanted.length && wanted[at]! < start + file.count) inside.push(wanted[at++]! - start);
      for await (const group of file.scan(inside)) yield { ...group, first: start + group.first };
    }
  }

  nameOf(image: number): string {
    const [i, start] = this.#fileOf(image);
    return this.#files[i]!.nameOf(image - start);
  }

  async fingerprint(): Promise<Fingerprint> {
    const of = await Promise.all(this.#files.map((file) => file.fingerprint()));
    const distinct = (values: readonly string[]) => [...new Set(values)].join("; ");
    return {
      path: this.path,
      size: of.reduce((sum, { size }) => sum + size, 0),
      modified: Math.max(...of.map(({ modified }) => modified)),
      dataset: distinct(of.map(({ dataset }) => dataset)),
      shape: [this.count, this.size, this.size, this.channels],
      layout: distinct(of.map(({ layout }) => layout)),
      sample: await sha256(JSON.stringify(of)),
    };
  }

  /** Closes the files. */
  [Symbol.dispose](): void {
    this.#files.forEach((file) => file[Symbol.dispose]());
  }

  /** The file that holds an image, and the number of its first. */
  #fileOf(image: number): [file: number, start: number] {
    const i = this.#starts.findLastIndex((start) => start <= image);
    return [i, this.#starts[i]!];
  }
}

function checkSizes(files: readonly JetFile[]): void {
  const [first] = files, sizes = ({ size, channels }: JetFile) => `${size} x ${size} with ${channels} channels`;
  const other = files.find((file) => sizes(file) !== sizes(first!));
  if (!other) return;
  throw new DataError(
    `${other.path}: its images are ${sizes(other)}, and those of ${first!.path} are ${sizes(first!)}. ` +
      "Files that are read together need images of one size",
  );
}

/** Images that are there twice would be trained on and tested on. */
async function checkCopies(files: readonly JetFile[]): Promise<void> {
  const seen = new Map<string, string>();
  for (const file of files) {
    const { size, sample } = await file.fingerprint(), known = seen.get(`${size} ${sample}`);
    if (known !== undefined) throw new DataError(`${file.path}: it is a copy of ${known}. Name one of them alone`);
    seen.set(`${size} ${sample}`, file.path);
  }
}
