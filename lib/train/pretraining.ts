/** @file Pretraining: an objective on images without labels, with a plan to train it and one to validate it. */

import type { RunConfig } from "../config/keys.ts";
import { trainingSeed } from "../config/seeds.ts";
import { Interrupted, type WorkOptions } from "../interrupted.ts";
import type { Gpu } from "../gpu/device.ts";
import { Pacer } from "../gpu/pacer.ts";
import type { Plan } from "../gpu/plan.ts";
import { BatchBuffers, stageAhead } from "../input/batches.ts";
import type { LinearViT, LinearViTOptions } from "../nn/linear_vit.ts";
import { type Augmentation, ImageViews } from "../tensor/ops/images.ts";
import { recordTotal } from "../tensor/ops/record.ts";
import type { StateDict } from "../tensor/parameters.ts";
import { writeStep } from "../tensor/step.ts";
import { type Loss, Tape } from "../tensor/tape.ts";
import { type PlacedTensor, read, type Tensor } from "../tensor/tensor.ts";
import type { UnlabelledData } from "../input/input_images.ts";
import { pixelScale } from "./augmentation.ts";
import { ALONE, type Exchange } from "./exchange.ts";
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
   * Refuses a batch with what cannot be computed in parts, and is more than the adapter binds at once.
   *
   * @param most bytes that it binds
   * @throws {ConfigError} with the largest batch
   * @internal
   */
  checkBinding?(most: number): void;
  /**
   * Records the loss of a batch.
   *
   * @param images views * B, the first views of all images first
   * @param data where they are from
   * @internal
   */
  record(tape: Tape, model: LinearViT, images: ImageViews, data: UnlabelledData): Recorded;
}

/** A plan, and the buffers of its batch. */
interface Batch {
  readonly size: number;
  readonly buffers: BatchBuffers;
  readonly plan: Plan;
  readonly joined: PlacedTensor | undefined;
}

/** Trains a backbone on an objective. */
export class Pretraining extends Method {
  /** Batches that each batch normalisation sees in a step. */
  readonly batchesPerStep: number;
  readonly #data: UnlabelledData;
  readonly #objective: Objective;
  readonly #exchange: Exchange;
  readonly #train: Batch;
  readonly #val: Batch;

  /**
   * Makes the model and compiles its plans.
   *
   * @param start weights to begin with; others are drawn from the seed. Undefined: there are none, for those who want the plans
   * alone
   */
  constructor(
    gpu: Gpu,
    config: RunConfig,
    data: UnlabelledData,
    start: StateDict | undefined,
    objective: Objective,
    exchange: Exchange = ALONE,
  ) {
    const { metrics: { length: columns }, model, views } = objective;
    super(gpu, config, data, { start, columns, model, views, place: exchange });
    this.#data = data;
    this.#objective = objective;
    this.#exchange = exchange;
    this.batchesPerStep = objective.batchesPerStep;
    this.#train = this.#record(true, this.division.images);
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
   * Rows that all parts of a batch bring together.
   *
   * @internal
   */
  override get joined(): PlacedTensor | undefined {
    return this.#train.joined;
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

  /**
   * The objective on whole batches of the validation images, always under the same random numbers. Ranks take batches in turn; the
   * sums are in the order of the batches.
   */
  async validate({ progress, signal }: WorkOptions = {}): Promise<Record<string, number> & { loss: number }> {
    const { val } = this.#data.split;
    const { size, buffers, plan } = this.#val;
    const batches = Math.floor(val.length / size);
    const columns = this.#objective.metrics.length, { rank, ranks } = this.#exchange;
    const mine = Array.from({ length: Math.ceil(batches / ranks) }, (_, turn) => turn * ranks + rank).filter((i) => i < batches);
    const results = new Float32Array(columns * Math.ceil(batches / ranks));
    const pacer = new Pacer(this.gpu, { signal });
    let turn = 0, collected = 0;
    for await (const staged of stageAhead(buffers, mine.map((i) => val.subarray(i * size, (i + 1) * size)))) {
      buffers.upload(staged);
      writeStep(this.gpu, this.step, { seed: trainingSeed(this.config), step: mine[turn]!, row: turn % TABLE_ROWS });
      const outcome = await pacer.run(plan);
      if (outcome === "stopped" || signal?.aborted) throw new Interrupted("Stopped while validating");
      turn++;
      if (outcome === "pending" && turn < mine.length) continue;
      const table = await read(this.gpu, this.table);
      for (; collected < turn; collected++) {
        const first = columns * (collected % TABLE_ROWS);
        results.set(table.subarray(first, first + columns), columns * collected);
      }
      progress?.(turn * size, mine.length * size);
    }
    const all = await this.#exchange.gather(results);
    const sums = this.#objective.metrics.map((_, column) => {
      let sum = 0;
      for (let i = 0; i < batches; i++) sum += all[results.length * (i % ranks) + columns * Math.floor(i / ranks) + column]!;
      return sum;
    });
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
    const { images, resident, active } = this.#data;
    const buffers = new BatchBuffers(this.gpu, images, size, resident);
    const tape = training ? this.createTape() : new Tape(this.gpu, { training, step: this.step });
    const layout = { channels: images.channels, size: images.size, patch: model.config.patch_size, active };
    const all = new ImageViews(tape, buffers.tensors, layout, pixelScale(this.config), views, augmentation);
    const { loss, metrics } = this.#objective.record(tape, model, all, this.#data);
    const table = training ? this.results : this.table;
    names.forEach((name, column) => recordTotal(tape, metrics[name]![0], table, column, metrics[name]![1]));
    if (training) {
      tape.backward(loss);
      this.recordUpdate(tape);
    }
    return { size, buffers, plan: tape.compile(), joined: tape.joined };
  }
}
