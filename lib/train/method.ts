/** @file What differs between pretraining and finetuning, as the trainer sees it. */

import type { Progress } from "../data/packed.ts";
import type { Plan } from "../gpu/plan.ts";
import { MOST_PENDING } from "../gpu/pacer.ts";
import type { WeightsInfo } from "../nn/weights.ts";
import type { LinearViT } from "../nn/linear_vit.ts";
import type { AdamW } from "../tensor/ops/adamw.ts";
import type { StepNumbers } from "../tensor/step.ts";
import type { PlacedTensor } from "../tensor/tensor.ts";

/** Rows of the tables that steps write their results to; as many as may be pending. */
export const TABLE_ROWS: number = MOST_PENDING;

/** Curves by name: one value an epoch. */
export type History = Record<string, number[]>;

/** A way to train a model. */
export interface Method {
  /** The model that is trained. */
  readonly model: LinearViT;
  /** Its optimiser. */
  readonly optimiser: AdamW;
  /** A step: forward, backward and update. */
  readonly plan: Plan;
  /** Numbers of the training images. */
  readonly images: Uint32Array;
  /** Images in a step. */
  readonly batchSize: number;
  /** Batches that each batch normalisation sees in a step. */
  readonly batchesPerStep: number;
  /** (TABLE_ROWS, columns): results of each step. */
  readonly table: PlacedTensor;
  /** (TABLE_ROWS, 2): gradient norm, and whether the step was skipped. */
  readonly report: PlacedTensor;

  /** Uploads a batch and submits a step. */
  run(images: Uint32Array, numbers: StepNumbers): void;
  /** Learning rate of each parameter group at a factor of the schedule. */
  learningRates(factor: number): number[];
  /** Metrics of an epoch from the sums of the table's columns over its steps. */
  summarise(sums: readonly number[], steps: number): Record<string, number>;
  /** Metrics on the validation images; "loss" decides about stopping. */
  validate(progress: Progress): Promise<Record<string, number> & { loss: number }>;
  /** What is known about the weights, for their file. */
  info(history: History): WeightsInfo;
  /** Frees the buffers. */
  [Symbol.dispose](): void;
}
