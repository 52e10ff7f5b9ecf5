/** @file Sizes and rates of a model. */

import { defaultConfig, type RunConfig } from "../config/keys.ts";
import { targetNames } from "../config/targets.ts";

/** Everything that determines a {@linkcode LinearViT}'s shape and its behaviour in training; lib/config/keys.ts describes each key. */
export type ModelConfig = Readonly<Omit<RunConfig["model"], "projection_dim">> & {
  /** Numbers that are learned of each image beside its class; 1 if not given. */
  readonly num_targets?: number;
};

/** The published model: 5,111,579 parameters. */
export const PUBLISHED_MODEL: ModelConfig = publishedModel();

function publishedModel(): ModelConfig {
  const { projection_dim: _, ...model } = defaultConfig().model;
  return model;
}

/** The model that a run trains: sizes and rates of its configuration, with an output for each of its targets. */
export function modelOf({ model, data }: Pick<RunConfig, "model" | "data">): ModelConfig {
  const { length: targets } = targetNames(data);
  return targets > 1 ? { ...model, num_targets: targets } : model;
}

/** Side of the token grid. */
export function gridOf(config: ModelConfig): number {
  return Math.floor(config.img_size / config.patch_size);
}

/** Hidden width of the MLP; the product of a ratio that was computed misses the whole number by a rounding. */
export function hiddenOf(config: ModelConfig): number {
  return Math.round(config.embed_dim * config.mlp_ratio);
}

/** True if a model can read images of a size: pixels beyond the last whole patch are left out, so several sizes give its grid. */
export function readsImages(
  config: ModelConfig,
  { size, channels }: { readonly size: number; readonly channels: number },
): boolean {
  return Math.floor(size / config.patch_size) === gridOf(config) && channels === config.in_channels;
}

/**
 * Checks that sizes fit together.
 *
 * @throws {RangeError} naming the key, what is wrong and what would do
 */
export function checkModel(config: ModelConfig): void {
  const fail = (text: string) => {
    throw new RangeError(text);
  };
  if (config.embed_dim % config.num_heads !== 0) {
    fail(`model.embed_dim must be a multiple of model.num_heads: ${config.embed_dim} is not a multiple of ${config.num_heads}`);
  }
  if (config.patch_size > config.img_size) {
    fail(`model.patch_size must not exceed model.img_size: ${config.patch_size} is more than ${config.img_size}`);
  }
  if (config.lcm_kernel % 2 !== 1) fail(`model.lcm_kernel must be odd: it is ${config.lcm_kernel}`);
  if (Math.abs(config.embed_dim * config.mlp_ratio - hiddenOf(config)) > 1e-9) {
    fail(`model.mlp_ratio times model.embed_dim must be a whole number: it is ${config.embed_dim * config.mlp_ratio}`);
  }
}
