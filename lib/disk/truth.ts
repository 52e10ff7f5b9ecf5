/** @file What is known of images beside what they show: classes, masses, event weights. */

import type { RunConfig } from "../config/keys.ts";
import { describeNegative, describeZeroEnd, describeZeros } from "../data/empty.ts";
import { DataError } from "../data/errors.ts";
import { checkEventWeights, describeWeights } from "../data/event_weights.ts";
import { labelProblem } from "../data/labels.ts";
import type { Loader } from "./loader.ts";

/** How what is missing is taken. */
export interface TruthOptions {
  /** Goes without classes or without masses where the files have none; otherwise only what the loss does not use may be missing. */
  readonly lenient?: boolean;
  /** Told what the user should know, and is no reason to stop. */
  readonly notice?: (line: string) => void;
}

/** What is known of each image. */
export interface Truth {
  /** Class of each, NaN if there are none. */
  readonly labels: Float64Array;
  /** Mass of each in GeV, NaN if there are none. */
  readonly mass: Float64Array;
  /** What each counts, if they have weights. */
  readonly weights: Float64Array | undefined;
  /** Transverse momentum of each in GeV, if it is known. */
  readonly pt: Float64Array | undefined;
}

/**
 * Reads what is known of images, as far as it is there and need not be.
 *
 * @throws {DataError} if what is needed is missing, or holds what it may not
 */
export async function readTruth(
  loader: Loader,
  { model, training, data: { keys } }: RunConfig,
  path: string,
  { lenient = false, notice }: TruthOptions,
): Promise<Truth> {
  const either = (["labels", "mass"] as const).some((quantity) => loader.has(quantity));
  const read = async (quantity: "labels" | "mass", what: string, lossWeight: number) => {
    const isNamed = keys[quantity] !== "";
    if (loader.has(quantity) || isNamed || !either || (!lenient && lossWeight > 0)) return await loader.scalars(quantity);
    notice?.(`${path}: it has no ${what}: what needs them is not defined`);
    return new Float64Array(loader.count).fill(NaN);
  };
  const labels = await read("labels", "classes", training.lambda_cls), mass = await read("mass", "masses", training.lambda_reg);
  if (!Number.isNaN(labels[0])) checkLabels(labels, model.num_classes, path);
  const weights = keys.weight === "" ? undefined : await loader.scalars("weight");
  if (weights) checkEventWeights(weights, path, keys.weight);
  const odd = [describeZeroEnd(labels), describeZeros("masses", mass), describeNegative("masses", mass)];
  for (const line of [...odd, weights && describeWeights(weights)]) if (line !== undefined) notice?.(`${path}: ${line}`);
  return { labels, mass, weights, pt: loader.has("pt") ? await loader.scalars("pt") : undefined };
}

function checkLabels(labels: Float64Array, classes: number, path: string): void {
  const problem = labelProblem(labels, classes);
  if (problem !== undefined) throw new DataError(`${path}: ${problem}`);
}
