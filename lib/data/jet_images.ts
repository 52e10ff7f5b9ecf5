/**
 * @file Reads images in whatever way they are stored, each part of the file once, in bounded memory.
 *
 * Rows that lie one after the other are read a few images at a time. Chunks that hold whole images are unpacked one by
 * one. Chunks may also hold a corner or a channel of thousands of images: then the non-zeros of all chunks of a band of
 * images are collected first, and images are put together from them.
 */

import { findNonZeros } from "./entries.ts";
import { DataError } from "./errors.ts";
import { placeOf } from "./hdf5/chunk_index.ts";
import type { Hdf5Dataset } from "./hdf5/dataset.ts";
import { InexactNumber, toFloat32 } from "./hdf5/numbers.ts";

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
const IMAGES_AT_ONCE = 8;
/** Non-zeros of a band of images that are kept in memory, 12 bytes each. */
const MOST_COLLECTED = 2 ** 24;

/**
 * Reads images, each part of the file once.
 *
 * @param wanted numbers of the images, rising
 * @returns groups in this order; each is overwritten by the next
 * @throws {DataError} if they cannot be read, or hold numbers that single precision cannot hold
 */
export function scanImages(file: JetLayout, images: Hdf5Dataset, wanted: ArrayLike<number>): Generator<ImageGroup> {
  return images.info.storage === "chunked" ? scanChunks(file, images, wanted) : scanRows(file, images, wanted);
}

function* scanRows(file: JetLayout, images: Hdf5Dataset, wanted: ArrayLike<number>): Generator<ImageGroup> {
  const rowBytes = images.info.size * valuesOf(file);
  // one buffer for all reads: the first touch of new memory takes longer than the read
  const buffer = new Uint8Array(Math.min(IMAGES_AT_ONCE, wanted.length) * rowBytes);
  for (const { first, count } of runs(wanted)) {
    images.readRows(first, count, buffer);
    yield { first, count, values: channelsLast(decode(file, images, buffer.subarray(0, count * rowBytes), first), file) };
  }
}

function* scanChunks(file: JetLayout, images: Hdf5Dataset, wanted: ArrayLike<number>): Generator<ImageGroup> {
  const { shape, chunks } = images.info;
  const rows = chunks![0]!;
  const whole = chunks!.slice(1).every((size, axis) => size === shape[axis + 1]);
  for (let at = 0, stop = 0; at < wanted.length; at = stop) {
    const band = Math.floor(wanted[at]! / rows);
    while (stop < wanted.length && Math.floor(wanted[stop]! / rows) === band) stop++;
    const inBand = Uint32Array.from({ length: stop - at }, (_, i) => wanted[at + i]!);
    yield* whole ? scanWholeImages(file, images, band, inBand) : scanBand(file, images, band, inBand);
  }
}

/** Images of a chunk that holds whole ones. */
function* scanWholeImages(file: JetLayout, images: Hdf5Dataset, band: number, wanted: Uint32Array): Generator<ImageGroup> {
  const start = band * images.info.chunks![0]!, rowBytes = images.info.size * valuesOf(file);
  const chunk = images.readChunk(band);
  for (const { first, count } of runs(wanted)) {
    const values = chunk
      ? decode(file, images, chunk.subarray((first - start) * rowBytes, (first - start + count) * rowBytes), first)
      : blank(file, images, count * valuesOf(file));
    yield { first, count, values: channelsLast(values, file) };
  }
}

/** Images of a band of chunks that hold parts of them; in halves if their non-zeros do not fit into memory. */
function* scanBand(file: JetLayout, images: Hdf5Dataset, band: number, wanted: Uint32Array): Generator<ImageGroup> {
  const found = collect(file, images, band, wanted);
  if (!found) {
    const half = Math.ceil(wanted.length / 2);
    yield* scanBand(file, images, band, wanted.subarray(0, half));
    yield* scanBand(file, images, band, wanted.subarray(half));
    return;
  }
  const perImage = valuesOf(file);
  const { starts, order } = found.byImage(wanted.length);
  const values = new Float32Array(Math.min(IMAGES_AT_ONCE, wanted.length) * perImage), bits = new Uint32Array(values.buffer);
  let at = 0;
  for (const { first, count } of runs(wanted)) {
    bits.fill(0);
    for (let i = 0; i < count; i++, at++) {
      for (let k = starts[at]!; k < starts[at + 1]!; k++) {
        bits[i * perImage + found.positions[order[k]!]!] = found.bits[order[k]!]!;
      }
    }
    yield { first, count, values: values.subarray(0, count * perImage) };
  }
}

/** The non-zeros of some images of a band; undefined if they are too many. */
function collect(file: JetLayout, images: Hdf5Dataset, band: number, wanted: Uint32Array): NonZeros | undefined {
  const { chunks, grid } = { chunks: images.info.chunks!, grid: images.chunks.grid };
  const [rows, ...sizes] = chunks as [number, ...number[]];
  const inImage = sizes.reduce((product, n) => product * n, 1), perBand = grid.slice(1).reduce((product, n) => product * n, 1);
  const start = band * rows;
  const slots = new Int32Array(rows).fill(-1);
  wanted.forEach((image, slot) => slots[image - start] = slot);
  const found = new NonZeros();
  for (let i = 0; i < perBand; i++) {
    const number = band * perBand + i;
    const bytes = images.readChunk(number);
    if (!bytes && images.fill === 0) continue;
    const values = bytes ? decode(file, images, bytes, start) : blank(file, images, rows * inImage);
    const places = placesOf(file, images.info.shape.slice(1), sizes, placeOf(i, grid.slice(1)));
    const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
    for (const k of findNonZeros(bits, 0, bits.length)) {
      const row = Math.floor(k / inImage);
      const slot = slots[row]!, position = places[k - row * inImage]!;
      if (slot >= 0 && position >= 0) found.add(slot, position, bits[k]!);
    }
    if (found.length > MOST_COLLECTED && wanted.length > 1) return undefined;
  }
  return found;
}

/** For each element of an image's part of a chunk its position in the image, channels last; -1 if it is outside. */
function placesOf(
  { size, channels, channelsFirst }: JetLayout,
  shape: readonly number[],
  chunk: readonly number[],
  place: readonly number[],
): Int32Array {
  const strides = channelsFirst ? [1, size * channels, channels] : [size * channels, channels, 1];
  return Int32Array.from({ length: chunk.reduce((product, n) => product * n, 1) }, (_, i) => {
    const at = placeOf(i, chunk).map((inside, axis) => place[axis]! * chunk[axis]! + inside);
    return at.every((index, axis) => index < shape[axis]!) ? at.reduce((sum, index, axis) => sum + index * strides[axis]!, 0) : -1;
  });
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

function valuesOf({ size, channels }: Pick<JetLayout, "size" | "channels">): number {
  return size * size * channels;
}

/** Runs of numbers that follow one another, a few at a time. */
function* runs(wanted: ArrayLike<number>): Generator<{ first: number; count: number }> {
  for (let at = 0, count = 1; at < wanted.length; at += count) {
    for (count = 1; count < IMAGES_AT_ONCE && wanted[at + count] === wanted[at]! + count; count++);
    yield { first: wanted[at]!, count };
  }
}

/** The fill value, which stands for what was never written. */
function blank({ path }: JetLayout, { info, fill, unwritten }: Hdf5Dataset, count: number): Float32Array<ArrayBuffer> {
  if (Number.isFinite(fill)) return new Float32Array(count).fill(fill);
  const { first, last } = unwritten!;
  throw new DataError(
    `${path}: dataset "${info.name}" was never written in rows ${first} to ${last}, and ${fill} stands for its values. Leave these out`,
  );
}

/** Numbers of images in single precision; the first belong to image `first`. */
function decode(file: JetLayout, { info }: Hdf5Dataset, bytes: Uint8Array<ArrayBuffer>, first: number): Float32Array<ArrayBuffer> {
  try {
    return toFloat32(bytes, info);
  } catch (error) {
    if (!(error instanceof InexactNumber)) throw error;
    const perImage = (info.chunks ?? info.shape).slice(1).reduce((product, n) => product * n, 1);
    throw new DataError(
      `${file.path}: dataset "${info.name}": image ${first + Math.floor(error.index / perImage)} holds ${error.value}, ` +
        "which single precision cannot hold. Scale the images",
    );
  }
}

/** (N, C, S, S) to (N, S, S, C). */
function channelsLast(images: Float32Array<ArrayBuffer>, { channels, size, channelsFirst }: JetLayout): Float32Array<ArrayBuffer> {
  if (!channelsFirst) return images;
  const out = new Float32Array(images.length);
  const pixels = size * size;
  for (let base = 0; base < images.length; base += pixels * channels) {
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < pixels; p++) out[base + p * channels + c] = images[base + c * pixels + p]!;
    }
  }
  return out;
}
