/** @file Weights as tasks take them: what their file does not say can be said on the command line, and what is assumed is printed. */

import { parseConfig, type RunConfig } from "../config.ts";
import { checkModel } from "../nn/config.ts";
import { readWeights, type Weights } from "../nn/weights.ts";
import { type Assumable, describeAssumed, MASS_SCALE } from "../nn/weights_info.ts";
import type { ConsoleReporter } from "./console.ts";
import { rooted } from "./paths.ts";
import { type Arguments, UsageError } from "./task.ts";

/** Options of tasks that use weights. */
export const WEIGHT_OPTIONS = {
  "set=KEY=VALUE": "what the weights' file does not tell, such as model.denominator_floor=1, data.norm_scale=1 or mass_mean=142.5",
} as const;

/** Weights, and a configuration for reading their data. */
export interface OpenedWeights {
  readonly weights: Weights;
  readonly config: RunConfig;
}

/**
 * Reads weights, applies `--set` to what their file says, and prints what neither tells.
 *
 * @param path as given on the command line
 * @param ignored numbers that the task does not use
 * @throws {UsageError} if a value cannot be
 */
export function openWeights(
  path: string,
  args: Pick<Arguments, "all">,
  reporter: Pick<ConsoleReporter, "line">,
  ignored: readonly Assumable[] = [],
): OpenedWeights {
  const opened = overrideWeights(readWeights(rooted(path)), args);
  const line = describeAssumed(opened.weights, ignored);
  if (line !== undefined) reporter.line(`${line}. Give what you know with --set KEY=VALUE`);
  return opened;
}

/**
 * Applies `--set` to what a weight file says: keys under model, data.norm_scale and data.batch_size, mass_mean and mass_std.
 *
 * @returns the weights with those values, and a configuration for reading their data
 */
export function overrideWeights(weights: Weights, args: Pick<Arguments, "all">): OpenedWeights {
  const given = args.all("set"), keyOf = (pair: string) => pair.split("=", 1)[0]!;
  const isMass = (pair: string) => MASS_SCALE.some((key) => key === keyOf(pair));
  const known = { model: weights.model, data: { norm_scale: weights.normScale } };
  const config = parseConfig(JSON.stringify(known), weights.path, given.filter((pair) => !isMass(pair)));
  const { projection_dim: _, ...model } = config.model;
  checkModel(model);
  const mass = new Map(given.filter(isMass).map((pair) => [keyOf(pair), massValue(pair)]));
  const set = new Set(given.map(keyOf));
  return {
    weights: {
      ...weights,
      model,
      normScale: config.data.norm_scale,
      massMean: mass.get("mass_mean") ?? weights.massMean,
      massStd: mass.get("mass_std") ?? weights.massStd,
      assumed: weights.assumed.filter((key) => !set.has(key)),
    },
    config,
  };
}

function massValue(pair: string): number {
  const [key, text] = pair.split("=") as [string, string];
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || (key === "mass_std" && value <= 0)) {
    throw new UsageError(`--set ${pair}: ${key} must be a number${key === "mass_std" ? " above 0" : ""}, in GeV`);
  }
  return value;
}
