/**
 * @file What must hold of a configuration and its data before the first step: where it does not, the mathematics still gives
 * numbers, and they mean nothing.
 */

import type { RunConfig } from "../config/keys.ts";
import { ConfigError } from "../config/parse.ts";
import { DataError } from "../data/errors.ts";
import { describe, LARGEST_MASS } from "../data/statistics.ts";
import { inWords, type Target, withUnit } from "../data/targets.ts";
import { formatCount } from "../format.ts";
import { checkModel, gridOf, modelOf, PUBLISHED_MODEL } from "../nn/config.ts";
import { Declarations } from "../nn/layers.ts";
import { type LinearViTOptions, shapesOf } from "../nn/linear_vit.ts";
import { sizeOf } from "../tensor/tensor.ts";

/** With gradient and moments such a model takes 16 GB. */
const MOST_WEIGHTS = 10 ** 9;
/** Deviations of the other images that one may lie away from their mean. */
const FARTHEST = 1000;
/** Deviation over mean below which masses count as equal. */
const SMALLEST_SPREAD = 0.01;

/**
 * Checks sizes and rates that no data are needed for.
 *
 * @throws {ConfigError} naming the key
 */
export function checkTraining(config: RunConfig): void {
  try {
    checkModel(config.model);
  } catch (error) {
    throw new ConfigError((error as Error).message);
  }
  checkSize(config);
  const { lambda_cls, lambda_reg } = config.training;
  if (lambda_cls === 0 && lambda_reg === 0) {
    throw new ConfigError(
      "training.lambda_cls and training.lambda_reg are both 0: there is nothing to learn. Set one of them to 1",
    );
  }
  const { augment: { roll, max_towers }, model: { img_size, patch_size } } = config;
  if (roll === "towers" && max_towers >= Math.floor(img_size / patch_size)) {
    throw new ConfigError(
      `augment.max_towers ${max_towers} may shift an image of ${
        Math.floor(img_size / patch_size)
      } towers out of itself. Use fewer, such as 2`,
    );
  }
}

/**
 * Checks that a step makes weights smaller.
 *
 * @param rates keys of the learning rates that weights are trained with
 * @throws {ConfigError} if it would turn them around
 */
export function checkDecay({ training }: Pick<RunConfig, "training">, rates: readonly ("lr" | "backbone_lr" | "head_lr")[]): void {
  const { weight_decay } = training;
  // of rates above 1 the decay is not what is wrong
  const decay = weight_decay * Math.min(1, Math.max(...rates.map((key) => training[key])));
  if (decay < 1) return;
  throw new ConfigError(
    `training.weight_decay ${weight_decay} times the learning rate is ${
      Number(decay.toPrecision(3))
    }: a step would turn weights around instead of making them smaller. Use a smaller training.weight_decay, such as 0.01`,
  );
}

/**
 * Checks that no machine is asked for more than any has.
 *
 * @param extra declares what is trained beside the model, such as a decoder
 * @throws {ConfigError} naming the keys that decide about it
 */
export function checkSize(config: Pick<RunConfig, "model" | "data">, extra?: LinearViTOptions["extra"]): void {
  const sizes = modelOf(config);
  const weightsOf = (shapes: Iterable<readonly number[]>) => [...shapes].reduce((sum, shape) => sum + sizeOf(shape), 0);
  const weights = weightsOf(shapesOf(sizes).values());
  if (weights > MOST_WEIGHTS) {
    throw new ConfigError(
      `The model would have ${formatCount(weights)} weights, and ${formatCount(MOST_WEIGHTS)} are the most. Use a smaller ` +
        "model.embed_dim, model.depth, model.mlp_ratio, model.head_hidden or model.num_classes",
    );
  }
  const beside = new Declarations();
  extra?.(beside);
  const more = weightsOf(beside.all.map(({ shape }) => shape));
  if (weights + more > MOST_WEIGHTS) {
    throw new ConfigError(
      `What is trained beside the model would have ${formatCount(more)} weights, and ${formatCount(MOST_WEIGHTS)} are the most. ` +
        "Use a smaller model.projection_dim, mae.decoder_embed_dim or mae.decoder_depth",
    );
  }
  const grid = gridOf(sizes), widest = Math.max(PUBLISHED_MODEL.lcm_kernel, 2 * grid - 1);
  if (sizes.lcm_kernel > widest) {
    throw new ConfigError(
      `model.lcm_kernel must be at most ${widest}, an image being ${grid} x ${grid} patches: it is ${sizes.lcm_kernel}, ` +
        "most of which would never meet one",
    );
  }
}

/**
 * Checks that the training images fill a batch.
 *
 * @returns steps of an epoch; the last partial batch is left out
 * @throws {ConfigError} with the numbers of both
 */
export function stepsPerEpoch(batchSize: number, images: number): number {
  const steps = Math.floor(images / batchSize);
  if (steps > 0) return steps;
  throw new ConfigError(
    `data.batch_size is ${batchSize} and there are ${images} training images: use a smaller batch or more data`,
  );
}

/**
 * Checks that a target can be learned from: no image may lie so far from all others that their differences vanish beside it.
 *
 * @param logarithms true if those are learned
 * @throws {DataError} naming the image
 */
export function checkTarget(target: Target & { readonly values: Float64Array }, path: string, logarithms = false): void {
  const { name, values } = target, show = (value: number) => withUnit(String(value), target);
  const refuse = (image: number, why: string) => {
    throw new DataError(
      `${path}: ${inWords(target)} of image ${image} is ${show(values[image]!)}, ${why}. Remove that image, or mend its ${name}`,
    );
  };
  const beyond = values.findIndex((value) => Math.abs(value) > LARGEST_MASS);
  if (beyond >= 0) refuse(beyond, `which is no ${name} in any unit`);
  const none = logarithms ? values.findIndex((value) => value <= 0) : -1;
  if (none >= 0) refuse(none, "which has no logarithm (training.log_target)");
  const { mean } = describe(values);
  let farthest = 0;
  values.forEach((value, i) => {
    if (Math.abs(value - mean) > Math.abs(values[farthest]! - mean)) farthest = i;
  });
  const others = describe(values.filter((_, i) => i !== farthest));
  const unit = Math.max(others.std, SMALLEST_SPREAD * Math.abs(others.mean));
  if (Math.abs(values[farthest]! - others.mean) <= FARTHEST * unit) return;
  refuse(farthest, `and the ${values.length - 1} others lie between ${others.least} and ${show(others.most)}`);
}

/**
 * Checks that there are classes to tell apart.
 *
 * @param labels class of each image
 * @param train numbers of the training images
 * @throws {DataError} if all training images are of one class, and the class is to be learned
 */
export function checkClasses(
  labels: Float64Array,
  train: Uint32Array,
  { training }: Pick<RunConfig, "training">,
  path: string,
): void {
  const first = labels[train[0]!];
  if (training.lambda_cls === 0 || train.some((image) => labels[image] !== first)) return;
  throw new DataError(
    `${path}: all ${train.length} training images are of class ${first}, and a classifier needs two classes to tell apart. ` +
      "Use images of other classes too; to train the mass alone, set training.lambda_cls=0",
  );
}
