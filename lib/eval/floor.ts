/**
 * @file What hand-made features reach: a floor for any trained model.
 *
 * Logistic regression for the class (Newton's method) and ridge regression for the mass, on standardised features
 * and their squares, in double precision. Fitted on the training images of a split, judged on its test images.
 */

import type { Split } from "../data/split.ts";
import type { WorkOptions } from "../interrupted.ts";
import type { Judged } from "./measures.ts";
import { judgeLinear } from "./probe.ts";
import { Matrix, standardiser } from "./regression.ts";

/**
 * Fits and judges the regressions.
 *
 * @param features a row for each image
 * @param labels 0 or 1 for each image
 * @param mass of each image in GeV
 * @returns what the regressions say of the test images
 * @throws {Interrupted} if the signal was aborted
 */
export function handMadeFloor(
  features: Matrix,
  labels: ArrayLike<number>,
  mass: ArrayLike<number>,
  split: Split,
  options?: WorkOptions,
): Promise<Judged> {
  return judgeLinear({ labels, classes: 2, mass, split }, expand(features, split.train), options);
}

/** A one, the features standardised over some images, and their squares. */
function expand(features: Matrix, over: Uint32Array): Matrix {
  const { rows, width } = features;
  const standardise = standardiser(features, over);
  return Matrix.of(rows, 1 + 2 * width, (row, i) => {
    row[0] = 1;
    standardise(i, row.subarray(1, 1 + width));
    for (let f = 1; f <= width; f++) row[width + f] = row[f]! ** 2 - 1;
  });
}
