/** @file Pretraining: an objective on images without labels, with a plan to train it and one to validate it. */

import type { RunConfig } from "../config/keys.ts";
import { Interrupted, type WorkOptions } from "../interrupted.ts";
import type { Gpu } from "../gpu/device.ts";
import { Pacer } from "../gpu/pacer.ts";
import type { Plan } from "../gpu/plan.ts";
import { BatchBuffers, batchesOf, stageAhead } from "../input/batches.ts";
import type { LinearViT, LinearViTOptions } from "../nn/linear_vit.ts";
import { type Augmentation, ImageViews } from "../tensor/ops/images.ts";
import { recordTotal } from "../tensor/ops/record.ts";
import type { StateDict } from "../tensor/parameters.ts";
import { writeStep } from "../tensor/step.ts";
import { type Loss, Tape } from "../tensor/tape.ts";
import { read, type Tensor } from "../tensor/tensor.ts";
import type { TrainingImages } from "../input/data.ts";
import { Method, TABLE_ROWS } from "./method.ts";

/** What an objective makes of a batch. */
export interface Recorded {
  /** Where the backward pass starts. */
  readonly loss: Loss;
  /** For each metric a tensor, and the factor of its sum that gives the metric. */
  readonly metrics: Readonly<Record<string, readonly [values: Tensor, scale: number]>>;
}

/** What is learned from images alone. */
export interface Objective {
  /** Names of the metrics, "loss" among them. */
  readonly metrics: readonly string[];
  /** Views of each image that are compared. */
  readonly views: number;
  /**
   * What is done to each view.
   *
   * @internal
   */
  readonly augmentation: Augmentation;
  /** Batches that each batch normalisation sees in a step. */
  readonly batchesPerStep: number;
  /**
   * How the model differs from the plain one.
   *
   * @internal
   */
  readonly model: Omit<LinearViTOptions, "seed">;
  /**
   * Records the loss of a batch.
   *
   * @param images views * B, the first views of all images first
   * @internal
   */
  record(tape: Tape, model: LinearViT, images: ImageViews): Recorded;
}

/** A plan, and the buffers of its batch. */
interface Batch {
  readonly size: number;
  readonly buffers: BatchBuffers;
  readonly plan: Plan;
}

/** Trains a backbone on an objective. */
export class Pretraining extends Method {
  /** Batches that each batch normalisation sees in a step. */
  readonly batchesPerStep: number;
  readonly #data: TrainingImages;
  readonly #objective: Objective;
  readonly #train: Batch;
  readonly #val: Batch;

  /**
   * Makes the model and compiles its plans.
   *
   * @param start weights to begin with; others are drawn from the seed
   */
  constructor(gpu: Gpu, config: RunConfig, data: TrainingImages, start: StateDict, objective: Objective) {
    super(gpu, config, data, { start, columns: objective.metrics.length, model: objective.model });
    this.#data = data;
    this.#objective = objective;
    this.batchesPerStep = objective.batchesPerStep;
    this.#train = this.#record(true, this.batchSize);
    this.#val = this.#record(false, Math.min(this.batchSize, data.split.val.length));
  }

  /**
   * A step: forward, backward and update.
   *
   * @internal
   */
  get plan(): Plan {
    return this.#train.plan;
  }

  /**
   * Where the batches of training go.
   *
   * @internal
   */
  protected get buffers(): BatchBuffers {
    return this.#train.buffers;
  }

  /** Means over the steps of an epoch. */
  summarise(sums: readonly number[], steps: number): Record<string, number> & { loss: number } {
    const means = Object.fromEntries(this.#objective.metrics.map((name, i) => [name, sums[i]! / steps]));
    return means as Record<string, number> & { loss: number };
  }

  /** The objective on whole batches of the validation images, always under the same random numbers. */
  async validate({ progress, signal }: WorkOptions = {}): Promise<Record<string, number> & { loss: number }> {
    const { val } = this.#data.split;
    const { size, buffers, plan } = this.#val;
    const batches = Math.floor(val.length / size);
    const sums = this.#objective.metrics.map(() => 0);
    const pacer = new Pacer(this.gpu, { signal });
    let i = 0, collected = 0;
    for await (const staged of stageAhead(buffers, batchesOf(val, size))) {
      buffers.upload(staged);
      writeStep(this.gpu, this.step, { seed: this.config.data.seed, step: i, row: i % TABLE_ROWS });
      const outcome = await pacer.run(plan);
      if (outcome === "stopped" || signal?.aborted) throw new Interrupted("Stopped while validating");
      i++;
      if (outcome === "pending" && i < batches) continue;
      const table = await read(this.gpu, this.table);
      for (; collected < i; collected++) {
        const first = sums.length * (collected % TABLE_ROWS);
        sums.forEach((sum, column) => sums[column] = sum + table[first + column]!);
      }
      progress?.(i * size, batches * size);
    }
    return this.summarise(sums, batches);
  }

  /** Frees the buffers. */
  override [Symbol.dispose](): void {
    for (const part of [this.#val.plan, this.#val.buffers]) part[Symbol.dispose]();
    super[Symbol.dispose]();
  }

  #record(training: boolean, size: number): Batch {
    const { model } = this;
    const { views, augmentation, metrics: names } = this.#objective;
    const { images, resident } = this.#data;
    const buffers = new BatchBuffers(this.gpu, images, size, resident);
    const tape = new Tape(this.gpu, { training, step: this.step });
    const layout = { channels: images.channels, size: images.size, patch: model.config.patch_size };
    const all = new ImageViews(tape, buffers.tensors, layout, this.config.data.norm_scale, views, augmentation);
    const { loss, metrics } = this.#objective.record(tape, model, all);
    names.forEach((name, column) => recordTotal(tape, metrics[name]![0], this.table, column, metrics[name]![1]));
    if (training) {
      tape.backward(loss);
      this.optimiser.update(tape, this.report);
    }
    return { size, buffers, plan: tape.compile() };
  }
}
