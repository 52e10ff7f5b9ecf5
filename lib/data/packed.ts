/**
 * @file Packed images: the non-zeros alone.
 *
 * 98.8 % of the published images' values are zero. Packed, an image is a list of (position, value) with
 * position = (row * size + column) * channels + channel: 12 kB instead of 500 kB, and lossless, for every
 * value whose bits are not all zero is kept.
 */

import { DataError } from "./errors.ts";
import type { JetFile } from "./jet_file.ts";

/** Images of one size, packed. */
export interface PackedBatch {
  /** (count + 1): where the entries of each image start. */
  readonly offsets: Uint32Array;
  /** Positions, rising within an image. */
  readonly index: Uint32Array;
  /** Values. */
  readonly value: Float32Array;
}

/** Sizes of the images of a data set. */
export interface ImageSize {
  /** Values of a pixel. */
  readonly channels: number;
  /** Pixels along eta and along phi. */
  readonly size: number;
}

/** Where a loader takes images from. */
export interface ImageSource extends ImageSize {
  /** Number of images. */
  readonly count: number;
  /** Most entries of any image. */
  readonly mostPerImage: number;
  /** The images with these numbers, in this order. */
  batch(images: ArrayLike<number>): PackedBatch;
}

/** Told how many images of how many are done. */
export type Progress = (done: number, total: number) => void;

/** Packed images in memory. */
export class PackedImages implements ImageSource {
  /** Values of a pixel. */
  readonly channels: number;
  /** Pixels along eta and along phi. */
  readonly size: number;
  readonly #chunks: readonly PackedBatch[];
  readonly #perChunk: number;
  /** Number of images. */
  readonly count: number;
  readonly mostPerImage: number;

  private constructor({ channels, size }: ImageSize, chunks: readonly PackedBatch[], perChunk: number) {
    this.channels = channels;
    this.size = size;
    this.#chunks = chunks;
    this.#perChunk = perChunk;
    this.count = chunks.reduce((sum, { offsets }) => sum + offsets.length - 1, 0);
    let most = 0;
    for (const { offsets } of chunks) {
      for (let i = 1; i < offsets.length; i++) most = Math.max(most, offsets[i]! - offsets[i - 1]!);
    }
    this.mostPerImage = most;
  }

  /**
   * Reads and packs all images of a file.
   *
   * @throws {DataError} if an image holds a value that is not finite
   */
  static async read(file: JetFile, progress?: Progress): Promise<PackedImages> {
    const perChunk = 64;
    const chunks: PackedBatch[] = [];
    for (let first = 0; first < file.count; first += perChunk) {
      const count = Math.min(perChunk, file.count - first);
      const images = file.readImages(first, count);
      const packed = pack(file.channelsFirst ? channelsLast(images, file) : images, count);
      checkFinite(packed, file.path, first);
      chunks.push(packed);
      progress?.(first + count, file.count);
      // lets signals and timers in between two chunks
      await Promise.resolve();
    }
    return new PackedImages(file, chunks, perChunk);
  }

  /**
   * Packs dense images that are already in memory.
   *
   * @param images count * size * size * channels values, channels last
   */
  static fromDense(images: Float32Array, { channels, size }: ImageSize): PackedImages {
    const count = images.length / (size * size * channels);
    if (!Number.isInteger(count)) {
      throw new RangeError(`${images.length} values are no whole number of images of ${size} x ${size} x ${channels}`);
    }
    return new PackedImages({ channels, size }, [pack(images, count)], count);
  }

  batch(images: ArrayLike<number>): PackedBatch {
    const offsets = new Uint32Array(images.length + 1);
    const parts = Array.from(images, (image) => {
      const chunk = this.#chunks[Math.floor(image / this.#perChunk)];
      const at = image % this.#perChunk;
      if (!chunk || at + 1 >= chunk.offsets.length) {
        throw new RangeError(`There is no image ${image}: the data set has ${this.count}`);
      }
      return { chunk, start: chunk.offsets[at]!, stop: chunk.offsets[at + 1]! };
    });
    parts.forEach(({ start, stop }, i) => offsets[i + 1] = offsets[i]! + stop - start);
    const total = offsets[images.length]!;
    const index = new Uint32Array(total);
    const value = new Float32Array(total);
    parts.forEach(({ chunk, start, stop }, i) => {
      index.set(chunk.index.subarray(start, stop), offsets[i]);
      value.set(chunk.value.subarray(start, stop), offsets[i]);
    });
    return { offsets, index, value };
  }
}

/** Packs dense images: every value whose bits are not all zero, so that -0 survives too. */
export function pack(images: Float32Array, count: number): PackedBatch {
  const perImage = images.length / count;
  const bits = new Uint32Array(images.buffer, images.byteOffset, images.length);
  let total = 0;
  for (let i = 0; i < bits.length; i++) total += bits[i] === 0 ? 0 : 1;
  const offsets = new Uint32Array(count + 1);
  const index = new Uint32Array(total);
  const value = new Float32Array(total);
  let at = 0;
  for (let image = 0; image < count; image++) {
    const base = image * perImage;
    for (let i = 0; i < perImage; i++) {
      if (bits[base + i] !== 0) {
        index[at] = i;
        value[at++] = images[base + i]!;
      }
    }
    offsets[image + 1] = at;
  }
  return { offsets, index, value };
}

/** (N, C, S, S) to (N, S, S, C). */
function channelsLast(images: Float32Array, { channels, size }: ImageSize): Float32Array {
  const out = new Float32Array(images.length);
  const pixels = size * size;
  for (let base = 0; base < images.length; base += pixels * channels) {
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < pixels; p++) out[base + p * channels + c] = images[base + c * pixels + p]!;
    }
  }
  return out;
}

function checkFinite({ offsets, value }: PackedBatch, path: string, first: number): void {
  const bad = value.findIndex((v) => !Number.isFinite(v));
  if (bad < 0) return;
  const image = first + offsets.findIndex((start) => start > bad) - 1;
  throw new DataError(`${path}: image ${image} holds ${value[bad]}. Remove that image or set the value to 0`);
}
