/** @file A model's predictions, one for each image. */

import type { Gpu } from "../gpu/device.ts";
import type { WorkOptions } from "../interrupted.ts";
import { LinearViT } from "../nn/linear_vit.ts";
import { fitWeights, type Weights } from "../nn/weights.ts";
import { argmax, softmax } from "./metrics.ts";
import { type PredictedImages, Predictor } from "./predictor.ts";

/** What a model says about one image. */
export interface ImagePrediction {
  /** Number of the image in its file. */
  readonly index: number;
  /** Class scores before softmax. */
  readonly logits: readonly number[];
  /** Softmax of the scores. */
  readonly probabilities: readonly number[];
  /** Class with the largest score. */
  readonly class: number;
  /** In GeV. */
  readonly mass: number;
}

/**
 * Predicts images with the weights of a file.
 *
 * @param images their numbers
 * @param batch images at a time
 * @throws {Interrupted} if the signal was aborted
 */
export async function predictImages(
  gpu: Gpu,
  weights: Weights,
  data: PredictedImages,
  images: ArrayLike<number>,
  batch: number,
  options?: WorkOptions,
): Promise<ImagePrediction[]> {
  const model = new LinearViT(gpu, weights.model);
  using _parameters = model.parameters;
  model.parameters.load(fitWeights(weights, weights.model, true));
  using predictor = new Predictor(gpu, model, data, Math.min(batch, images.length), weights.normScale);
  const { logits, mass } = await predictor.predict(images, options);
  const classes = weights.model.num_classes;
  return Array.from(images, (index, i) => {
    return imagePrediction(index, logits.subarray(i * classes, (i + 1) * classes), mass[i]!, weights);
  });
}

/**
 * What the model's outputs for one image mean.
 *
 * @param index number of the image
 * @param logits class scores
 * @param mass in units of the weights' massStd around massMean
 */
export function imagePrediction(
  index: number,
  logits: ArrayLike<number>,
  mass: number,
  { massMean, massStd }: Pick<Weights, "massMean" | "massStd">,
): ImagePrediction {
  const row = Array.from(logits);
  return { index, logits: row, probabilities: softmax(row), class: argmax(row), mass: mass * massStd + massMean };
}

/** Column names of the CSV of {@linkcode csvRow}. */
export function csvHeader(classes: number): string[] {
  const numbered = (name: string) => Array.from({ length: classes }, (_, c) => `${name}_${c}`);
  return ["index", ...numbered("logit"), ...numbered("prob"), "class", "mass"];
}

/** One prediction, every number with all its digits. */
export function csvRow({ index, logits, probabilities, class: chosen, mass }: ImagePrediction): string[] {
  return [index, ...logits, ...probabilities, chosen, mass].map(String);
}
