/**
 * @file Probes: what a frozen backbone's features say about class and mass, without training the backbone.
 *
 * Features are standardised over the training images. The nearest neighbours of a test image are the training images whose
 * features have the largest cosine with its own (Wu et al., arXiv:1805.01978); the linear probe is a logistic regression of each class
 * against the others, and a ridge regression of the mass.
 */

import type { Split } from "../data/split.ts";
import { argmax } from "./metrics.ts";
import { type Judged, ranked } from "./measures.ts";
import { dot, logisticRegression, ridgeRegression, sigmoid, standardise } from "./regression.ts";

/** What probes are fitted to and judged on. */
export interface ProbeData {
  /** Features of each image. */
  readonly features: readonly Float64Array[];
  /** Class of each image. */
  readonly labels: ArrayLike<number>;
  /** Number of classes. */
  readonly classes: number;
  /** Mass of each image in GeV. */
  readonly mass: ArrayLike<number>;
  /** Fitted on the training images, judged on the test images. */
  readonly split: Pick<Split, "train" | "test">;
}

/**
 * Judges by the nearest neighbours: the share of each class among them, and the mean of their masses.
 *
 * @param neighbours how many; no more than there are training images
 */
export function neighbourProbe(data: ProbeData, neighbours: number): Judged {
  const { labels, classes, mass, split: { train, test } } = data;
  const unit = standardise(data.features, train).map((row) => {
    const length = Math.sqrt(dot(row, row)) || 1;
    return row.map((value) => value / length);
  });
  const k = Math.min(neighbours, train.length);
  return judged(
    data,
    Array.from(test, (image) => {
      const similarity = Float64Array.from(train, (other) => dot(unit[image]!, unit[other]!));
      const nearest = Uint32Array.from(train.keys()).sort((a, b) => similarity[b]! - similarity[a]!).subarray(0, k);
      const share = new Float64Array(classes);
      let sum = 0;
      for (const i of nearest) {
        share[labels[train[i]!]!]! += 1 / k;
        sum += mass[train[i]!]!;
      }
      return { share, mass: sum / k };
    }),
  );
}

/** Judges by linear functions of the features. */
export function linearProbe(data: ProbeData): Judged {
  return judgeLinear(data, standardise(data.features, data.split.train).map((row) => Float64Array.of(1, ...row)));
}

/**
 * Judges by linear functions of given rows.
 *
 * @param data labels, masses and the split
 * @param rows of each image, the constant 1 first
 */
export function judgeLinear(data: Omit<ProbeData, "features">, rows: readonly Float64Array[]): Judged {
  const { labels, classes, mass, split: { train, test } } = data;
  // of two classes, one regression says it all
  const fitted = Array.from({ length: classes === 2 ? 1 : classes }, (_, c) => classes === 2 ? 1 : c)
    .map((c) => logisticRegression(rows, train, (i) => labels[i] === c ? 1 : 0));
  const regressor = ridgeRegression(rows, train, (i) => mass[i]!);
  return judged(
    data,
    Array.from(test, (image) => {
      const share = fitted.map((classifier) => sigmoid(dot(classifier, rows[image]!)));
      return { share: classes === 2 ? [1 - share[0]!, share[0]!] : share, mass: dot(regressor, rows[image]!) };
    }),
  );
}

function judged(
  { labels, classes, mass, split: { test } }: Omit<ProbeData, "features">,
  said: readonly { readonly share: ArrayLike<number>; readonly mass: number }[],
): Judged {
  return ranked({
    classes,
    labels: Array.from(test, (i) => labels[i]!),
    predicted: said.map(({ share }) => argmax(share)),
    scores: said.map(({ share }) => share[1]!),
    trueMass: Array.from(test, (i) => mass[i]!),
    mass: said.map((one) => one.mass),
  });
}
