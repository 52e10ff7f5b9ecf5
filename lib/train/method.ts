/** @file What ways to train have in common, as the trainer sees them. */

import type { RunConfig } from "../config/keys.ts";
import { trainingSeed } from "../config/seeds.ts";
import type { TestResults } from "../eval/test_results.ts";
import type { Gpu } from "../gpu/device.ts";
import { MOST_PENDING } from "../gpu/pacer.ts";
import type { Plan } from "../gpu/plan.ts";
import type { WorkOptions } from "../interrupted.ts";
import { type BatchBuffers, stageAhead, type StagedBatch } from "../input/batches.ts";
import type { TrainingImages } from "../input/input_images.ts";
import { modelOf } from "../nn/config.ts";
import { LinearViT, type LinearViTOptions } from "../nn/linear_vit.ts";
import type { History } from "../weights/history.ts";
import type { Weights } from "../weights/weights.ts";
import { NO_HEADS, type WeightsInfo } from "../weights/weights_info.ts";
import { AdamW, type AdamWOptions } from "../tensor/ops/adamw.ts";
import { RunningMean } from "../tensor/ops/running_mean.ts";
import type { StateDict } from "../tensor/parameters.ts";
import { storeRows } from "../tensor/ops/record.ts";
import { createStep, type StepNumbers, writeStep } from "../tensor/step.ts";
import { sumLaunch } from "../tensor/sum.ts";
import { Tape } from "../tensor/tape.ts";
import { createTensor, type PlacedTensor } from "../tensor/tensor.ts";
import { pixelScale } from "./augmentation.ts";
import { Division, type Place } from "./division.ts";
import { ALONE } from "./exchange.ts";

/** Rows of the tables that steps write their results to; as many as may be pending. */
export const TABLE_ROWS: number = MOST_PENDING;

/** What a method needs beyond its configuration and its images. */
export interface MethodOptions {
  /** Weights to begin with; others are drawn from the seed. Undefined: there are none, for those who want the plans alone. */
  readonly start: StateDict | undefined;
  /** Columns of the table of results. */
  readonly columns: number;
  /** How the model differs from the plain one. */
  readonly model?: Omit<LinearViTOptions, "seed" | "recompute" | "batchGroups">;
  /** Views of each image, which batch normalisation sees one after the other; 1 by default. */
  readonly views?: number;
  /** Which of the processes that train together this is; the only one by default. */
  readonly place?: Place;
  /** Which learning rate a parameter has, and the factor of it. */
  readonly rates?: Pick<AdamWOptions, "groupOf" | "factorOf">;
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
  /**
   * How the batch of a step is divided.
   *
   * @internal
   */
  readonly division: Division;
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
  readonly #mean: RunningMean | undefined;
  /**
   * Where results are recorded: a row of the table, or one row for each part of a batch.
   *
   * @internal
   */
  protected readonly results: PlacedTensor;
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
  constructor(gpu: Gpu, config: RunConfig, { split }: TrainingImages, options: MethodOptions) {
    const { start, columns, model, rates, views = 1, place = ALONE } = options;
    this.gpu = gpu;
    this.config = config;
    this.images = split.train;
    this.division = new Division(config, place);
    const { groups } = this.division;
    const recompute = config.training.recompute === "blocks";
    this.model = new LinearViT(gpu, modelOf(config), {
      ...model,
      batchGroups: { views, groups },
      recompute,
      ...(start && { seed: trainingSeed(config) }),
    });
    if (start) this.model.parameters.load(start);
    const { weight_decay: weightDecay, clip_norm: clipNorm, ema } = config.training;
    this.optimiser = new AdamW(gpu, this.model.parameters, { weightDecay, clipNorm, ...rates });
    this.#mean = ema === 0 ? undefined : new RunningMean(gpu, this.model.parameters, ema);
    this.step = createStep(gpu);
    this.table = createTensor(gpu, "results", [TABLE_ROWS, columns]);
    this.results = this.division.parts > 1 ? createTensor(gpu, "results of a part", [1, columns]) : this.table;
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

  /** Images in a step. */
  get batchSize(): number {
    return this.division.batch;
  }

  /**
   * Rows that all parts of a batch bring together; undefined if there are none.
   *
   * @internal
   */
  get joined(): PlacedTensor | undefined {
    return undefined;
  }

  /**
   * What each part of a batch writes anew, and what counts for the step by its mean.
   *
   * @internal
   */
  get ofPart(): PlacedTensor[] {
    const { gradients, moved } = this.model.parameters;
    return [gradients, moved, this.results];
  }

  /**
   * Stages this rank's parts of batches in their order, a few of them ahead of the step that is computed.
   *
   * @internal
   */
  stage(batches: Iterable<Uint32Array>): AsyncGenerator<StagedBatch> {
    return stageAhead(this.buffers, slicesOf(batches, this.division));
  }

  /**
   * Uploads a batch, or a part of one, and what the step needs to know; {@linkcode plan} computes it.
   *
   * @internal
   */
  prepare(batch: StagedBatch, numbers: StepNumbers): void {
    this.buffers.upload(batch);
    writeStep(this.gpu, this.step, numbers);
  }

  /**
   * Makes ready for what follows the parts of a batch.
   *
   * @internal
   */
  prepareUpdate(numbers: StepNumbers): void {
    writeStep(this.gpu, this.step, { ...numbers, firstRow: numbers.row ?? 0 });
  }

  /** Uploads a batch and submits a step. */
  run(batch: StagedBatch, numbers: StepNumbers): void {
    this.prepare(batch, numbers);
    this.plan.run();
  }

  /**
   * Begins to record a step.
   *
   * @internal
   */
  protected createTape(): Tape {
    const { parts } = this.division;
    const tape = new Tape(this.gpu, { training: true, step: this.step, parts });
    const { statistics, moved } = this.model.parameters;
    if (parts > 1) tape.dispatch(sumLaunch(statistics, undefined, moved));
    return tape;
  }

  /**
   * Records the update of the weights, after the gradients, and of their running mean.
   *
   * @internal
   */
  protected recordUpdate(tape: Tape): void {
    if (tape.inParts) {
      const { statistics, moved } = this.model.parameters;
      tape.endParts();
      storeRows(tape, this.results, this.table);
      tape.dispatch({ ...sumLaunch(moved, undefined, statistics), commit: true });
    }
    this.optimiser.update(tape, this.report);
    this.#mean?.update(tape, this.report);
  }

  /** Learning rate of each parameter group at a factor of the schedule. */
  learningRates(factor: number): number[] {
    return [factor * this.config.training.lr];
  }

  /**
   * Step at which each parameter group begins to learn, from the steps of an epoch.
   *
   * @internal
   */
  begins(_stepsPerEpoch: number): number[] {
    return [];
  }

  /**
   * Everything that a step changes for good, by name: what a run needs to go on.
   *
   * @internal
   */
  get lasting(): Record<string, PlacedTensor> {
    const { values, statistics } = this.model.parameters, { m, v } = this.optimiser;
    const mean = this.#mean && { mean_values: this.#mean.values, mean_statistics: this.#mean.statistics };
    return { values, statistics, m, v, ...mean };
  }

  /**
   * Does something with the weights that are evaluated and saved: the running mean of training.ema where there is one.
   *
   * @internal
   */
  async withMean<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#mean?.exchange();
    try {
      return await work();
    } finally {
      this.#mean?.exchange();
    }
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
   * What was predicted of the validation images last, where the truth about them is known.
   *
   * @internal
   */
  get validated(): TestResults | undefined {
    return undefined;
  }

  /**
   * What is known about the weights, for their file.
   *
   * @internal
   */
  info(history: History): Omit<WeightsInfo, "trainedOn"> {
    return { ...NO_HEADS, model: this.model.config, ...pixelScale(this.config), history };
  }

  /**
   * The weights as they are now, as a file of them would be read.
   *
   * @param path what messages call them
   */
  async weights(path = "the model in memory"): Promise<Weights> {
    return { path, state: await this.withMean(() => this.model.parameters.state()), trainedOn: [], ...this.info({}) };
  }

  /** Frees the buffers. */
  [Symbol.dispose](): void {
    for (const part of [this.plan, this.buffers, this.optimiser, this.#mean, this.model.parameters]) part?.[Symbol.dispose]();
    const placed = [this.step, this.table, this.results, this.report, ...(this.joined ? [this.joined] : [])];
    for (const { storage } of placed) storage.place.buffer.destroy();
  }
}

function* slicesOf(batches: Iterable<Uint32Array>, division: Division): Generator<Uint32Array> {
  for (const batch of batches) yield* division.slices(batch);
}
