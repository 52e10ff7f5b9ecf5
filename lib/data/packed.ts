/** @file Sources of packed images: what a loader takes batches from, and images packed in memory. */

import { checksum, type Encoding, NonFiniteValue, pack, type PackedBatch } from "./entries.ts";

/** Sizes of the images of a data set. */
export interface ImageSize {
  /** Values of a pixel. */
  readonly channels: number;
  /** Pixels along eta and along phi. */
  readonly size: number;
}

/** Where batches come from. */
export interface ImageSource extends ImageSize {
  /** Number of images. */
  readonly count: number;
  /** How the entries are stored. */
  readonly encoding: Encoding;
  /** Words of all images together. */
  readonly words: number;
  /** Most words of any image. */
  readonly mostPerImage: number;
  /** Check sum of each image's words: what it is known by, see provenance.ts. */
  checks(): Promise<Uint32Array>;
  /** The images with these numbers, in this order. */
  batch(images: ArrayLike<number>): Promise<PackedBatch>;
}

/** Packed images in memory. */
export class PackedImages implements ImageSource {
  readonly channels: number;
  readonly size: number;
  readonly count: number;
  readonly encoding: Encoding;
  readonly mostPerImage: number;
  readonly #packed: PackedBatch;

  /** Takes images that are packed already. */
  constructor({ channels, size }: ImageSize, encoding: Encoding, packed: PackedBatch) {
    this.channels = channels;
    this.size = size;
    this.encoding = encoding;
    this.count = packed.offsets.length - 1;
    this.#packed = packed;
    this.mostPerImage = mostWords(packed.offsets);
  }

  /**
   * Packs dense images.
   *
   * @param images count * size * size * channels values, channels last
   * @throws {RangeError} if that is no whole number of images, or if a value is not finite
   */
  static fromDense(images: Float32Array, size: ImageSize): PackedImages {
    const count = images.length / (size.size * size.size * size.channels);
    if (!Number.isInteger(count)) {
      throw new RangeError(
        `${images.length} values are no whole number of images of ${size.size} x ${size.size} x ${size.channels}`,
      );
    }
    try {
      const small = pack(images, count, "u8");
      return small ? new PackedImages(size, "u8", small) : new PackedImages(size, "f32", pack(images, count, "f32")!);
    } catch (error) {
      throw error instanceof NonFiniteValue ? new RangeError(error.message) : error;
    }
  }

  get words(): number {
    return this.#packed.words.length;
  }

  checks(): Promise<Uint32Array> {
    const { offsets, words } = this.#packed;
    const checkOf = (_: unknown, i: number) => checksum(words.subarray(offsets[i], offsets[i + 1]));
    return Promise.resolve(Uint32Array.from({ length: this.count }, checkOf));
  }

  /** Numbers of the images whose words are these. */
  find(wanted: Uint32Array): number[] {
    const { offsets, words } = this.#packed;
    const isLike = (image: number) =>
      offsets[image + 1]! - offsets[image]! === wanted.length && wanted.every((word, i) => word === words[offsets[image]! + i]);
    return Array.from({ length: this.count }, (_, image) => image).filter(isLike);
  }

  batch(images: ArrayLike<number>): Promise<PackedBatch> {
    const { offsets, words } = this.#packed;
    return Promise.resolve(collect(images, this.count, (image) => words.subarray(offsets[image], offsets[image + 1])));
  }
}

/**
 * A batch from the words of its images.
 *
 * @param images numbers of the images
 * @param count number of images that there are
 * @param wordsOf the words of one of them
 * @throws {RangeError} if there is no such image
 */
export function collect(images: ArrayLike<number>, count: number, wordsOf: (image: number) => Uint32Array): PackedBatch {
  const parts = Array.from(images, (image) => {
    if (!(image >= 0 && image < count)) throw new RangeError(`There is no image ${image}: the data set has ${count}`);
    return wordsOf(image);
  });
  const offsets = new Uint32Array(parts.length + 1);
  parts.forEach((part, i) => offsets[i + 1] = offsets[i]! + part.length);
  const words = new Uint32Array(offsets[parts.length]!);
  parts.forEach((part, i) => words.set(part, offsets[i]));
  return { offsets, words };
}

/** Most words of any image. */
export function mostWords(offsets: ArrayLike<number>): number {
  let most = 0;
  for (let i = 1; i < offsets.length; i++) most = Math.max(most, offsets[i]! - offsets[i - 1]!);
  return most;
}
