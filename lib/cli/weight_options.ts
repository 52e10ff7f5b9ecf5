/** @file Weights as tasks take them: what their file does not say can be said on the command line; what is assumed is printed. */

import type { RunConfig } from "../config/keys.ts";
import { parseConfig } from "../config/parse.ts";
import { targetNames } from "../config/targets.ts";
import { isMassAlone, listTargets } from "../data/targets.ts";
import { checkModel, modelOf } from "../nn/config.ts";
import { readWeights } from "../disk/weight_files.ts";
import { fitWeights, type Weights, WeightsError } from "../weights/weights.ts";
import { ASSUMABLE, type Assumable, describeAssumed, describeUntrained, MASS_SCALE } from "../weights/weights_info.ts";
import type { StateDict } from "../tensor/parameters.ts";
import { pixelScale } from "../train/augmentation.ts";
import type { ConsoleReporter } from "./console.ts";
import { rooted } from "./paths.ts";
import { type Arguments, UsageError } from "./task.ts";

/** Options of tasks that use weights. */
export const WEIGHT_OPTIONS = {
  "set=KEY=VALUE": "what the weights' file does not tell, such as model.denominator_floor=1, data.norm_scale=1 or mass_mean=142.5",
} as const;

/** Options of tasks that predict. */
export const AVERAGE_OPTION = { "average=flips": "mean of what is predicted of an image and of its three mirror images" } as const;

/** Whether predictions are means over the four flips of an image. */
export function averagesFlips(args: Pick<Arguments, "get">): boolean {
  const given = args.get("average");
  if (given === undefined || given === "flips") return given !== undefined;
  throw new UsageError(`--average ${given}: the one mean that there is is that over flips`);
}

const IMAGES = [
  "model.denominator_floor",
  "model.tokens",
  "model.lcm",
  "model.img_size",
  "data.norm_scale",
  "data.transform",
  "data.batch_size",
  "data.cache_dir",
  "data.gpu_share",
  "data.keys.images",
];
const TRUTH = ["data.keys.labels", "data.keys.mass", "data.keys.targets", "data.keys.weight"];
const SPLIT = ["data.labelled_path", "data.class_of", "data.seed"];

/** Keys that `--set` takes, task by task: those that the task uses and that the file's tensors do not tell. */
const SETTABLE = {
  predict: [...IMAGES, ...MASS_SCALE],
  explain: [...IMAGES, ...TRUTH, ...MASS_SCALE],
  eval: [...IMAGES, ...TRUTH, ...SPLIT, ...MASS_SCALE],
  probe: [...IMAGES, ...TRUTH, ...SPLIT],
  export: ["model.denominator_floor", "model.img_size", "data.norm_scale", "data.transform", ...MASS_SCALE],
} as const satisfies Record<string, readonly string[]>;

/** A task that uses weights. */
export type WeightTask = keyof typeof SETTABLE;

/** Weights, and a configuration for reading their data. */
export interface OpenedWeights {
  readonly weights: Weights;
  readonly config: RunConfig;
}

/**
 * Reads weights, applies `--set` to what their file says, and prints what neither tells.
 *
 * @param path as given on the command line
 * @throws {UsageError} if a key is not used or cannot have the value, or if there are no heads for what the task predicts
 */
export function openWeights(
  path: string,
  task: WeightTask,
  args: Pick<Arguments, "all">,
  reporter: Pick<ConsoleReporter, "line">,
): OpenedWeights {
  const keys: readonly string[] = SETTABLE[task];
  const opened = overrideWeights(readWeights(rooted(path)), args, keys, task !== "probe"), { untrained } = opened.weights;
  const chance = task === "probe" ? undefined : describeUntrained(opened.weights);
  // a probe looks at the backbone alone, and an exported one may be finetuned elsewhere
  if (chance !== undefined && task !== "export" && untrained.length > 1) {
    throw new UsageError(`${chance}. Finetune it first, or evaluate it with deno task probe`);
  }
  if (chance !== undefined) reporter.line(chance);
  const line = describeAssumed(opened.weights, MASS_SCALE.filter((key) => !keys.includes(key)));
  if (line !== undefined) reporter.line(`${line}. Give what you know with --set KEY=VALUE`);
  return opened;
}

/**
 * Applies `--set` to what a weight file says.
 *
 * @param predicts true if targets are those that the weights predict, false if any may be looked for in their features
 */
function overrideWeights(
  weights: Weights,
  args: Pick<Arguments, "all">,
  keys: readonly string[],
  predicts: boolean,
): OpenedWeights {
  const given = args.all("set"), keyOf = (pair: string) => pair.split("=", 1)[0]!;
  const unused = given.find((pair) => !keys.includes(keyOf(pair)));
  if (unused !== undefined) {
    throw new UsageError(`--set ${unused}: this task does not use that key; it takes ${keys.join(", ")}`);
  }
  const isScale = (pair: string) => MASS_SCALE.some((key) => key === keyOf(pair));
  const { targets } = weights, isMass = isMassAlone(targets), scale = given.find(isScale);
  if (scale !== undefined && !isMass) {
    throw new UsageError(`--set ${scale}: ${weights.path} predicts ${listTargets(targets)}, and not the mass alone`);
  }
  const { num_targets, ...sizes } = weights.model, named = isMass ? {} : { keys: { targets: targets.map(({ name }) => name) } };
  const known = { model: sizes, data: { norm_scale: weights.normScale, transform: weights.transform, ...named } };
  const config = parseConfig(JSON.stringify(known), weights.path, given.filter((pair) => !isScale(pair)));
  const { projection_dim: _, ...own } = config.model, model = { ...own, ...(num_targets !== undefined && { num_targets }) };
  checkModel(model);
  const asked = targetNames(config.data);
  if (predicts && asked.length > 0 && asked.length !== targets.length) {
    throw new UsageError(
      `${weights.path} predicts ${listTargets(targets)}: data.keys.targets has to name ${targets.length} of the datasets`,
    );
  }
  const mass = new Map(given.filter(isScale).map((pair) => [keyOf(pair), massValue(pair)]));
  const set = new Set(given.map(keyOf));
  return {
    weights: {
      ...weights,
      model,
      ...pixelScale(config),
      targets: targets.map((target) => ({
        ...target,
        mean: mass.get("mass_mean") ?? target.mean,
        std: mass.get("mass_std") ?? target.std,
      })),
      assumed: weights.assumed.filter((key) => !set.has(key)),
    },
    config,
  };
}

function massValue(pair: string): number {
  const [key, text] = pair.split("=") as [Assumable, string];
  const value = text.trim() === "" ? NaN : Number(text);
  const expected = ASSUMABLE[key].refuses(value);
  if (expected !== undefined) throw new UsageError(`--set ${pair}: ${key} must be ${expected}, in GeV`);
  return value;
}

/**
 * Weights that training starts from. They mean what they were trained to mean only on images scaled as theirs were, and with
 * their floor of the attention's denominator.
 *
 * @param path as given on the command line or in the configuration
 * @param heads false takes the backbone alone
 * @param mismatch takes weights that were trained on other numbers
 * @throws {WeightsError} if they do not fit the configuration
 */
export function startingWeights(
  path: string,
  config: RunConfig,
  { heads, mismatch }: { readonly heads: boolean; readonly mismatch: boolean },
  reporter: Pick<ConsoleReporter, "line">,
): { readonly start: StateDict; readonly trainedOn: Weights["trainedOn"] } {
  const weights = readWeights(rooted(path));
  const { assumed, normScale, transform, model } = weights;
  // of all tokens, only files of this program say that they are
  const says = model.tokens === "active" || weights.trainedOn.length > 0,
    both = model.tokens === "active" && config.model.tokens === "active",
    regresses = heads && weights.trainedOn.length > 0 && !weights.untrained.includes("masses");
  const names = isMassAlone(weights.targets) ? [] : weights.targets.map(({ name }) => name);
  const facts: (readonly [key: string, theirs: number | string, ours: number | string])[] = [
    ["data.norm_scale", normScale, config.data.norm_scale],
    ["data.transform", transform, config.data.transform],
    ["model.denominator_floor", model.denominator_floor, config.model.denominator_floor],
    ...(says ? [["model.tokens", model.tokens, config.model.tokens] as const] : []),
    ...(both ? [["model.lcm", model.lcm, config.model.lcm] as const] : []),
    ...(regresses ? [["data.keys.targets", names.join(), targetNames(config.data).join()] as const] : []),
  ];
  const isAssumed = (key: string) => assumed.some((name) => name === key);
  const unknown = facts.filter(([key]) => isAssumed(key));
  if (unknown.length > 0) {
    const values = unknown.map(([key, , ours]) => `${key} ${ours}`).join(", ");
    reporter.line(`Assumed, since ${weights.path} does not clearly say: it was trained with ${values}, as the configuration says`);
  }
  const other = facts.filter(([key, theirs, ours]) => !isAssumed(key) && theirs !== ours);
  if (other.length > 0) {
    const shown = (value: number | string) => value === "" ? '""' : value;
    const values = other.map(([key, theirs, ours]) => `${key} ${shown(theirs)}, and the configuration says ${shown(ours)}`).join(
      "; ",
    );
    const line = `${weights.path} was trained with ${values}`;
    if (!mismatch) {
      const set = other.map(([key, theirs]) => `--set ${key}=${theirs}`).join(" ");
      throw new WeightsError(`${line}. Train as it was with ${set}, or take it all the same with --mismatch`);
    }
    reporter.line(`${line}; taken all the same`);
  }
  return { start: fitWeights(weights, modelOf(config), heads), trainedOn: weights.trainedOn };
}
