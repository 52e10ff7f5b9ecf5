/** @file A model's predictions, one for each image. */

import type { Gpu } from "../gpu/device.ts";
import type { WorkOptions } from "../interrupted.ts";
import type { CsvCell } from "../io/csv.ts";
import { LinearViT } from "../nn/linear_vit.ts";
import { fitWeights, type Weights } from "../weights/weights.ts";
import { argmax, softmax } from "../arrays.ts";
import { checkOutputs } from "./outputs.ts";
import type { InputImages } from "../input/data.ts";
import { headOutputs, ImageMap } from "./image_map.ts";

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
 * Predicts images with the weights of a file, each given out as it comes: the memory does not grow with their number.
 *
 * @param images their numbers
 * @param batch images at a time
 * @throws {OutputError} if a prediction is not finite
 * @throws {Interrupted} if the signal was aborted
 */
export async function* predictImages(
  gpu: Gpu,
  weights: Weights,
  data: InputImages,
  images: ArrayLike<number>,
  batch: number,
  options?: WorkOptions,
): AsyncGenerator<ImagePrediction> {
  const model = new LinearViT(gpu, weights.model);
  using _parameters = model.parameters;
  model.parameters.load(fitWeights(weights, weights.model, true));
  using map = new ImageMap(gpu, model, data, Math.min(batch, images.length), weights.normScale, headOutputs);
  const classes = weights.model.num_classes;
  for await (const piece of map.pieces(images, { ...options, weights: weights.path })) {
    const { logits, mass } = piece.outputs;
    for (const [i, image] of piece.images.entries()) {
      yield imagePrediction(image, logits.subarray(i * classes, (i + 1) * classes), mass[i]!, weights);
    }
  }
}

/**
 * What the model's outputs for one image mean.
 *
 * @param index number of the image
 * @param logits class scores
 * @param mass in units of the weights' massStd around massMean
 * @throws {OutputError} if the mass in GeV exceeds all numbers
 */
export function imagePrediction(
  index: number,
  logits: ArrayLike<number>,
  mass: number,
  { path, massMean, massStd }: Pick<Weights, "path" | "massMean" | "massStd">,
): ImagePrediction {
  const row = Array.from(logits), gev = mass * massStd + massMean;
  checkOutputs(path, "mass", [gev], [index]);
  return { index, logits: row, probabilities: softmax(row), class: argmax(row), mass: gev };
}

/** Column names of the CSV of {@linkcode csvRow}. */
export function csvHeader(classes: number): string[] {
  const numbered = (name: string) => Array.from({ length: classes }, (_, c) => `${name}_${c}`);
  return ["index", ...numbered("logit"), ...numbered("prob"), "class", "mass"];
}

/** One prediction, every number with all its digits. */
export function csvRow({ index, logits, probabilities, class: chosen, mass }: ImagePrediction): CsvCell[] {
  return [index, ...logits, ...probabilities, chosen, mass];
}
