/** @file Curves of a classifier over its thresholds: ROC and calibration. */

import type { TestResults } from "./test_results.ts";

/** A point of the ROC curve. */
export interface RocPoint {
  /** Share of class 0 whose score is at least the threshold. */
  readonly fpr: number;
  /** Share of class 1 whose score is at least the threshold. */
  readonly tpr: number;
  /** The threshold. */
  readonly threshold: number;
}

/** Points of the ROC curve by falling threshold, one for each score; none unless both classes occur. */
export function* rocCurve(results: TestResults): Generator<RocPoint> {
  const { labels, scores, weights, order, hasLabels } = results;
  let signal = 0, background = 0;
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] === 1) signal += weights[i]!;
    else background += weights[i]!;
  }
  if (!hasLabels || signal === 0 || background === 0) return;
  yield { fpr: 0, tpr: 0, threshold: Infinity };
  let tp = 0, fp = 0;
  for (let end = 0; end < order.length;) {
    const first = end;
    end = results.endOfTie(first);
    for (let k = first; k < end; k++) {
      const row = order[k]!;
      if (labels[row] === 1) tp += weights[row]!;
      else fp += weights[row]!;
    }
    // sums in another order may differ by their rounding
    const isLast = end === order.length;
    yield { fpr: isLast ? 1 : fp / background, tpr: isLast ? 1 : tp / signal, threshold: scores[order[first]!]! };
  }
}

/** What a classifier keeps of class 1 where so much of class 0 passes. */
export interface Efficiency {
  /** Share of class 1 that passes, linear between the points of the curve. */
  readonly signal: number;
  /** A threshold at which no more of class 0 passes. */
  readonly threshold: number;
}

/** The efficiency at a share of class 0 that passes; undefined unless both classes occur. */
export function efficiencyAt(results: TestResults, background: number): Efficiency | undefined {
  let before: RocPoint | undefined;
  for (const point of rocCurve(results)) {
    if (before && point.fpr > background) {
      const share = (background - before.fpr) / (point.fpr - before.fpr);
      return { signal: before.tpr + share * (point.tpr - before.tpr), threshold: before.threshold };
    }
    before = point;
  }
  return before && { signal: before.tpr, threshold: before.threshold };
}

/** How many images that count alike would be as certain as those of a class: (sum of weights)^2 over the sum of their squares. */
export function effectiveImages({ labels, weights }: Pick<TestResults, "labels" | "weights">, label: number): number {
  let sum = 0, squares = 0;
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] !== label) continue;
    sum += weights[i]!;
    squares += weights[i]! ** 2;
  }
  return squares === 0 ? 0 : sum ** 2 / squares;
}

/** A bin of a calibration curve. */
export interface CalibrationBin {
  /** Images in it. */
  readonly images: number;
  /** What they count together. */
  readonly weight: number;
  /** How many images that count alike would be as certain: (sum of weights)^2 over the sum of their squares. */
  readonly effective: number;
  /** Mean of their probabilities of class 1. */
  readonly claimed: number;
  /** Share of class 1 among them. */
  readonly found: number;
}

/** Images by their probability of class 1, in bins of equal width; empty bins are left out. */
export function calibration({ labels, scores, weights }: TestResults, bins = 10): CalibrationBin[] {
  const sums = Array.from({ length: bins }, () => ({ images: 0, weight: 0, squares: 0, claimed: 0, found: 0 }));
  for (let i = 0; i < scores.length; i++) {
    const bin = sums[binOf(scores[i]!, bins)]!, weight = weights[i]!;
    bin.images++;
    bin.weight += weight;
    bin.squares += weight ** 2;
    bin.claimed += weight * scores[i]!;
    bin.found += labels[i] === 1 ? weight : 0;
  }
  return sums.filter(({ images }) => images > 0).map(({ images, weight, squares, claimed, found }) => {
    return { images, weight, effective: weight ** 2 / squares, claimed: claimed / weight, found: found / weight };
  });
}

/** Two-sided quantile of the normal distribution that holds 95 %. */
const NORMAL_95 = 1.959963984540054;

/**
 * 95 % interval of a share (Wilson, "Probable inference, the law of succession, and statistical inference", 1927): unlike the share's standard
 * error it is never empty, and never leaves 0 to 1.
 *
 * @param images how many the share is of; need not be whole
 */
export function wilsonInterval(share: number, images: number): [low: number, high: number] {
  const z2 = NORMAL_95 ** 2 / images, centre = (share + z2 / 2) / (1 + z2);
  const half = Math.sqrt(z2 * (share * (1 - share) + z2 / 4)) / (1 + z2);
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}

/** The bin of a probability, of bins with equal width. */
export function binOf(probability: number, bins: number): number {
  return Math.min(bins - 1, Math.floor(probability * bins));
}

/** Mean distance between claimed and found shares over the bins, weighted by their images. */
export function calibrationError(bins: readonly CalibrationBin[]): number {
  let images = 0, distance = 0;
  for (const bin of bins) {
    images += bin.weight;
    distance += bin.weight * Math.abs(bin.claimed - bin.found);
  }
  return distance / images;
}
