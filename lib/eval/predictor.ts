/** @file Predictions: class scores and masses of many images, computed in batches. */

import type { ImageSource, Progress } from "../data/packed.ts";
import type { Gpu } from "../gpu/device.ts";
import { Pacer } from "../gpu/pacer.ts";
import type { Plan } from "../gpu/plan.ts";
import { BatchBuffers, batchesOf, type ResidentImages, stageAhead } from "../nn/batches.ts";
import type { LinearViT } from "../nn/linear_vit.ts";
import { imagePatches, NO_AUGMENTATION } from "../tensor/ops/images.ts";
import { storeRows } from "../tensor/ops/record.ts";
import { createStep, writeStep } from "../tensor/step.ts";
import { Tape } from "../tensor/tape.ts";
import { createTensor, type PlacedTensor, read } from "../tensor/tensor.ts";

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

/** A plan that predicts, with its buffers. It reads the model's parameters as they are when it runs. */
export class Predictor {
  readonly #gpu: Gpu;
  readonly #batch: number;
  readonly #classes: number;
  readonly #buffers: BatchBuffers;
  readonly #step: PlacedTensor;
  readonly #outputs: { readonly logits: PlacedTensor; readonly mass: PlacedTensor };
  readonly #plan: Plan;

  /**
   * Records and compiles the plan.
   *
   * @param gpu device
   * @param model whose parameters are used
   * @param data images to predict
   * @param batch images at a time
   * @param normScale values are divided by it
   */
  constructor(gpu: Gpu, model: LinearViT, { images, resident }: PredictedImages, batch: number, normScale: number) {
    this.#gpu = gpu;
    this.#batch = batch;
    this.#classes = model.config.num_classes;
    this.#buffers = new BatchBuffers(gpu, images, batch, resident);
    this.#step = createStep(gpu);
    const rows = Math.ceil(ROWS / batch) * batch;
    this.#outputs = {
      logits: createTensor(gpu, "predicted logits", [rows, this.#classes]),
      mass: createTensor(gpu, "predicted masses", [rows, 1]),
    };
    const tape = new Tape(gpu, { training: false, step: this.#step });
    const { channels, size } = images;
    const patch = model.config.patch_size;
    const patches = imagePatches(tape, this.#buffers.tensors, { channels, size, patch }, normScale, 1, NO_AUGMENTATION);
    const { logits, mass } = model.heads(tape, model.features(tape, patches));
    storeRows(tape, logits, this.#outputs.logits);
    storeRows(tape, mass, this.#outputs.mass);
    this.#plan = tape.compile();
  }

  /** Predicts the images with these numbers. */
  async predict(images: ArrayLike<number>, progress?: Progress): Promise<Predictions> {
    const logits = new Float32Array(images.length * this.#classes);
    const mass = new Float32Array(images.length);
    const rows = this.#outputs.mass.shape[0]!;
    const pacer = new Pacer(this.#gpu);
    // the last batch is filled up with its first image; those rows are not read
    const batch = this.#batch;
    const filled = Uint32Array.from(
      { length: Math.ceil(images.length / batch) * batch },
      (_, i) => images[i] ?? images[i - i % batch]!,
    );
    let at = 0;
    for await (const staged of stageAhead(this.#buffers, batchesOf(filled, batch))) {
      this.#buffers.upload(staged);
      writeStep(this.#gpu, this.#step, { seed: 0, step: 0, firstRow: at % rows });
      this.#plan.run();
      at += batch;
      if (await pacer.submitted()) progress?.(Math.min(at, images.length), images.length);
      if (at % rows !== 0 && at < filled.length) continue;
      const first = at - 1 - (at - 1) % rows;
      const stop = Math.min(at, images.length);
      logits.set((await read(this.#gpu, this.#outputs.logits)).subarray(0, (stop - first) * this.#classes), first * this.#classes);
      mass.set((await read(this.#gpu, this.#outputs.mass)).subarray(0, stop - first), first);
    }
    progress?.(images.length, images.length);
    return { logits, mass };
  }

  /** Frees the buffers. */
  [Symbol.dispose](): void {
    this.#plan[Symbol.dispose]();
    this.#buffers[Symbol.dispose]();
    for (const { storage } of [this.#step, this.#outputs.logits, this.#outputs.mass]) storage.place.buffer.destroy();
  }
}
