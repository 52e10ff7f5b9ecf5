/** @file What a model makes of many images, computed in batches: class scores and masses, or features. */

import type { ImageSource } from "../data/packed.ts";
import type { Gpu } from "../gpu/device.ts";
import { Pacer } from "../gpu/pacer.ts";
import type { Plan } from "../gpu/plan.ts";
import { Interrupted, type WorkOptions } from "../interrupted.ts";
import { BatchBuffers, batchesOf, type ResidentImages, stageAhead } from "../nn/batches.ts";
import type { LinearViT } from "../nn/linear_vit.ts";
import { ImageViews, NO_AUGMENTATION } from "../tensor/ops/images.ts";
import { storeRows } from "../tensor/ops/record.ts";
import { createStep, writeStep } from "../tensor/step.ts";
import { Tape } from "../tensor/tape.ts";
import { createTensor, type PlacedTensor, read, type Tensor } from "../tensor/tensor.ts";

/** What a model says about images, in the order asked for. */
export interface Predictions {
  /** (n, classes) row by row. */
  readonly logits: Float32Array;
  /** (n), in units of the training split's deviation around its mean. */
  readonly mass: Float32Array;
}

/** Images, and the same on the adapter if they fit. */
export interface PredictedImages {
  /** All images of a file. */
  readonly images: ImageSource;
  /** The same on the adapter. */
  readonly resident?: ResidentImages | undefined;
}

const ROWS = 4096;

/**
 * Records what is computed of each image.
 *
 * @param images to be predicted
 * @returns named tensors (B, width)
 */
export type Outputs<Name extends string> = (tape: Tape, model: LinearViT, images: ImageViews) => Record<Name, Tensor>;

/** A plan that computes something of every image, with its buffers. It reads the model's parameters as they are when it runs. */
export class ImageMap<Name extends string> {
  readonly #gpu: Gpu;
  readonly #batch: number;
  readonly #buffers: BatchBuffers;
  readonly #step: PlacedTensor;
  readonly #outputs: ReadonlyMap<Name, PlacedTensor>;
  readonly #plan: Plan;
  readonly #rows: number;

  /**
   * Records and compiles the plan.
   *
   * @param gpu device
   * @param model whose parameters are used
   * @param data images to look at
   * @param batch images at a time
   * @param normScale values are divided by it
   * @param outputs what is computed
   */
  constructor(
    gpu: Gpu,
    model: LinearViT,
    { images, resident }: PredictedImages,
    batch: number,
    normScale: number,
    outputs: Outputs<Name>,
  ) {
    this.#gpu = gpu;
    this.#batch = batch;
    this.#buffers = new BatchBuffers(gpu, images, batch, resident);
    this.#step = createStep(gpu);
    this.#rows = Math.ceil(ROWS / batch) * batch;
    const tape = new Tape(gpu, { training: false, step: this.#step });
    const { channels, size } = images;
    const patch = model.config.patch_size;
    const views = new ImageViews(tape, this.#buffers.tensors, { channels, size, patch }, normScale, 1, NO_AUGMENTATION);
    const computed = Object.entries<Tensor>(outputs(tape, model, views)) as [Name, Tensor][];
    this.#outputs = new Map(computed.map(([name, tensor]) => {
      const output = createTensor(gpu, `all ${name}`, [this.#rows, tensor.shape.at(-1)!]);
      storeRows(tape, tensor, output);
      return [name, output];
    }));
    this.#plan = tape.compile();
  }

  /**
   * Computes the outputs (n, width) of the images with these numbers.
   *
   * @throws {Interrupted} if the signal was aborted
   */
  async run(images: ArrayLike<number>, { progress, signal }: WorkOptions = {}): Promise<Record<Name, Float32Array>> {
    const results = new Map(
      [...this.#outputs].map(([name, { shape }]) => [name, new Float32Array(images.length * shape[1]!)]),
    );
    const pacer = new Pacer(this.#gpu, { signal });
    // the last batch is filled up with its first image; those rows are not read
    const batch = this.#batch, rows = this.#rows;
    const filled = Uint32Array.from(
      { length: Math.ceil(images.length / batch) * batch },
      (_, i) => images[i] ?? images[i - i % batch]!,
    );
    let at = 0;
    for await (const staged of stageAhead(this.#buffers, batchesOf(filled, batch))) {
      this.#buffers.upload(staged);
      writeStep(this.#gpu, this.#step, { seed: 0, step: 0, firstRow: at % rows });
      const outcome = await pacer.run(this.#plan);
      if (outcome === "stopped" || signal?.aborted) throw new Interrupted("Stopped");
      at += batch;
      if (outcome === "done") progress?.(Math.min(at, images.length), images.length);
      if (at % rows !== 0 && at < filled.length) continue;
      const first = at - 1 - (at - 1) % rows;
      const count = Math.min(at, images.length) - first;
      for (const [name, output] of this.#outputs) {
        const width = output.shape[1]!;
        results.get(name)!.set((await read(this.#gpu, output)).subarray(0, count * width), first * width);
      }
    }
    progress?.(images.length, images.length);
    return Object.fromEntries(results) as Record<Name, Float32Array>;
  }

  /** Frees the buffers. */
  [Symbol.dispose](): void {
    this.#plan[Symbol.dispose]();
    this.#buffers[Symbol.dispose]();
    for (const { storage } of [this.#step, ...this.#outputs.values()]) storage.place.buffer.destroy();
  }
}

/** A plan that predicts, with its buffers. */
export class Predictor {
  readonly #map: ImageMap<"logits" | "mass">;

  /**
   * Records and compiles the plan.
   *
   * @param gpu device
   * @param model whose parameters are used
   * @param data images to predict
   * @param batch images at a time
   * @param normScale values are divided by it
   */
  constructor(gpu: Gpu, model: LinearViT, data: PredictedImages, batch: number, normScale: number) {
    this.#map = new ImageMap(
      gpu,
      model,
      data,
      batch,
      normScale,
      (tape, vit, views) => vit.heads(tape, vit.features(tape, views)),
    );
  }

  /**
   * Predicts the images with these numbers.
   *
   * @throws {Interrupted} if the signal was aborted
   */
  predict(images: ArrayLike<number>, options?: WorkOptions): Promise<Predictions> {
    return this.#map.run(images, options);
  }

  /** Frees the buffers. */
  [Symbol.dispose](): void {
    this.#map[Symbol.dispose]();
  }
}
