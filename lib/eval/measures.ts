/**
 * @file The measures of a model on a test split, over any multiset of its images.
 *
 * Every measure is computed from how often each image counts: once each for the value itself, as often as it was
 * drawn for a bootstrap resample. So a value and its interval come from the same lines of code.
 */

import type { ImagePrediction } from "./evaluate.ts";

/** Names of the measures, in the order of tables. */
export const MEASURES = [
  "accuracy",
  "roc_auc",
  "f1",
  "background_rejection",
  "mass_mae",
  "mass_mse",
  "mass_rmse",
  "mass_r2",
] as const;

/** A measure. */
export type Measure = (typeof MEASURES)[number];

/**
 * Values of all measures; null where one is not defined, such as an AUC of three classes. The background rejection is infinite
 * where no background passes.
 */
export type Measures = Readonly<Record<Measure, number | null>>;

/** Signal efficiency at which background rejection is quoted. */
export const SIGNAL_EFFICIENCY = 0.5;

/** Predictions beside the truth, column by column. */
export interface Judged {
  /** Number of classes. */
  readonly classes: number;
  /** True class of each image. */
  readonly labels: readonly number[];
  /** Class with the largest score. */
  readonly predicted: readonly number[];
  /** Probability of class 1. */
  readonly scores: readonly number[];
  /** True mass in GeV. */
  readonly trueMass: readonly number[];
  /** Predicted mass in GeV. */
  readonly mass: readonly number[];
  /** Rows by falling score. */
  readonly order: Uint32Array;
}

/**
 * Puts predictions beside the truth.
 *
 * @param labels of all images of the file
 * @param mass of all images of the file, in GeV
 */
export function judge(predictions: readonly ImagePrediction[], labels: ArrayLike<number>, mass: ArrayLike<number>): Judged {
  return ranked({
    classes: predictions[0]?.logits.length ?? 0,
    labels: predictions.map(({ index }) => labels[index]!),
    predicted: predictions.map((prediction) => prediction.class),
    scores: predictions.map(({ probabilities }) => probabilities[1]!),
    trueMass: predictions.map(({ index }) => mass[index]!),
    mass: predictions.map((prediction) => prediction.mass),
  });
}

/** Adds the order of the scores. */
export function ranked(columns: Omit<Judged, "order">): Judged {
  const { scores } = columns;
  return { ...columns, order: Uint32Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]!) };
}

/**
 * All measures.
 *
 * @param counts how often each row counts; once each if not given
 */
export function measure(judged: Judged, counts: ArrayLike<number> = new Uint8Array(judged.labels.length).fill(1)): Measures {
  const confusion = confusionMatrix(judged, counts);
  const binary = judged.classes === 2 ? rankingMeasures(judged, counts) : { roc_auc: null, background_rejection: null };
  return { accuracy: shareOfDiagonal(confusion), f1: f1Score(confusion), ...binary, ...massMeasures(judged, counts) };
}

/** Images by true class (rows) and predicted class (columns). */
export function confusionMatrix({ classes, labels, predicted }: Judged, counts?: ArrayLike<number>): number[][] {
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < labels.length; i++) matrix[labels[i]!]![predicted[i]!]! += counts ? counts[i]! : 1;
  return matrix;
}

function shareOfDiagonal(confusion: readonly (readonly number[])[]): number {
  let all = 0, right = 0;
  confusion.forEach((row, truth) => {
    right += row[truth]!;
    for (const count of row) all += count;
  });
  return right / all;
}

/** F1 of class 1 for two classes, the mean over classes otherwise; 0 for a class that never occurs. */
function f1Score(confusion: readonly (readonly number[])[]): number {
  const ofClass = (c: number) => {
    const hits = confusion[c]![c]!;
    const actual = confusion[c]!.reduce((a, b) => a + b, 0), claimed = confusion.reduce((sum, row) => sum + row[c]!, 0);
    return actual + claimed === 0 ? 0 : 2 * hits / (actual + claimed);
  };
  if (confusion.length === 2) return ofClass(1);
  return confusion.reduce((sum, _, c) => sum + ofClass(c), 0) / confusion.length;
}

/** Area under the ROC curve, and 1 / (share of class 0 that passes) where half of class 1 does. */
function rankingMeasures(
  { labels, scores, order }: Judged,
  counts: ArrayLike<number>,
): Pick<Measures, "roc_auc" | "background_rejection"> {
  let signal = 0, background = 0;
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] === 1) signal += counts[i]!;
    else background += counts[i]!;
  }
  if (signal === 0 || background === 0) return { roc_auc: null, background_rejection: null };
  let tp = 0, fp = 0, area = 0, passing: number | undefined;
  for (let k = 0; k < order.length;) {
    const score = scores[order[k]!]!;
    const tp0 = tp, fp0 = fp;
    // equal scores pass together
    for (; k < order.length && scores[order[k]!] === score; k++) {
      if (labels[order[k]!] === 1) tp += counts[order[k]!]!;
      else fp += counts[order[k]!]!;
    }
    area += (fp - fp0) * (tp + tp0) / 2;
    const goal = SIGNAL_EFFICIENCY * signal;
    if (passing === undefined && tp >= goal && tp > tp0) passing = fp0 + (fp - fp0) * (goal - tp0) / (tp - tp0);
  }
  return { roc_auc: area / (signal * background), background_rejection: background / passing! };
}

function massMeasures(
  { mass, trueMass }: Judged,
  counts: ArrayLike<number>,
): Pick<Measures, "mass_mae" | "mass_mse" | "mass_rmse" | "mass_r2"> {
  let n = 0, absolute = 0, squares = 0, sum = 0;
  for (let i = 0; i < mass.length; i++) {
    const weight = counts[i]!, error = mass[i]! - trueMass[i]!;
    n += weight;
    absolute += weight * Math.abs(error);
    squares += weight * error * error;
    sum += weight * trueMass[i]!;
  }
  const mean = sum / n;
  let spread = 0;
  for (let i = 0; i < mass.length; i++) spread += counts[i]! * (trueMass[i]! - mean) ** 2;
  return {
    mass_mae: absolute / n,
    mass_mse: squares / n,
    mass_rmse: Math.sqrt(squares / n),
    mass_r2: spread > 0 ? 1 - squares / spread : null,
  };
}

/** Points of the ROC curve: shares of class 0 and of class 1 whose score is at least a threshold. */
export function rocCurve(
  { labels, scores, order }: Judged,
): { readonly fpr: number; readonly tpr: number; readonly threshold: number }[] {
  const signal = labels.filter((label) => label === 1).length, background = labels.length - signal;
  const points = [{ fpr: 0, tpr: 0, threshold: Infinity }];
  let tp = 0, fp = 0;
  for (let k = 0; k < order.length;) {
    const threshold = scores[order[k]!]!;
    for (; k < order.length && scores[order[k]!] === threshold; k++) labels[order[k]!] === 1 ? tp++ : fp++;
    points.push({ fpr: fp / background, tpr: tp / signal, threshold });
  }
  return points;
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
export function calibration({ labels, scores }: Judged, bins = 10): CalibrationBin[] {
  const sums = Array.from({ length: bins }, () => ({ images: 0, claimed: 0, found: 0 }));
  scores.forEach((score, i) => {
    const bin = sums[Math.min(bins - 1, Math.floor(score * bins))]!;
    bin.images++;
    bin.claimed += score;
    bin.found += labels[i] === 1 ? 1 : 0;
  });
  return sums.filter(({ images }) => images > 0).map(({ images, claimed, found }) => {
    return { images, claimed: claimed / images, found: found / images };
  });
}

/** Mean distance between claimed and found shares over the bins, weighted by their images. */
export function calibrationError(bins: readonly CalibrationBin[]): number {
  const images = bins.reduce((sum, bin) => sum + bin.images, 0);
  return bins.reduce((sum, bin) => sum + bin.images * Math.abs(bin.claimed - bin.found), 0) / images;
}
