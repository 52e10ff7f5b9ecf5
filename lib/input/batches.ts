/** @file The adapter's copy of the images: the current batch, or the whole packed data set where it fits. */

import { type PackedBatch, WORDS_PER_ENTRY } from "../data/entries.ts";
import type { ImageSource } from "../data/packed.ts";
import type { Gpu } from "../gpu/device.ts";
import { Interrupted, type WorkOptions } from "../interrupted.ts";
import type { PackedTensors } from "../tensor/ops/images.ts";
import { createTensor, type PlacedTensor, write } from "../tensor/tensor.ts";

/** A whole data set on the adapter: a batch is then a list of ranges. */
export class ResidentImages {
  /** The words of all images. */
  readonly words: PlacedTensor;
  readonly #offsets: Uint32Array;

  private constructor(words: PlacedTensor, offsets: Uint32Array) {
    this.words = words;
    this.#offsets = offsets;
  }

  /**
   * Uploads a data set if it fits.
   *
   * @param share part of the largest binding that the adapter allows, 0 to 1, that the data set may take
   * @returns undefined if it does not fit
   * @throws {Interrupted} if the signal was aborted
   */
  static async load(
    gpu: Gpu,
    source: ImageSource,
    share: number,
    { progress, signal }: WorkOptions = {},
  ): Promise<ResidentImages | undefined> {
    const bytes = 4 * source.words;
    const { maxStorageBufferBindingSize, maxBufferSize } = gpu.limits;
    if (bytes > share * Math.min(maxStorageBufferBindingSize, maxBufferSize)) return undefined;
    const resident = new ResidentImages(
      createTensor(gpu, "all images", [Math.max(1, source.words)], "u32"),
      new Uint32Array(source.count + 1),
    );
    const { buffer } = resident.words.storage.place;
    const offsets = resident.#offsets;
    const atOnce = 256;
    for (let first = 0; first < source.count; first += atOnce) {
      if (signal?.aborted) throw new Interrupted("Stopped while uploading images");
      const numbers = Array.from({ length: Math.min(atOnce, source.count - first) }, (_, i) => first + i);
      const { offsets: inBatch, words } = await source.batch(numbers);
      const start = offsets[first]!;
      numbers.forEach((image, i) => offsets[image + 1] = start + inBatch[i + 1]!);
      if (words.length > 0) gpu.device.queue.writeBuffer(buffer, 4 * start, words as Uint32Array<ArrayBuffer>);
      progress?.(first + numbers.length, source.count);
    }
    return resident;
  }

  /** First word of an image, and the first after it. */
  rangeOf(image: number): [start: number, stop: number] {
    return [this.#offsets[image]!, this.#offsets[image + 1]!];
  }

  /** Frees the memory. */
  [Symbol.dispose](): void {
    this.words.storage.place.buffer.destroy();
  }
}

/** A batch that is ready to be uploaded. */
export interface StagedBatch {
  /** Numbers of its images. */
  readonly images: Uint32Array;
  /** Its words; absent if the whole data set is on the adapter. */
  readonly packed: PackedBatch | undefined;
}

/** Buffers for packed images, as large as the fullest batch of a data set may be. */
export class BatchBuffers {
  readonly #gpu: Gpu;
  readonly #source: ImageSource;
  readonly #resident: ResidentImages | undefined;
  /** The buffers as the kernels read them. */
  readonly tensors: PackedTensors;

  /**
   * Allocates the buffers.
   *
   * @param gpu device
   * @param source the data set
   * @param batch images in a batch
   * @param resident the data set as a whole, if it is on the adapter
   */
  constructor(gpu: Gpu, source: ImageSource, batch: number, resident?: ResidentImages) {
    this.#gpu = gpu;
    this.#source = source;
    this.#resident = resident;
    this.tensors = {
      ranges: createTensor(gpu, "batch ranges", [batch, 2], "u32"),
      words: resident?.words ?? createTensor(gpu, "batch words", [Math.max(1, batch * source.mostPerImage)], "u32"),
      wordsPerEntry: WORDS_PER_ENTRY[source.encoding],
      mostPerImage: source.mostPerImage,
    };
  }

  /** Reads a batch while others are computed. */
  async stage(images: Uint32Array): Promise<StagedBatch> {
    return { images, packed: this.#resident ? undefined : await this.#source.batch(images) };
  }

  /** Copies a batch of the right number of images. */
  upload({ images, packed }: StagedBatch): void {
    const ranges = new Uint32Array(2 * images.length);
    images.forEach((image, i) => {
      ranges.set(packed ? packed.offsets.subarray(i, i + 2) : this.#resident!.rangeOf(image), 2 * i);
    });
    write(this.#gpu, this.tensors.ranges, ranges);
    if (!packed || packed.words.length === 0) return;
    const { buffer } = this.tensors.words.storage.place;
    this.#gpu.device.queue.writeBuffer(buffer, 0, packed.words as Uint32Array<ArrayBuffer>);
  }

  /** Frees the buffers; the whole data set belongs to whoever loaded it. */
  [Symbol.dispose](): void {
    this.tensors.ranges.storage.place.buffer.destroy();
    if (!this.#resident) this.tensors.words.storage.place.buffer.destroy();
  }
}

/** Batches that are read while an earlier one is computed. */
const AHEAD = 8;

/**
 * Stages batches in their order, a few of them ahead.
 *
 * @param buffers where they will be uploaded
 * @param batches numbers of the images of each
 * @throws the source's error, when the batch at fault has its turn
 */
export async function* stageAhead(
  buffers: Pick<BatchBuffers, "stage">,
  batches: Iterable<Uint32Array>,
): AsyncGenerator<StagedBatch> {
  const queue: Promise<StagedBatch>[] = [];
  for (const images of batches) {
    const next = buffers.stage(images);
    // thrown below, where somebody awaits it
    next.catch(() => {});
    queue.push(next);
    if (queue.length > AHEAD) yield await queue.shift()!;
  }
  for (const next of queue) yield await next;
}

/** Cuts a list into batches of one size; a remainder is left out. */
export function* batchesOf(images: Uint32Array, size: number): Generator<Uint32Array> {
  for (let at = 0; at + size <= images.length; at += size) yield images.subarray(at, at + size);
}
