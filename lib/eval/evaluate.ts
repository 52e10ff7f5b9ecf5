/** @file A model judged on the test split: measures, and one row per image. */

import type { Progress } from "../data/packed.ts";
import type { Gpu } from "../gpu/device.ts";
import { LinearViT } from "../nn/linear_vit.ts";
import { fitWeights, type Weights } from "../nn/weights.ts";
import { accuracy, argmax, meanAbsoluteError, meanSquaredError, rocAuc, softmax } from "./metrics.ts";
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

/** Measures on a test split. */
export interface Metrics {
  /** Number of test images. */
  readonly images: number;
  /** Share of images whose class is right. */
  readonly accuracy: number;
  /** Area under the ROC curve of class 1; null unless there are two classes. */
  readonly roc_auc: number | null;
  /** GeV. */
  readonly mass_mae: number;
  /** GeV^2. */
  readonly mass_mse: number;
}

/**
 * Predicts images with the weights of a file.
 *
 * @param images their numbers
 * @param batch images at a time
 */
export async function predictImages(
  gpu: Gpu,
  weights: Weights,
  data: PredictedImages,
  images: ArrayLike<number>,
  batch: number,
  progress?: Progress,
): Promise<ImagePrediction[]> {
  const model = new LinearViT(gpu, weights.model);
  using _parameters = model.parameters;
  model.parameters.load(fitWeights(weights, weights.model, true));
  using predictor = new Predictor(gpu, model, data, Math.min(batch, images.length), weights.normScale);
  const { logits, mass } = await predictor.predict(images, progress);
  const classes = weights.model.num_classes;
  return Array.from(images, (index, i) => {
    const row = Array.from(logits.subarray(i * classes, (i + 1) * classes));
    return {
      index,
      logits: row,
      probabilities: softmax(row),
      class: argmax(row),
      mass: mass[i]! * weights.massStd + weights.massMean,
    };
  });
}

/** Measures of predictions against the truth. */
export function measure(predictions: readonly ImagePrediction[], labels: ArrayLike<number>, mass: ArrayLike<number>): Metrics {
  const truth = predictions.map(({ index }) => labels[index]!);
  const trueMass = predictions.map(({ index }) => mass[index]!);
  const predictedMass = predictions.map((p) => p.mass);
  const binary = predictions[0]?.logits.length === 2;
  const auc = binary ? rocAuc(predictions.map((p) => p.probabilities[1]!), truth) : NaN;
  return {
    images: predictions.length,
    accuracy: accuracy(predictions.map((p) => p.class), truth),
    roc_auc: Number.isFinite(auc) ? auc : null,
    mass_mae: meanAbsoluteError(predictedMass, trueMass),
    mass_mse: meanSquaredError(predictedMass, trueMass),
  };
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
