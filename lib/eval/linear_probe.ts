/**
 * @file Linear probes: what a frozen backbone's features, or hand-made ones, say about class and targets such as the mass, without training a network.
 *
 * A logistic regression of each class against the others (Newton's method) and a ridge regression of each target, in double precision, on
 * features standardised over the training images. Fitted on the training images of a split, tested on its test images. What hand-made
 * features reach is a floor for any trained model.
 */

import type { Split } from "../data/split.ts";
import type { TargetValues } from "../data/targets.ts";
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
  /** What is known of each image beside its class, such as the mass. */
  readonly targets: readonly TargetValues[];
  /** What each image counts in the measures; 1 if not given. */
  readonly weights?: ArrayLike<number> | undefined;
  /** Fitted on the training images, tested on the test images. */
  readonly split: Pick<Split, "train" | "test">;
}

/** How a linear probe is fitted. */
export interface LinearProbeOptions extends WorkOptions {
  /** Fits the squares of the features too: hand-made ones are few, and say more in this way. */
  readonly squares?: boolean;
}

/**
 * Predicts by linear functions of the features.
 *
 * @throws {Interrupted} if the signal was aborted
 */
export async function linearProbe(data: ProbeData, options: LinearProbeOptions = {}): Promise<TestResults> {
  const { labels, classes, targets, split: { train, test } } = data;
  const rows = regressorRows(data.features, train, options.squares ?? false);
  const fitted: Float64Array[] = [];
  // of two classes, one regression says it all
  for (const c of classes === 2 ? [1] : Array(classes).keys()) {
    fitted.push(await logisticRegression(rows, train, (i) => labels[i] === c ? 1 : 0, options));
  }
  const regressors: Float64Array[] = [];
  for (const { values } of targets) regressors.push(await ridgeRegression(rows, train, (i) => values[i]!, options));
  const results = new TestResults(classes, test.length, targets);
  for (const image of test) {
    const row = rows.row(image), shares = fitted.map((classifier) => sigmoid(dot(classifier, row)));
    const probabilities = classes === 2 ? [1 - shares[0]!, shares[0]!] : shares;
    results.add(
      { class: argmax(probabilities), probabilities, targets: regressors.map((regressor) => dot(regressor, row)) },
      labels[image]!,
      targets.map(({ values }) => values[image]!),
      data.weights?.[image],
    );
  }
  return results;
}

/** A one, the features standardised over some images, and their squares if they are wanted. */
function regressorRows(features: Matrix, over: Uint32Array, squares: boolean): Matrix {
  const { rows, width } = features;
  const standardise = standardiser(features, over);
  return Matrix.of(rows, 1 + (squares ? 2 : 1) * width, (row, i) => {
    row[0] = 1;
    standardise(i, row.subarray(1, 1 + width));
    for (let f = 1; squares && f <= width; f++) row[width + f] = row[f]! ** 2 - 1;
  });
}
