/**
 * @file Images from chunks that hold parts of them: a corner or a channel of thousands of images, as h5py chooses them by itself.
 *
 * Images whose parts are in the same chunks are a band. The non-zeros of all chunks of a band are collected first, each chunk
 * being unpacked once, and images are put together from them. A band whose non-zeros do not fit into memory is read in halves.
 */

import type { Dataset } from "./data_file.ts";
import { decodeImages } from "./decode.ts";
import { findNonZeros } from "./entries.ts";
import { elementsOf, gridOf, placeOf } from "./boxes.ts";
import { blank, type ImageGroup, type JetLayout, runs, valuesOf } from "./image_group.ts";

/** Non-zeros that are kept in memory, 16 bytes each. */
const MOST_COLLECTED = 2 ** 23;
/** Elements of a chunk that are made numbers of at once. */
const ELEMENTS_AT_ONCE = 2 ** 20;

/** The bands of a dataset of images. */
export class ImageBands {
  readonly #file: JetLayout;
  readonly #images: Dataset;
  readonly #most: number;
  /** Chunks of a band along the axes of an image. */
  readonly #grid: readonly number[];
  /** Places of the elements of each chunk of a band; those of all bands are the same. */
  readonly #places = new Map<number, Int32Array>();

  /** @param most non-zeros that may be kept in memory, unless a single image has more */
  constructor(file: JetLayout, images: Dataset, most: number = MOST_COLLECTED) {
    this.#file = file;
    this.#images = images;
    this.#most = most;
    this.#grid = gridOf(images.info.shape, images.info.chunks!).slice(1);
  }

  /**
   * Reads images of a band.
   *
   * @param wanted numbers of the images, rising
   */
  *scan(band: number, wanted: Uint32Array): Generator<ImageGroup> {
    const found = this.#collect(band, wanted);
    if (!found) {
      const half = Math.ceil(wanted.length / 2);
      yield* this.scan(band, wanted.subarray(0, half));
      yield* this.scan(band, wanted.subarray(half));
      return;
    }
    const perImage = valuesOf(this.#file), { starts, order } = found.byImage(wanted.length);
    let at = 0;
    for (const { first, count } of runs(wanted)) {
      const values = new Float32Array(count * perImage), bits = new Uint32Array(values.buffer);
      for (let i = 0; i < count; i++, at++) {
        for (let k = starts[at]!; k < starts[at + 1]!; k++) {
          bits[i * perImage + found.positions[order[k]!]!] = found.bits[order[k]!]!;
        }
      }
      yield { first, count, values };
    }
  }

  /** The non-zeros of some images of a band; undefined if they are too many. */
  #collect(band: number, wanted: Uint32Array): NonZeros | undefined {
    const images = this.#images, { fill } = images;
    const [rows, ...sizes] = images.info.chunks as readonly [number, ...number[]];
    const inImage = elementsOf(sizes),
      start = band * rows,
      held = Math.min(rows, this.#file.count - start);
    const perBand = elementsOf(this.#grid);
    const slots = new Int32Array(held).fill(-1);
    wanted.forEach((image, slot) => slots[image - start] = slot);
    const found = new NonZeros();
    const step = Math.max(1, Math.floor(ELEMENTS_AT_ONCE / inImage));
    for (let i = 0; i < perBand; i++) {
      const chunk = images.readChunk!(band * perBand + i);
      if (!chunk && fill === 0) continue;
      const places = this.#placesOf(i, sizes);
      for (let row = 0; row < held; row += step) {
        const count = Math.min(step, held - row), bytes = inImage * images.info.size;
        const values = chunk
          ? decodeImages(this.#file.path, images.info, chunk.subarray(row * bytes, (row + count) * bytes), start + row)
          : blank(this.#file, images, count * inImage);
        const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
        for (const k of findNonZeros(bits, 0, bits.length)) {
          const inRow = k % inImage, slot = slots[row + (k - inRow) / inImage]!, place = places[inRow]!;
          if (slot >= 0 && place >= 0) found.add(slot, place, bits[k]!);
        }
        if (found.length > this.#most && wanted.length > 1) return undefined;
      }
    }
    return found;
  }

  /** For each element of an image's part of a chunk its position in the image, channels last; -1 if it is outside. */
  #placesOf(chunk: number, sizes: readonly number[]): Int32Array {
    const known = this.#places.get(chunk);
    if (known) return known;
    const { size, channels, channelsFirst } = this.#file, shape = this.#images.info.shape.slice(1);
    const strides = channelsFirst ? [1, size * channels, channels] : [size * channels, channels, 1];
    const place = placeOf(chunk, this.#grid);
    const places = Int32Array.from({ length: elementsOf(sizes) }, (_, i) => {
      const at = placeOf(i, sizes).map((inside, axis) => place[axis]! * sizes[axis]! + inside);
      return at.every((index, axis) => index < shape[axis]!)
        ? at.reduce((sum, index, axis) => sum + index * strides[axis]!, 0)
        : -1;
    });
    this.#places.set(chunk, places);
    return places;
  }
}

/** Non-zeros of some images, in the order in which they were found. */
class NonZeros {
  length = 0;
  positions = new Uint32Array(2 ** 16);
  bits = new Uint32Array(2 ** 16);
  #images = new Uint32Array(2 ** 16);

  add(image: number, position: number, bits: number): void {
    if (this.length === this.positions.length) {
      [this.positions, this.bits, this.#images] = [grown(this.positions), grown(this.bits), grown(this.#images)];
    }
    this.positions[this.length] = position;
    this.bits[this.length] = bits;
    this.#images[this.length++] = image;
  }

  /** Those of image i are order[starts[i]] to order[starts[i + 1] - 1]. */
  byImage(images: number): { starts: Uint32Array; order: Uint32Array } {
    const starts = new Uint32Array(images + 2), order = new Uint32Array(this.length);
    // counted two places on, and one place on while they are put in order, so that starts end up where they belong
    for (let k = 0; k < this.length; k++) starts[this.#images[k]! + 2]!++;
    for (let i = 2; i < starts.length; i++) starts[i]! += starts[i - 1]!;
    for (let k = 0; k < this.length; k++) order[starts[this.#images[k]! + 1]!++] = k;
    return { starts, order };
  }
}

function grown(values: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * values.length);
  larger.set(values);
  return larger;
}
