/**
 * @file What hand-made features reach: a floor for any trained model.
 *
 * Logistic regression for the class (Newton's method) and ridge regression for the mass, on standardised features
 * and their squares, in double precision. Fitted on the training images of a split, judged on its test images.
 */

import type { Split } from "../data/split.ts";
import type { Judged } from "./measures.ts";
import { judgeLinear } from "./probe.ts";
import { standardise } from "./regression.ts";

/**
 * Fits and judges the regressions.
 *
 * @param features of each image
 * @param labels 0 or 1 for each image
 * @param mass of each image in GeV
 * @returns what the regressions say of the test images
 */
export function handMadeFloor(
  features: readonly Float64Array[],
  labels: ArrayLike<number>,
  mass: ArrayLike<number>,
  split: Split,
): Judged {
  return judgeLinear({ labels, classes: 2, mass, split }, expand(features, split.train));
}

/** A one, the features standardised over some images, and their squares. */
function expand(features: readonly Float64Array[], over: Uint32Array): Float64Array[] {
  return standardise(features, over).map((row) => Float64Array.of(1, ...row, ...row.map((value) => value ** 2 - 1)));
}
