/** @file What ways to train have in common, as the trainer sees them. */

import type { RunConfig } from "../config/keys.ts";
import type { Gpu } from "../gpu/device.ts";
import { MOST_PENDING } from "../gpu/pacer.ts";
import type { Plan } from "../gpu/plan.ts";
import type { WorkOptions } from "../interrupted.ts";
import { type BatchBuffers, stageAhead, type StagedBatch } from "../input/batches.ts";
import type { TrainingImages } from "../input/data.ts";
import { LinearViT, type LinearViTOptions } from "../nn/linear_vit.ts";
import type { History } from "../weights/history.ts";
import type { Weights } from "../weights/weights.ts";
import { NO_HEADS, type WeightsInfo } from "../weights/weights_info.ts";
import { AdamW, type AdamWOptions } from "../tensor/ops/adamw.ts";
import type { StateDict } from "../tensor/parameters.ts";
import { createStep, type StepNumbers, writeStep } from "../tensor/step.ts";
import { createTensor, type PlacedTensor } from "../tensor/tensor.ts";

/** Rows of the tables that steps write their results to; as many as may be pending. */
export const TABLE_ROWS: number = MOST_PENDING;

/** What a method needs beyond its configuration and its images. */
export interface MethodOptions {
  /** Weights to begin with; others are drawn from the seed. */
  readonly start: StateDict;
  /** Columns of the table of results. */
  readonly columns: number;
  /** How the model differs from the plain one. */
  readonly model?: Omit<LinearViTOptions, "seed" | "recompute">;
  /** Which learning rate a parameter has. */
  readonly groupOf?: AdamWOptions["groupOf"];
}

/** A way to train a model: one plan that is replayed for each batch. */
export abstract class Method {
  /**
   * The model that is trained.
   *
   * @internal
   */
  readonly model: LinearViT;
  /**
   * Its optimiser.
   *
   * @internal
   */
  readonly optimiser: AdamW;
  /**
   * Numbers of the training images.
   *
   * @internal
   */
  readonly images: Uint32Array;
  /** Images in a step. */
  readonly batchSize: number;
  /**
   * (TABLE_ROWS, columns): results of each step.
   *
   * @internal
   */
  readonly table: PlacedTensor;
  /**
   * (TABLE_ROWS, 2): gradient norm, and whether the step was skipped.
   *
   * @internal
   */
  readonly report: PlacedTensor;
  /**
   * Numbers of the step under way.
   *
   * @internal
   */
  protected readonly step: PlacedTensor;
  /** Device. */
  protected readonly gpu: Gpu;
  /** The run's configuration. */
  protected readonly config: RunConfig;

  /**
   * Makes model, optimiser and tables; the plan is the subclass's.
   *
   * @internal
   */
  constructor(gpu: Gpu, config: RunConfig, { split }: TrainingImages, { start, columns, model, groupOf }: MethodOptions) {
    this.gpu = gpu;
    this.config = config;
    this.images = split.train;
    this.batchSize = config.data.batch_size;
    const recompute = config.training.recompute === "blocks";
    this.model = new LinearViT(gpu, config.model, { ...model, recompute, seed: config.data.seed });
    this.model.parameters.load(start);
    const { weight_decay: weightDecay, clip_norm: clipNorm } = config.training;
    this.optimiser = new AdamW(gpu, this.model.parameters, { weightDecay, clipNorm, ...(groupOf && { groupOf }) });
    this.step = createStep(gpu);
    this.table = createTensor(gpu, "results", [TABLE_ROWS, columns]);
    this.report = createTensor(gpu, "optimiser report", [TABLE_ROWS, 2]);
  }

  /**
   * A step: forward, backward and update.
   *
   * @internal
   */
  abstract readonly plan: Plan;
  /**
   * Batches that each batch normalisation sees in a step.
   *
   * @internal
   */
  abstract readonly batchesPerStep: number;
  /**
   * Where the batches of training go.
   *
   * @internal
   */
  protected abstract readonly buffers: BatchBuffers;

  /** Stages batches in their order, a few of them ahead of the step that is computed. */
  stage(batches: Iterable<Uint32Array>): AsyncGenerator<StagedBatch> {
    return stageAhead(this.buffers, batches);
  }

  /**
   * Uploads a batch, and what the step needs to know; {@linkcode plan} computes it.
   *
   * @internal
   */
  prepare(batch: StagedBatch, numbers: StepNumbers): void {
    this.buffers.upload(batch);
    writeStep(this.gpu, this.step, numbers);
  }

  /** Uploads a batch and submits a step. */
  run(batch: StagedBatch, numbers: StepNumbers): void {
    this.prepare(batch, numbers);
    this.plan.run();
  }

  /** Learning rate of each parameter group at a factor of the schedule. */
  learningRates(factor: number): number[] {
    return [factor * this.config.training.lr];
  }

  /** Metrics of an epoch from the sums of the table's columns over its steps. */
  abstract summarise(sums: readonly number[], steps: number): Record<string, number>;
  /**
   * Metrics on the validation images; "loss" decides about stopping.
   *
   * @throws {Interrupted} if the signal was aborted
   */
  abstract validate(options?: WorkOptions): Promise<Record<string, number> & { loss: number }>;

  /**
   * What is known about the weights, for their file.
   *
   * @internal
   */
  info(history: History): Omit<WeightsInfo, "trainedOn"> {
    return { ...NO_HEADS, model: this.model.config, normScale: this.config.data.norm_scale, history };
  }

  /**
   * The weights as they are now, as a file of them would be read.
   *
   * @param path what messages call them
   */
  async weights(path = "the model in memory"): Promise<Weights> {
    return { path, state: await this.model.parameters.state(), trainedOn: [], ...this.info({}) };
  }

  /** Frees the buffers. */
  [Symbol.dispose](): void {
    for (const part of [this.plan, this.buffers, this.optimiser, this.model.parameters]) part[Symbol.dispose]();
    for (const { storage } of [this.step, this.table, this.report]) storage.place.buffer.destroy();
  }
}
