/** @file A model's predictions, one for each image. */

import { MASS, type Target } from "../data/targets.ts";
import type { Gpu } from "../gpu/device.ts";
import type { WorkOptions } from "../interrupted.ts";
import type { CsvCell } from "../io/csv.ts";
import { LinearViT } from "../nn/linear_vit.ts";
import { valueOf } from "../weights/target_scale.ts";
import { fitWeights, type Weights } from "../weights/weights.ts";
import { argmax, softmax } from "../arrays.ts";
import { checkOutputs } from "./outputs.ts";
import type { InputImages } from "../input/input_images.ts";
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
  /** What else is predicted, in the order and the units of the weights' targets: the mass in GeV, if there are no others. */
  readonly targets: readonly number[];
}

/** How images are predicted. */
export interface PredictOptions extends WorkOptions {
  /** Means over the four flips of each image. */
  readonly flips?: boolean;
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
  { flips = false, ...options }: PredictOptions = {},
): AsyncGenerator<ImagePrediction> {
  const model = new LinearViT(gpu, weights.model);
  using _parameters = model.parameters;
  model.parameters.load(fitWeights(weights, weights.model, true));
  // of four views there are as many rows as of one
  const atOnce = Math.min(flips ? Math.ceil(batch / 4) : batch, images.length);
  using map = new ImageMap(gpu, model, data, atOnce, weights, headOutputs, flips);
  const classes = weights.model.num_classes, { length: width } = weights.targets;
  const columns = { targets: weights.targets.map(({ name }) => name) };
  for await (const piece of map.pieces(images, { ...options, weights: weights.path, columns })) {
    for (const [i, image] of piece.images.entries()) {
      yield meanPrediction(piece.views.map(({ logits, targets }) => {
        const [scores, outputs] = [logits.subarray(i * classes, (i + 1) * classes), targets.subarray(i * width, (i + 1) * width)];
        return imagePrediction(image, scores, outputs, weights);
      }));
    }
  }
}

/**
 * What several models say about each image; their mean is {@linkcode meanPrediction}.
 *
 * @param members weights of the models, at least one; they tell the same classes apart
 * @throws {OutputError} if a prediction is not finite
 * @throws {Interrupted} if the signal was aborted
 */
export async function* predictEnsemble(
  gpu: Gpu,
  members: readonly Weights[],
  data: InputImages,
  images: ArrayLike<number>,
  batch: number,
  { progress, ...options }: PredictOptions = {},
): AsyncGenerator<ImagePrediction[]> {
  const streams = members.map((weights, i) => {
    return predictImages(gpu, weights, data, images, batch, { ...options, ...(i === 0 && progress && { progress }) });
  });
  try {
    for (let i = 0; i < images.length; i++) {
      const predictions: ImagePrediction[] = [];
      for (const stream of streams) predictions.push((await stream.next()).value as ImagePrediction);
      yield predictions;
    }
  } finally {
    for (const stream of streams) await stream.return(undefined);
  }
}

/**
 * The mean of several predictions of one image, number by number; its class is the one with the largest mean probability.
 *
 * @param predictions at least one
 */
export function meanPrediction(predictions: readonly ImagePrediction[]): ImagePrediction {
  const [first] = predictions;
  if (predictions.length === 1) return first!;
  const mean = (of: (prediction: ImagePrediction) => number) => {
    return predictions.reduce((sum, prediction) => sum + of(prediction), 0) / predictions.length;
  };
  const probabilities = first!.probabilities.map((_, c) => mean((prediction) => prediction.probabilities[c]!));
  const logits = first!.logits.map((_, c) => mean((prediction) => prediction.logits[c]!));
  const targets = first!.targets.map((_, t) => mean((prediction) => prediction.targets[t]!));
  return { index: first!.index, logits, probabilities, class: argmax(probabilities), targets };
}

/**
 * What the model's outputs for one image mean.
 *
 * @param index number of the image
 * @param logits class scores
 * @param outputs of each target, on its scale
 * @throws {OutputError} if a value exceeds all numbers
 */
export function imagePrediction(
  index: number,
  logits: ArrayLike<number>,
  outputs: ArrayLike<number>,
  { path, targets }: Pick<Weights, "path" | "targets">,
): ImagePrediction {
  const row = Array.from(logits), values = targets.map((target, t) => valueOf(outputs[t]!, target));
  for (const [t, { name }] of targets.entries()) checkOutputs(path, "targets", [values[t]!], [index], [name]);
  return { index, logits: row, probabilities: softmax(row), class: argmax(row), targets: values };
}

/** Column names of the CSV of {@linkcode csvRow}. */
export function csvHeader(classes: number, targets: readonly Target[] = [MASS]): string[] {
  const numbered = (name: string) => Array.from({ length: classes }, (_, c) => `${name}_${c}`);
  return ["index", ...numbered("logit"), ...numbered("prob"), "class", ...columnNames(targets)];
}

/** Columns of predictions that are none of a target, here or in the tables of deno task eval. */
const OTHER_COLUMN = /^(index|(logit|prob)_\d+|class|model|member|label|weight|pt)$/;

/** Names of the targets' columns, such as "mass"; one that another column has ends in underscores, as many as it takes. */
export function columnNames(targets: readonly Target[]): string[] {
  const taken = new Set<string>();
  return targets.map(({ name }) => {
    let unique = name;
    while (OTHER_COLUMN.test(unique) || taken.has(unique)) unique += "_";
    for (const column of [unique, `${unique}_true`]) taken.add(column);
    return unique;
  });
}

/** One prediction, every number with all its digits. */
export function csvRow({ index, logits, probabilities, class: chosen, targets }: ImagePrediction): CsvCell[] {
  return [index, ...logits, ...probabilities, chosen, ...targets];
}
