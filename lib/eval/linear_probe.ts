/**
 * @file Linear probes: what a frozen backbone's features, or hand-made ones, say about class and mass, without training a network.
 *
 * A logistic regression of each class against the others (Newton's method) and a ridge regression of the mass, in double precision, on
 * features standardised over the training images. Fitted on the training images of a split, tested on its test images. What hand-made
 * features reach is a floor for any trained model.
 */

import type { Split } from "../data/split.ts";
import type { WorkOptions } from "../interrupted.ts";
import { argmax } from "../arrays.ts";
import { dot, logisticRegression, Matrix, ridgeRegression, sigmoid, standardiser } from "./regression.ts";
import { TestResults } from "./test_results.ts";

/** What probes are fitted to and tested on. */
export interface ProbeData {
  /** Features, a row for each image. */
  readonly features: Matrix;
  /** Class of each image. */
  readonly labels: ArrayLike<number>;
  /** Number of classes. */
  readonly classes: number;
  /** Mass of each image in GeV. */
  readonly mass: ArrayLike<number>;
  /** Fitted on the training images, tested on the test images. */
  readonly split: Pick<Split, "train" | "test">;
}

/**
 * Predicts by linear functions of the features.
 *
 * @throws {Interrupted} if the signal was aborted
 */
export function linearProbe(data: ProbeData, options?: WorkOptions): Promise<TestResults> {
  const { features, split } = data;
  const standardise = standardiser(features, split.train);
  const rows = Matrix.of(features.rows, 1 + features.width, (row, i) => {
    row[0] = 1;
    standardise(i, row.subarray(1));
  });
  return fitAndPredict(data, rows, options);
}

/**
 * Predicts by linear functions of given rows.
 *
 * @param data labels, masses and the split
 * @param rows of each image, the constant 1 first
 * @throws {Interrupted} if the signal was aborted
 */
export async function fitAndPredict(data: Omit<ProbeData, "features">, rows: Matrix, options?: WorkOptions): Promise<TestResults> {
  const { labels, classes, mass, split: { train, test } } = data;
  const fitted: Float64Array[] = [];
  // of two classes, one regression says it all
  for (const c of classes === 2 ? [1] : Array(classes).keys()) {
    fitted.push(await logisticRegression(rows, train, (i) => labels[i] === c ? 1 : 0, options));
  }
  const regressor = await ridgeRegression(rows, train, (i) => mass[i]!, options);
  const results = new TestResults(classes, test.length);
  for (const image of test) {
    const row = rows.row(image), shares = fitted.map((classifier) => sigmoid(dot(classifier, row)));
    const probabilities = classes === 2 ? [1 - shares[0]!, shares[0]!] : shares;
    results.add({ class: argmax(probabilities), probabilities, mass: dot(regressor, row) }, labels[image]!, mass[image]!);
  }
  return results;
}

/**
 * Fits and tests the regressions.
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
): Promise<TestResults> {
  return fitAndPredict({ labels, classes: 2, mass, split }, expand(features, split.train), options);
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
