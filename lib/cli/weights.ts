/** @file Weights as tasks take them: what their file does not say can be said on the command line. */

import { parseConfig, type RunConfig } from "../config.ts";
import type { Weights } from "../nn/weights.ts";
import { checkModel } from "../nn/config.ts";
import type { Arguments } from "./task.ts";

/** Options of tasks that use weights. */
export const WEIGHT_OPTIONS = {
  "set=KEY=VALUE": "what the weights' file does not tell, such as model.denominator_floor=1 or data.norm_scale=1",
} as const;

/**
 * Applies `--set` to what a weight file says: keys under model, data.norm_scale and data.batch_size.
 *
 * @returns the weights with those values, and a configuration for reading their data
 */
export function overrideWeights(weights: Weights, args: Pick<Arguments, "all">): { weights: Weights; config: RunConfig } {
  const known = { model: weights.model, data: { norm_scale: weights.normScale } };
  const config = parseConfig(JSON.stringify(known), weights.path, args.all("set"));
  const { projection_dim: _, ...model } = config.model;
  checkModel(model);
  return { weights: { ...weights, model, normScale: config.data.norm_scale }, config };
}
