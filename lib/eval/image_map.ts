/** @file What a model makes of many images, computed in batches: class scores and targets such as the mass, features, or anything else of each image. */

import type { Gpu } from "../gpu/device.ts";
import { Pacer } from "../gpu/pacer.ts";
import type { Plan } from "../gpu/plan.ts";
import { Interrupted, type WorkOptions } from "../interrupted.ts";
import { BatchBuffers, stageAhead } from "../input/batches.ts";
import type { InputImages } from "../input/input_images.ts";
import type { LinearViT } from "../nn/linear_vit.ts";
import { FOUR_FLIPS, ImageViews, NO_AUGMENTATION, type PixelScale } from "../tensor/ops/images.ts";
import { storeRows } from "../tensor/ops/record.ts";
import { createStep, writeStep } from "../tensor/step.ts";
import { Tape } from "../tensor/tape.ts";
import { createTensor, type PlacedTensor, read, type Tensor } from "../tensor/tensor.ts";
import { checkOutputs } from "./outputs.ts";

/** How outputs are computed. */
export interface MapOptions extends WorkOptions {
  /** File of the weights, named if an output is not finite. Outputs are not checked without it. */
  readonly weights?: string;
  /** What columns of an output are called in that message, by its name; they are numbered if not given. */
  readonly columns?: Readonly<Record<string, readonly string[]>>;
}

/** Outputs of consecutive images of a list. */
export interface Piece<Name extends string> {
  /** Place of the first in the list. */
  readonly first: number;
  /** Numbers of the images. */
  readonly images: Uint32Array;
  /** For each view of the images (images, width) row by row. */
  readonly views: readonly Record<Name, Float32Array>[];
}

const ROWS = 4096;

/**
 * Records what is computed of each image.
 *
 * @param images to be predicted
 * @returns named tensors (B, width)
 */
export type Outputs<Name extends string> = (tape: Tape, model: LinearViT, images: ImageViews) => Record<Name, Tensor>;

/** Class scores and normalised targets, each (B, width). */
export function headOutputs(tape: Tape, model: LinearViT, images: ImageViews): Record<"logits" | "targets", Tensor> {
  return model.heads(tape, model.features(tape, images));
}

/** A plan that computes something of every image, with its buffers. It reads the model's parameters as they are when it runs. */
export class ImageMap<Name extends string> {
  readonly #gpu: Gpu;
  readonly #batch: number;
  readonly #buffers: BatchBuffers;
  readonly #step: PlacedTensor;
  readonly #outputs: ReadonlyMap<Name, PlacedTensor>;
  readonly #plan: Plan;
  readonly #rows: number;
  readonly #views: number;

  /**
   * Records and compiles the plan.
   *
   * @param gpu device
   * @param model whose parameters are used
   * @param data images to look at
   * @param batch images at a time
   * @param scale what becomes of values
   * @param outputs what is computed
   * @param flips of four views of each image, mirrored in every way, instead of the image alone
   */
  constructor(
    gpu: Gpu,
    model: LinearViT,
    { images, resident, active }: InputImages,
    batch: number,
    scale: PixelScale,
    outputs: Outputs<Name>,
    flips = false,
  ) {
    this.#views = flips ? 4 : 1;
    this.#gpu = gpu;
    this.#batch = batch;
    this.#buffers = new BatchBuffers(gpu, images, batch, resident);
    this.#step = createStep(gpu);
    this.#rows = Math.ceil(ROWS / batch) * batch;
    const tape = new Tape(gpu, { training: false, step: this.#step });
    const { channels, size } = images;
    const patch = model.config.patch_size;
    const augmentation = flips ? FOUR_FLIPS : NO_AUGMENTATION;
    const views = new ImageViews(tape, this.#buffers.tensors, { channels, size, patch, active }, scale, this.#views, augmentation);
    const computed = Object.entries<Tensor>(outputs(tape, model, views)) as [Name, Tensor][];
    this.#outputs = new Map(computed.map(([name, tensor]) => {
      const output = createTensor(gpu, `all ${name}`, [this.#views * this.#rows, tensor.shape.at(-1)!]);
      storeRows(tape, tensor, output);
      return [name, output];
    }));
    this.#plan = tape.compile();
  }

  /**
   * Computes the outputs (n, width) of the images with these numbers.
   *
   * @throws {OutputError} if an output is not finite
   * @throws {Interrupted} if the signal was aborted
   */
  async run(images: ArrayLike<number>, options: MapOptions = {}): Promise<Record<Name, Float32Array>> {
    const results = Object.fromEntries(
      [...this.#outputs].map(([name, { shape }]) => [name, new Float32Array(images.length * shape[1]!)]),
    ) as Record<Name, Float32Array>;
    for await (const { first, views: [outputs] } of this.pieces(images, options)) {
      for (const [name, { shape }] of this.#outputs) results[name].set(outputs![name], first * shape[1]!);
    }
    return results;
  }

  /**
   * The same in pieces of some thousand images, each given out before the next is computed: the memory does not grow with
   * the images.
   *
   * @throws {OutputError} if an output is not finite
   * @throws {Interrupted} if the signal was aborted
   */
  async *pieces(images: ArrayLike<number>, options: MapOptions = {}): AsyncGenerator<Piece<Name>> {
    const { progress, signal } = options;
    const pacer = new Pacer(this.#gpu, { signal });
    const batch = this.#batch, rows = this.#rows;
    let at = 0;
    for await (const staged of stageAhead(this.#buffers, filledBatches(images, batch))) {
      this.#buffers.upload(staged);
      writeStep(this.#gpu, this.#step, { seed: 0, step: 0, firstRow: this.#views * (at % rows) });
      const outcome = await pacer.run(this.#plan);
      if (outcome === "stopped" || signal?.aborted) throw new Interrupted("Stopped");
      at += batch;
      if (outcome === "done") progress?.(Math.min(at, images.length), images.length);
      if (at % rows !== 0 && at < images.length) continue;
      const first = at - 1 - (at - 1) % rows;
      const numbers = Uint32Array.from({ length: Math.min(at, images.length) - first }, (_, i) => images[first + i]!);
      yield { first, images: numbers, views: await this.#read(numbers, options) };
    }
    progress?.(images.length, images.length);
  }

  /** What was computed of some images, view by view. */
  async #read(images: Uint32Array, { weights, columns }: MapOptions): Promise<Record<Name, Float32Array>[]> {
    const views = Array.from({ length: this.#views }, () => ({}) as Record<Name, Float32Array>);
    for (const [name, output] of this.#outputs) {
      const all = await read(this.#gpu, output);
      for (const [view, outputs] of views.entries()) {
        const values = this.#ofView(all, output.shape[1]!, view, images.length);
        if (weights !== undefined) checkOutputs(weights, name, values, images, columns?.[name]);
        outputs[name] = values;
      }
    }
    return views;
  }

  /** Rows of a view: those of a batch lie one after the other, before those of the next view. */
  #ofView(all: Float32Array, width: number, view: number, images: number): Float32Array {
    if (this.#views === 1) return all.subarray(0, images * width);
    const values = new Float32Array(images * width), batch = this.#batch;
    for (let at = 0; at < images; at += batch) {
      const first = (this.#views * at + view * batch) * width;
      values.set(all.subarray(first, first + Math.min(batch, images - at) * width), at * width);
    }
    return values;
  }

  /** Frees the buffers. */
  [Symbol.dispose](): void {
    this.#plan[Symbol.dispose]();
    this.#buffers[Symbol.dispose]();
    for (const { storage } of [this.#step, ...this.#outputs.values()]) storage.place.buffer.destroy();
  }
}

/** Batches of one size; the last is filled up with its first image. */
function* filledBatches(images: ArrayLike<number>, size: number): Generator<Uint32Array> {
  for (let at = 0; at < images.length; at += size) {
    yield Uint32Array.from({ length: size }, (_, i) => images[at + i] ?? images[at]!);
  }
}
