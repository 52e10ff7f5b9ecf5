/** @file SimCLR pretraining: two augmented views of each image must find each other. */

import type { RunConfig } from "../config.ts";
import type { Progress } from "../data/packed.ts";
import type { Gpu } from "../gpu/device.ts";
import { Pacer } from "../gpu/pacer.ts";
import type { Plan } from "../gpu/plan.ts";
import { BatchBuffers, batchesOf, stageAhead } from "../nn/batches.ts";
import { declareProjection, project } from "../nn/projection_head.ts";
import { imagePatches } from "../tensor/ops/images.ts";
import { ntXent } from "../tensor/ops/losses.ts";
import { recordTotal } from "../tensor/ops/record.ts";
import type { StateDict } from "../tensor/parameters.ts";
import { writeStep } from "../tensor/step.ts";
import { Tape } from "../tensor/tape.ts";
import { read } from "../tensor/tensor.ts";
import { contrastiveAugmentation } from "./augmentation.ts";
import { Method, TABLE_ROWS, type TrainingImages } from "./method.ts";

/** A plan on pairs of views, and the buffers of its batch. */
interface Views {
  readonly batch: number;
  readonly buffers: BatchBuffers;
  /** A step: forward, backward and update. */
  readonly plan: Plan;
}

const COLUMN = { loss: 0, correct: 1 };

/** Trains backbone and projection head on pairs of views. */
export class SimClr extends Method {
  /** Batches that each batch normalisation sees in a step. */
  readonly batchesPerStep = 2;
  readonly #data: TrainingImages;
  readonly #train: Views;
  readonly #val: Views;

  /**
   * Makes the model and compiles its plans.
   *
   * @param start weights to begin with; others are drawn from the seed
   */
  constructor(gpu: Gpu, config: RunConfig, data: TrainingImages, start: StateDict) {
    const { embed_dim, projection_dim } = config.model;
    super(gpu, config, data, {
      start,
      columns: Object.keys(COLUMN).length,
      model: { batchGroups: 2, extra: (declarations) => declareProjection(declarations, embed_dim, projection_dim) },
    });
    this.#data = data;
    this.#train = this.#record(true, this.batchSize);
    this.#val = this.#record(false, Math.min(this.batchSize, data.split.val.length));
  }

  /** A step: forward, backward and update. */
  get plan(): Plan {
    return this.#train.plan;
  }

  /** Where the batches of training go. */
  protected get buffers(): BatchBuffers {
    return this.#train.buffers;
  }

  /** Means over the steps of an epoch. */
  summarise(sums: readonly number[], steps: number): Record<string, number> {
    return { loss: sums[COLUMN.loss]! / steps, acc: sums[COLUMN.correct]! / steps };
  }

  /** NT-Xent on whole batches of the validation images, always under the same augmentations. */
  async validate(progress: Progress): Promise<{ loss: number; acc: number }> {
    const { val } = this.#data.split;
    const { batch } = this.#val;
    const batches = Math.floor(val.length / batch);
    const sums = [0, 0];
    const pacer = new Pacer(this.gpu);
    let i = 0, collected = 0;
    for await (const staged of stageAhead(this.#val.buffers, batchesOf(val, batch))) {
      this.#val.buffers.upload(staged);
      writeStep(this.gpu, this.step, { seed: this.config.data.seed, step: i, row: i % TABLE_ROWS });
      this.#val.plan.run();
      i++;
      if (!await pacer.submitted() && i < batches) continue;
      const table = await read(this.gpu, this.table);
      for (; collected < i; collected++) {
        for (const column of [0, 1]) sums[column] = sums[column]! + table[2 * (collected % TABLE_ROWS) + column]!;
      }
      progress(i * batch, batches * batch);
    }
    return { loss: sums[COLUMN.loss]! / batches, acc: sums[COLUMN.correct]! / batches };
  }

  /** Frees the buffers. */
  override [Symbol.dispose](): void {
    for (const part of [this.#val.plan, this.#val.buffers]) part[Symbol.dispose]();
    super[Symbol.dispose]();
  }

  #record(training: boolean, batch: number): Views {
    const { model } = this;
    const { data, training: { temperature } } = this.config;
    const buffers = new BatchBuffers(this.gpu, this.#data.images, batch, this.#data.resident);
    const tape = new Tape(this.gpu, { training, step: this.step });
    const { channels, size } = this.#data.images;
    const patch = model.config.patch_size;
    const layout = { channels, size, patch };
    const patches = imagePatches(tape, buffers.tensors, layout, data.norm_scale, 2, contrastiveAugmentation(this.config));
    const z = project(tape, model, model.features(tape, patches));
    const { loss, correct } = ntXent(tape, z, temperature);
    recordTotal(tape, loss, this.table, COLUMN.loss, 1 / (2 * batch));
    recordTotal(tape, correct, this.table, COLUMN.correct, 1 / (2 * batch));
    if (training) {
      tape.backward(loss);
      this.optimiser.update(tape, this.report);
    }
    return { batch, buffers, plan: tape.compile() };
  }
}
