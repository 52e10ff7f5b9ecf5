/** @file What is known of images beside what they show: classes, masses or other targets, event weights. */

import type { RunConfig } from "../config/keys.ts";
import { targetNames } from "../config/targets.ts";
import { describeNegative, describeZeroEnd, describeZeros } from "../data/empty.ts";
import { DataError } from "../data/errors.ts";
import { checkEventWeights, describeWeights } from "../data/event_weights.ts";
import { labelProblem } from "../data/labels.ts";
import type { JetScalar } from "../data/jets.ts";
import { customaryUnit, MASS, type TargetValues } from "../data/targets.ts";
import type { Loader } from "./loader.ts";

/** What is read of each image for the targets of a configuration: the mass, or what data.keys.targets names. */
export function targetQuantities({ keys }: Pick<RunConfig["data"], "keys">): JetScalar[] {
  const named = targetNames({ keys });
  return named.length > 0 ? named.map((name) => `target ${name}` as const) : ["mass"];
}

/** How what is missing is taken. */
export interface TruthOptions {
  /** Goes without classes or targets where the files have none; otherwise only what the loss does not use may be missing. */
  readonly lenient?: boolean;
  /** Told what the user should know, and is no reason to stop. */
  readonly notice?: (line: string) => void;
}

/** What is known of each image. */
export interface Truth {
  /** Class of each, NaN if there are none. */
  readonly labels: Float64Array;
  /** The mass of each in GeV, or what data.keys.targets names; NaN if there are none. */
  readonly targets: readonly (TargetValues & { readonly values: Float64Array })[];
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
  const named = targetNames({ keys }), quantities = targetQuantities({ keys });
  const any = ["labels" as const, ...quantities].some((quantity) => loader.has(quantity));
  const read = async (quantity: JetScalar, what: string, lossWeight: number) => {
    // a target is named, but may be missing in files for testing
    const isNamed = (quantity === "labels" || quantity === "mass") && keys[quantity] !== "";
    if (loader.has(quantity) || isNamed || !any || (!lenient && lossWeight > 0)) return await loader.scalars(quantity);
    notice?.(`${path}: it has no ${what}: what needs them is not defined`);
    return new Float64Array(loader.count).fill(NaN);
  };
  const labels = await read("labels", "classes", training.lambda_cls), targets: (TargetValues & { values: Float64Array })[] = [];
  for (const [t, quantity] of quantities.entries()) {
    const name = named[t], what = name === undefined ? "masses" : `values of ${name}`;
    const target = name === undefined ? MASS : { name, unit: loader.unitOf(name) ?? customaryUnit(name) };
    targets.push({ ...target, values: await read(quantity, what, training.lambda_reg) });
  }
  if (!Number.isNaN(labels[0])) checkLabels(labels, model.num_classes, path);
  const weights = keys.weight === "" ? undefined : await loader.scalars("weight");
  if (weights) checkEventWeights(weights, path, keys.weight);
  const mass = named.length > 0 ? [] : targets;
  const odd = [
    describeZeroEnd(labels),
    ...mass.flatMap(({ values }) => [describeZeros("masses", values), describeNegative("masses", values)]),
  ];
  for (const line of [...odd, weights && describeWeights(weights)]) if (line !== undefined) notice?.(`${path}: ${line}`);
  return { labels, targets, weights, pt: loader.has("pt") ? await loader.scalars("pt") : undefined };
}

function checkLabels(labels: Float64Array, classes: number, path: string): void {
  const problem = labelProblem(labels, classes);
  if (problem !== undefined) throw new DataError(`${path}: ${problem}`);
}
