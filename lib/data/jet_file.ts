/**
 * @file Data sets of jet images: which datasets of a file hold images, labels, masses and momenta.
 *
 * Images may be stored channels last (N, S, S, C), as published, or channels first (N, C, S, S); labels as
 * (N) or (N, 1). Numbers may be floats or integers of any size and byte order.
 */

import { formatBytes } from "../format.ts";
import { readAt } from "../io/files.ts";
import { DataError } from "./errors.ts";
import { type DatasetInfo, Hdf5File } from "./hdf5.ts";

/** Names to look for, in order, where the user gives none. */
const CANDIDATES: Readonly<Record<JetQuantity, readonly string[]>> = {
  images: ["jet", "X_jets", "images"],
  labels: ["Y", "y", "labels"],
  mass: ["m", "mass"],
  pt: ["pT", "pt"],
};

/** No compression of HDF5 makes images smaller than this; gzip reaches 1032 on zeros alone. */
const MOST_COMPRESSION = 1100;

/** What a data set may hold. */
export type JetQuantity = "images" | "labels" | "mass" | "pt";

/** What a data set may hold once for each image. */
export type JetScalar = Exclude<JetQuantity, "images">;

/** Names of datasets given by the user. */
export type JetNames = Partial<Record<JetQuantity, string>>;

/** An open file of jet images. */
export class JetFile {
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
  /** The dataset of the images. */
  readonly images: DatasetInfo;
  readonly #hdf5: Hdf5File;
  readonly #names: JetNames;
  #buffer = new Uint8Array(0);
  readonly #raw: { readonly file: Deno.FsFile; readonly offset: number } | undefined;

  private constructor(hdf5: Hdf5File, names: JetNames) {
    this.path = hdf5.path;
    this.#hdf5 = hdf5;
    this.#names = names;
    this.images = hdf5.info(this.#find("images"));
    const { shape, kind, name } = this.images;
    const fail = (why: string) => {
      throw new DataError(`${this.path}: dataset "${name}" ${why}`);
    };
    if (kind === "other") fail("does not hold numbers");
    if (shape.length !== 4) fail(`has shape (${shape.join(", ")}); images have four axes: (N, size, size, channels)`);
    const [count, a, b, c] = shape as [number, number, number, number];
    if (count === 0) fail("holds no image");
    this.channelsFirst = a !== b && b === c;
    if (!this.channelsFirst && a !== b) fail(`has shape (${shape.join(", ")}); the images must be square`);
    [this.size, this.channels] = this.channelsFirst ? [b, a] : [a, c];
    this.count = count;
    const claimed = this.images.size * count * a * b * c;
    if (!(claimed <= MOST_COMPRESSION * hdf5.bytes)) {
      fail(
        `claims ${formatBytes(claimed)} of images, and the file has ${formatBytes(hdf5.bytes)}. It is damaged, or was never filled`,
      );
    }
    this.#raw = this.#openRaw();
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

  /** True if the file has such a dataset. */
  has(quantity: JetQuantity): boolean {
    return this.#lookUp(quantity) !== undefined;
  }

  /**
   * Reads images as floats in the file's order of axes.
   *
   * @returns count * size * size * channels values; a view that the next call overwrites
   * @throws {DataError} if the file cannot be read there
   */
  readImages(first: number, count: number): Float32Array {
    if (!this.#raw) return toFloat32(this.#hdf5.readRows(this.images, first, count), this.images);
    const { file, offset } = this.#raw;
    const rowBytes = 4 * this.size * this.size * this.channels;
    // one buffer for all reads: the first touch of new memory takes longer than the read
    if (this.#buffer.length < count * rowBytes) this.#buffer = new Uint8Array(count * rowBytes);
    const bytes = this.#buffer.subarray(0, count * rowBytes);
    const done = readAt(file, offset + first * rowBytes, bytes);
    if (done < bytes.length) {
      throw new DataError(
        `${this.path}: the file ended while image ${first + Math.floor(done / rowBytes)} was read. Copy or download it again`,
      );
    }
    return new Float32Array(bytes.buffer, 0, bytes.length / 4);
  }

  /**
   * Reads one number for each image.
   *
   * @throws {DataError} if the file has no such dataset, or of another length, or with values that are not finite
   */
  readScalars(quantity: JetScalar): Float64Array {
    const info = this.#hdf5.info(this.#find(quantity));
    const elements = info.shape.reduce((product, n) => product * n, 1);
    if (info.kind === "other" || elements !== this.count) {
      throw new DataError(
        `${this.path}: dataset "${info.name}" has shape (${
          info.shape.join(", ")
        }); expected ${this.count} numbers, one for each image`,
      );
    }
    const values = toFloat64(this.#hdf5.readRows(info, 0, info.shape[0]!), info);
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) throw new DataError(`${this.path}: dataset "${info.name}" holds ${values[bad]} at row ${bad}. Remove such rows`);
    return values;
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#raw?.file.close();
    this.#hdf5[Symbol.dispose]();
  }

  /** Contiguous little-endian float32 is read as raw bytes, after a comparison with libhdf5 on a few images. */
  #openRaw(): { file: Deno.FsFile; offset: number } | undefined {
    const { kind, size, littleEndian } = this.images;
    if (kind !== "float" || size !== 4 || !littleEndian) return undefined;
    const offset = this.#hdf5.contiguousOffset(this.images);
    if (offset === undefined) return undefined;
    const file = Deno.openSync(this.path);
    const rowBytes = 4 * this.size * this.size * this.channels;
    const raw = new Uint8Array(rowBytes);
    for (const row of new Set([0, Math.floor(this.count / 2), this.count - 1])) {
      const expected = this.#hdf5.readRows(this.images, row, 1);
      const done = readAt(file, offset + row * rowBytes, raw);
      if (done < rowBytes || raw.some((byte, i) => byte !== expected[i])) {
        file.close();
        return undefined;
      }
    }
    return { file, offset };
  }

  #lookUp(quantity: JetQuantity): string | undefined {
    const wanted = this.#names[quantity];
    const names = this.#hdf5.names;
    return wanted !== undefined ? names.find((name) => name === wanted) : CANDIDATES[quantity].find((name) => names.includes(name));
  }

  #find(quantity: JetQuantity): string {
    const found = this.#lookUp(quantity);
    if (found !== undefined) return found;
    const wanted = this.#names[quantity] ?? CANDIDATES[quantity].join(" or ");
    throw new DataError(
      `${this.path}: there is no dataset ${wanted} for ${quantity}; the file holds ${
        this.#hdf5.names.join(", ") || "no datasets"
      }. ` +
        `Name the right one with data.keys.${quantity}`,
    );
  }
}

function toFloat32(bytes: Uint8Array, info: DatasetInfo): Float32Array {
  if (info.kind === "float" && info.size === 4) {
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4).slice();
  }
  return Float32Array.from(toFloat64(bytes, info));
}

/** Numbers of any type; libhdf5 has already put their bytes in little-endian order. */
function toFloat64(bytes: Uint8Array, { kind, size, signed, name }: DatasetInfo): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const map = (get: (at: number) => number) => Float64Array.from({ length: bytes.length / size }, (_, i) => get(i * size));
  if (kind === "float") {
    if (size === 8) return map((at) => view.getFloat64(at, true));
    if (size === 4) return map((at) => view.getFloat32(at, true));
    if (size === 2) return map((at) => view.getFloat16(at, true));
  }
  if (kind === "integer") {
    if (size === 8) return map((at) => Number(signed ? view.getBigInt64(at, true) : view.getBigUint64(at, true)));
    if (size === 4) return map((at) => signed ? view.getInt32(at, true) : view.getUint32(at, true));
    if (size === 2) return map((at) => signed ? view.getInt16(at, true) : view.getUint16(at, true));
    if (size === 1) return map((at) => signed ? view.getInt8(at) : view.getUint8(at));
  }
  throw new DataError(`Dataset "${name}" holds ${kind} numbers of ${size} bytes, which cannot be read here`);
}
