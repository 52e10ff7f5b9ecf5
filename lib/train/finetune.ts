/** @file Finetuning: cross entropy on the class and smooth L1 on the normalised mass. */

import type { RunConfig } from "../config.ts";
import type { ImageSource, Progress } from "../data/packed.ts";
import type { Split } from "../data/split.ts";
import { accuracy, argmax, crossEntropyLoss, meanAbsoluteError, smoothL1Loss } from "../eval/metrics.ts";
import { Predictor } from "../eval/predictor.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Plan } from "../gpu/plan.ts";
import { isHead, LinearViT } from "../nn/linear_vit.ts";
import type { WeightsInfo } from "../nn/weights.ts";
import { AdamW } from "../tensor/ops/adamw.ts";
import { imagePatches } from "../tensor/ops/images.ts";
import { crossEntropy, smoothL1 } from "../tensor/ops/losses.ts";
import { recordTotal } from "../tensor/ops/record.ts";
import type { StateDict } from "../tensor/parameters.ts";
import { createStep, type StepNumbers, writeStep } from "../tensor/step.ts";
import { Tape } from "../tensor/tape.ts";
import { createTensor, type PlacedTensor, write } from "../tensor/tensor.ts";
import { finetuneAugmentation } from "./augmentation.ts";
import { BatchBuffers } from "./batches.ts";
import { type History, type Method, TABLE_ROWS } from "./method.ts";

/** Images with their labels, and who is trained on which. */
export interface LabelledData {
  /** All images of the file. */
  readonly images: ImageSource;
  /** Class of each image. */
  readonly labels: ArrayLike<number>;
  /** Mass of each image in GeV. */
  readonly mass: ArrayLike<number>;
  /** Who is trained on which. */
  readonly split: Split;
}

/** Columns of the table of results. */
const COLUMN = { crossEntropy: 0, smoothL1: 1, correct: 2, distance: 3 };

/** Trains backbone and heads on labelled images. */
export class Finetune implements Method {
  /** The model that is trained. */
  readonly model: LinearViT;
  /** Its optimiser. */
  readonly optimiser: AdamW;
  readonly plan: Plan;
  readonly images: Uint32Array;
  readonly batchSize: number;
  readonly batchesPerStep = 1;
  readonly table: PlacedTensor;
  readonly report: PlacedTensor;
  readonly #gpu: Gpu;
  readonly #config: RunConfig;
  readonly #data: LabelledData;
  readonly #massMean: number;
  readonly #massStd: number;
  readonly #buffers: BatchBuffers;
  readonly #label: PlacedTensor;
  readonly #goal: PlacedTensor;
  readonly #step: PlacedTensor;
  readonly #predictor: Predictor;

  /**
   * Makes the model and compiles its plans.
   *
   * @param start weights to begin with; others are drawn from the seed
   */
  constructor(gpu: Gpu, config: RunConfig, data: LabelledData, start: StateDict) {
    this.#gpu = gpu;
    this.#config = config;
    this.#data = data;
    this.images = data.split.train;
    this.batchSize = config.data.batch_size;
    [this.#massMean, this.#massStd] = meanAndDeviation(Array.from(this.images, (i) => data.mass[i]!));
    this.model = new LinearViT(gpu, config.model, { seed: config.data.seed });
    this.model.parameters.load(start);
    const { weight_decay: weightDecay, clip_norm: clipNorm } = config.training;
    this.optimiser = new AdamW(gpu, this.model.parameters, { groupOf: ({ name }) => isHead(name) ? 1 : 0, weightDecay, clipNorm });
    this.#buffers = new BatchBuffers(gpu, data.images, this.batchSize);
    this.#label = createTensor(gpu, "label", [this.batchSize], "u32");
    this.#goal = createTensor(gpu, "mass goal", [this.batchSize]);
    this.#step = createStep(gpu);
    this.table = createTensor(gpu, "results", [TABLE_ROWS, Object.keys(COLUMN).length]);
    this.report = createTensor(gpu, "optimiser report", [TABLE_ROWS, 2]);
    this.plan = this.#record();
    this.#predictor = new Predictor(gpu, this.model, data.images, this.batchSize, config.data.norm_scale);
  }

  run(images: Uint32Array, numbers: StepNumbers): void {
    const { labels, mass } = this.#data;
    this.#buffers.upload(this.#data.images.batch(images));
    write(this.#gpu, this.#label, Uint32Array.from(images, (i) => labels[i]!));
    write(this.#gpu, this.#goal, Float32Array.from(images, (i) => this.#normalise(mass[i]!)));
    writeStep(this.#gpu, this.#step, numbers);
    this.plan.run();
  }

  learningRates(factor: number): number[] {
    const { backbone_lr, head_lr } = this.#config.training;
    return [factor * backbone_lr, factor * head_lr];
  }

  summarise(sums: readonly number[], steps: number): Record<string, number> {
    const images = steps * this.batchSize;
    return {
      loss: this.#total(sums[COLUMN.crossEntropy]! / steps, sums[COLUMN.smoothL1]! / steps),
      acc: sums[COLUMN.correct]! / images,
      mae: sums[COLUMN.distance]! / images * this.#massStd,
    };
  }

  async validate(progress: Progress): Promise<{ loss: number; acc: number; mae: number }> {
    const { split, labels, mass } = this.#data;
    const { logits, mass: predicted } = await this.#predictor.predict(split.val, progress);
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

  info(history: History): WeightsInfo {
    const { norm_scale: normScale } = this.#config.data;
    return { model: this.model.config, massMean: this.#massMean, massStd: this.#massStd, normScale, history };
  }

  [Symbol.dispose](): void {
    for (const part of [this.plan, this.#predictor, this.#buffers, this.optimiser, this.model.parameters]) part[Symbol.dispose]();
    for (const { storage } of [this.#label, this.#goal, this.#step, this.table, this.report]) storage.place.buffer.destroy();
  }

  #record(): Plan {
    const { model } = this;
    const { training, data, augment } = this.#config;
    const tape = new Tape(this.#gpu, { training: true, step: this.#step });
    const { channels, size } = this.#data.images;
    const patch = model.config.patch_size;
    const augmentation = finetuneAugmentation(augment, data.augment);
    const patches = imagePatches(tape, this.#buffers.tensors, { channels, size, patch }, data.norm_scale, 1, augmentation);
    const { logits, mass } = model.heads(tape, model.features(tape, patches));
    const classes = crossEntropy(tape, logits, this.#label, training.lambda_cls);
    const masses = smoothL1(tape, mass, this.#goal, training.lambda_reg);
    recordTotal(tape, classes.loss, this.table, COLUMN.crossEntropy, 1 / this.batchSize);
    recordTotal(tape, masses.loss, this.table, COLUMN.smoothL1, 1 / this.batchSize);
    recordTotal(tape, classes.correct, this.table, COLUMN.correct);
    recordTotal(tape, masses.distance, this.table, COLUMN.distance);
    tape.backward(classes.loss, masses.loss);
    this.optimiser.update(tape, this.report);
    return tape.compile();
  }

  #normalise(mass: number): number {
    return (mass - this.#massMean) / this.#massStd;
  }

  #total(crossEntropy: number, smoothL1: number): number {
    const { lambda_cls, lambda_reg } = this.#config.training;
    return lambda_cls * crossEntropy + lambda_reg * smoothL1;
  }
}

/** Mean and population standard deviation; a deviation of 0 counts as 1. */
export function meanAndDeviation(values: readonly number[]): [mean: number, deviation: number] {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
  return [mean, Math.sqrt(variance) || 1];
}
