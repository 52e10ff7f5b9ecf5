/** @file Finetuning: cross entropy on the class and smooth L1 on the normalised mass. */

import type { RunConfig } from "../config/keys.ts";
import { headOutputs, ImageMap } from "../eval/image_map.ts";
import { accuracy, crossEntropyLoss, meanAbsoluteError, smoothL1Loss } from "../eval/validation.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Plan } from "../gpu/plan.ts";
import type { WorkOptions } from "../interrupted.ts";
import { BatchBuffers, type StagedBatch } from "../input/batches.ts";
import type { LabelledData } from "../input/data.ts";
import { HEADS, isHead } from "../nn/heads.ts";
import type { History } from "../weights/history.ts";
import type { WeightsInfo } from "../weights/weights_info.ts";
import { ImageViews } from "../tensor/ops/images.ts";
import { crossEntropy, smoothL1 } from "../tensor/ops/losses.ts";
import { recordTotal } from "../tensor/ops/record.ts";
import type { StateDict } from "../tensor/parameters.ts";
import type { StepNumbers } from "../tensor/step.ts";
import { createTensor, type PlacedTensor, write } from "../tensor/tensor.ts";
import { finetuneAugmentation } from "./augmentation.ts";
import { argmax } from "../arrays.ts";
import { ALONE, type Exchange } from "./exchange.ts";
import { Method } from "./method.ts";

/** Columns of the table of results. */
const COLUMN = { crossEntropy: 0, smoothL1: 1, correct: 2, distance: 3 };

/** Trains backbone and heads on labelled images. */
export class Finetune extends Method {
  /**
   * A step: forward, backward and update.
   *
   * @internal
   */
  readonly plan: Plan;
  /**
   * Batches that each batch normalisation sees in a step.
   *
   * @internal
   */
  readonly batchesPerStep = 1;
  /**
   * Where the batches of training go.
   *
   * @internal
   */
  protected readonly buffers: BatchBuffers;
  readonly #data: LabelledData;
  readonly #exchange: Exchange;
  readonly #massMean: number;
  readonly #massStd: number;
  readonly #label: PlacedTensor;
  readonly #goal: PlacedTensor;
  readonly #predictor: ImageMap<"logits" | "mass">;

  /**
   * Makes the model and compiles its plans.
   *
   * @param start weights to begin with; others are drawn from the seed
   */
  constructor(gpu: Gpu, config: RunConfig, data: LabelledData, start: StateDict, exchange: Exchange = ALONE) {
    const columns = Object.keys(COLUMN).length;
    super(gpu, config, data, { start, columns, groupOf: ({ name }) => isHead(name) ? 1 : 0, place: exchange });
    const { images } = this.division;
    this.#exchange = exchange;
    this.#data = data;
    [this.#massMean, this.#massStd] = meanAndDeviation(Array.from(this.images, (i) => data.mass[i]!));
    this.buffers = new BatchBuffers(gpu, data.images, images, data.resident);
    this.#label = createTensor(gpu, "label", [images], "u32");
    this.#goal = createTensor(gpu, "mass goal", [images]);
    this.plan = this.#record();
    this.#predictor = new ImageMap(gpu, this.model, data, config.data.batch_size, config.data.norm_scale, headOutputs);
  }

  /**
   * Uploads a batch with its labels and masses, and what the step needs to know.
   *
   * @internal
   */
  override prepare(batch: StagedBatch, numbers: StepNumbers): void {
    const { labels, mass } = this.#data;
    write(this.gpu, this.#label, Uint32Array.from(batch.images, (i) => labels[i]!));
    write(this.gpu, this.#goal, Float32Array.from(batch.images, (i) => this.#normalise(mass[i]!)));
    super.prepare(batch, numbers);
  }

  /** Learning rates of backbone and heads. */
  override learningRates(factor: number): number[] {
    const { backbone_lr, head_lr } = this.config.training;
    return [factor * backbone_lr, factor * head_lr];
  }

  /** Means over the steps of an epoch; the mass error in GeV. */
  summarise(sums: readonly number[], steps: number): Record<string, number> {
    const images = steps * this.division.images;
    return {
      loss: this.#total(sums[COLUMN.crossEntropy]! / steps, sums[COLUMN.smoothL1]! / steps),
      acc: sums[COLUMN.correct]! / images,
      mae: sums[COLUMN.distance]! / images * this.#massStd,
    };
  }

  /** The same on the validation images, without augmentation. */
  async validate(options: WorkOptions = {}): Promise<{ loss: number; acc: number; mae: number }> {
    const { split, labels, mass } = this.#data;
    const { logits, mass: predicted } = await this.#predict(split.val, options);
    const classes = this.model.config.num_classes;
    const truth = Array.from(split.val, (i) => labels[i]!);
    const goal = Array.from(split.val, (i) => this.#normalise(mass[i]!));
    const chosen = truth.map((_, i) => argmax(logits.subarray(i * classes, (i + 1) * classes)));
    return {
      loss: this.#total(crossEntropyLoss(logits, truth), smoothL1Loss(predicted, goal)),
      acc: accuracy(chosen, truth),
      mae: meanAbsoluteError(predicted, goal) * this.#massStd,
    };
  }

  /**
   * What is known about the weights, for their file.
   *
   * @internal
   */
  override info(history: History): Omit<WeightsInfo, "trainedOn"> {
    const { data: { norm_scale: normScale }, training } = this.config;
    const untrained = Object.values(HEADS).filter(({ lossWeight }) => training[lossWeight] === 0).map(({ predicts }) => predicts);
    const scale = { massMean: this.#massMean, massStd: this.#massStd, normScale };
    return { model: this.model.config, ...scale, history, assumed: [], untrained };
  }

  /** Frees the buffers. */
  override [Symbol.dispose](): void {
    this.#predictor[Symbol.dispose]();
    for (const { storage } of [this.#label, this.#goal]) storage.place.buffer.destroy();
    super[Symbol.dispose]();
  }

  #record(): Plan {
    const { model } = this;
    const { training, data, augment } = this.config;
    const tape = this.createTape();
    const scale = 1 / this.division.images;
    const { channels, size } = this.#data.images;
    const patch = model.config.patch_size;
    const augmentation = finetuneAugmentation(augment, data.augment);
    const images = new ImageViews(tape, this.buffers.tensors, { channels, size, patch }, data.norm_scale, 1, augmentation);
    const { logits, mass } = model.heads(tape, model.features(tape, images));
    const classes = crossEntropy(tape, logits, this.#label, training.lambda_cls);
    const masses = smoothL1(tape, mass, this.#goal, training.lambda_reg);
    recordTotal(tape, classes.loss, this.results, COLUMN.crossEntropy, scale);
    recordTotal(tape, masses.loss, this.results, COLUMN.smoothL1, scale);
    recordTotal(tape, classes.correct, this.results, COLUMN.correct);
    recordTotal(tape, masses.distance, this.results, COLUMN.distance);
    tape.backward(classes.loss, masses.loss);
    this.recordUpdate(tape);
    return tape.compile();
  }

  /** Predicts images, of which each rank takes a share. */
  async #predict(images: Uint32Array, options: WorkOptions): Promise<Record<"logits" | "mass", Float32Array>> {
    const { rank, ranks } = this.#exchange;
    const share = Math.ceil(images.length / ranks);
    const { logits, mass } = await this.#predictor.run(images.subarray(rank * share, (rank + 1) * share), options);
    if (ranks === 1) return { logits, mass };
    const all = async (mine: Float32Array, width: number) => {
      const padded = new Float32Array(share * width);
      padded.set(mine);
      return (await this.#exchange.gather(padded)).subarray(0, images.length * width);
    };
    return { logits: await all(logits, this.model.config.num_classes), mass: await all(mass, 1) };
  }

  #normalise(mass: number): number {
    return (mass - this.#massMean) / this.#massStd;
  }

  #total(crossEntropy: number, smoothL1: number): number {
    const { lambda_cls, lambda_reg } = this.config.training;
    return lambda_cls * crossEntropy + lambda_reg * smoothL1;
  }
}

/** Deviation over mean that roundings alone make of equal values, generously. */
const ROUNDING = 1e-12;

/** Mean and population standard deviation; a deviation of 0, or of no more than the mean's rounding, counts as 1. */
export function meanAndDeviation(values: readonly number[]): [mean: number, deviation: number] {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
  const deviation = Math.sqrt(variance);
  return [mean, deviation > ROUNDING * Math.abs(mean) ? deviation : 1];
}
