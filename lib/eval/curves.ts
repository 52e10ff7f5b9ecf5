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
  const { labels, scores, order } = results;
  let signal = 0;
  for (let i = 0; i < labels.length; i++) signal += labels[i] === 1 ? 1 : 0;
  const background = labels.length - signal;
  if (signal === 0 || background === 0) return;
  yield { fpr: 0, tpr: 0, threshold: Infinity };
  let tp = 0;
  for (let end = 0; end < order.length;) {
    const first = end;
    end = results.endOfTie(first);
    for (let k = first; k < end; k++) tp += labels[order[k]!] === 1 ? 1 : 0;
    yield { fpr: (end - tp) / background, tpr: tp / signal, threshold: scores[order[first]!]! };
  }
}

/** A bin of a calibration curve. */
export interface CalibrationBin {
  /** Images in it. */
  readonly images: number;
  /** Mean of their probabilities of class 1. */
  readonly claimed: number;
  /** Share of class 1 among them. */
  readonly found: number;
}

/** Images by their probability of class 1, in bins of equal width; empty bins are left out. */
export function calibration({ labels, scores }: TestResults, bins = 10): CalibrationBin[] {
  const sums = Array.from({ length: bins }, () => ({ images: 0, claimed: 0, found: 0 }));
  for (let i = 0; i < scores.length; i++) {
    const bin = sums[binOf(scores[i]!, bins)]!;
    bin.images++;
    bin.claimed += scores[i]!;
    bin.found += labels[i] === 1 ? 1 : 0;
  }
  return sums.filter(({ images }) => images > 0).map(({ images, claimed, found }) => {
    return { images, claimed: claimed / images, found: found / images };
  });
}

/** The bin of a probability, of bins with equal width. */
export function binOf(probability: number, bins: number): number {
  return Math.min(bins - 1, Math.floor(probability * bins));
}

/** Mean distance between claimed and found shares over the bins, weighted by their images. */
export function calibrationError(bins: readonly CalibrationBin[]): number {
  let images = 0, distance = 0;
  for (const bin of bins) {
    images += bin.images;
    distance += bin.images * Math.abs(bin.claimed - bin.found);
  }
  return distance / images;
}
