/**
 * @file Event weights: how much each image counts in losses, measures and figures.
 *
 * An image of weight 0 is left out, as if it were not there. Negative weights, which some generators give, are refused: a loss with
 * them has no smallest value, and a threshold may lose images as it is lowered.
 */

import { formatCount } from "../format.ts";
import { DataError } from "./errors.ts";

/**
 * Checks event weights.
 *
 * @param name of their dataset
 * @throws {DataError} if one is negative, or all are 0
 */
export function checkEventWeights(weights: Float64Array, path: string, name: string): void {
  const negative = weights.findIndex((weight) => weight < 0);
  const fail = (why: string) => new DataError(`${path}: dataset "${name}" (data.keys.weight) ${why}`);
  if (negative >= 0) {
    throw fail(
      `holds ${
        weights[negative]
      } at row ${negative}: losses, areas under curves and quantiles are not defined for negative weights. ` +
        "Store their absolute values, or leave these images out with a weight of 0",
    );
  }
  if (weights.every((weight) => weight === 0)) throw fail("holds nothing but 0: no image would count");
}

/** What there is to say about weights of 0; undefined if there are none. */
export function describeWeights(weights: Float64Array): string | undefined {
  const count = weights.reduce((sum, weight) => sum + (weight === 0 ? 1 : 0), 0);
  return count === 0
    ? undefined
    : `${formatCount(count)} of ${formatCount(weights.length)} images have a weight of 0 and are left out`;
}

/**
 * `compute_class_weight("balanced")` of scikit-learn, with event weights: all classes that occur weigh the same.
 *
 * @param labels class of each image that counts
 * @param weights of each of them
 * @returns a factor for each class, whose mean over the images is 1; 1 for classes that do not occur
 */
export function balancedWeights(labels: readonly number[], weights: readonly number[], classes: number): number[] {
  const sums = new Array<number>(classes).fill(0);
  labels.forEach((label, i) => sums[label]! += weights[i]!);
  const all = sums.reduce((a, b) => a + b, 0), occurring = sums.filter((sum) => sum > 0).length;
  return sums.map((sum) => sum > 0 ? all / (occurring * sum) : 1);
}
