/**
 * @file The measures of a model on a test split, over any multiset of its images.
 *
 * Every measure is computed from how often each image counts: once each for the value itself, as often as it was
 * drawn for a bootstrap resample. So a value and its interval come from the same lines of code.
 *
 * A measure that its images do not define is null, never a number that stands in for it: an AUC of one class, F1 of a class that
 * neither occurs nor is predicted, R2 of masses that are all the same.
 */

import { firstNumbers } from "../numbers.ts";
import type { ImagePrediction } from "./predict.ts";

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
 * Values of all measures; null where one is not defined. The background rejection is infinite where no background passes, and
 * an error of the mass where its square exceeds all numbers.
 */
export type Measures = Readonly<Record<Measure, number | null>>;

/** Signal efficiency at which background rejection is quoted. */
export const SIGNAL_EFFICIENCY = 0.5;

/** Predictions beside the truth, column by column. */
export interface Judged {
  /** Number of classes. */
  readonly classes: number;
  /** True class of each image. */
  readonly labels: ArrayLike<number>;
  /** Class with the largest score. */
  readonly predicted: ArrayLike<number>;
  /** Probability of class 1. */
  readonly scores: ArrayLike<number>;
  /** True mass in GeV. */
  readonly trueMass: ArrayLike<number>;
  /** Predicted mass in GeV. */
  readonly mass: ArrayLike<number>;
  /** Rows by falling score. */
  readonly order: Uint32Array;
}

/** Puts predictions beside the truth, as they come. */
export class Judge {
  readonly #classes: number;
  readonly #labels: Uint32Array;
  readonly #predicted: Uint32Array;
  readonly #scores: Float64Array;
  readonly #trueMass: Float64Array;
  readonly #mass: Float64Array;
  #count = 0;

  /**
   * Starts with no image.
   *
   * @param classes that the model tells apart
   * @param images how many will come
   */
  constructor(classes: number, images: number) {
    this.#classes = classes;
    [this.#labels, this.#predicted] = [new Uint32Array(images), new Uint32Array(images)];
    [this.#scores, this.#trueMass, this.#mass] = [new Float64Array(images), new Float64Array(images), new Float64Array(images)];
  }

  /** Takes the next prediction, with the image's class and its mass in GeV. */
  add(prediction: Pick<ImagePrediction, "class" | "probabilities" | "mass">, label: number, trueMass: number): void {
    const row = this.#count++;
    this.#labels[row] = label;
    this.#predicted[row] = prediction.class;
    this.#scores[row] = prediction.probabilities[1]!;
    this.#trueMass[row] = trueMass;
    this.#mass[row] = prediction.mass;
  }

  /** All that came, in its order. */
  judged(): Judged {
    return ranked({
      classes: this.#classes,
      labels: this.#labels,
      predicted: this.#predicted,
      scores: this.#scores,
      trueMass: this.#trueMass,
      mass: this.#mass,
    });
  }
}

/** Adds the order of the scores. */
export function ranked(columns: Omit<Judged, "order">): Judged {
  const { scores } = columns;
  return { ...columns, order: firstNumbers(scores.length).sort((a, b) => scores[b]! - scores[a]!) };
}

/** Rows of a ranking whose scores are equal: they pass a threshold together. The loop over them ends on NaN too. */
function endOfTie({ scores, order }: Pick<Judged, "scores" | "order">, first: number): number {
  const score = scores[order[first]!];
  let end = first + 1;
  while (end < order.length && scores[order[end]!] === score) end++;
  return end;
}

/**
 * All measures.
 *
 * @param counts how often each row counts; once each if not given
 */
export function measure(judged: Judged, counts: ArrayLike<number> = new Uint8Array(judged.labels.length).fill(1)): Measures {
  return new Measurer(judged).measure(counts);
}

/** Measures one model over many multisets of its images. What does not depend on the multiset is computed once. */
export class Measurer {
  readonly #judged: Judged;
  /** (rows) cell of the confusion matrix. */
  readonly #cells: Uint32Array;
  /** (rows) by falling score: 1 for class 1. */
  readonly #signal: Uint8Array;
  /** (rows) by falling score: 1 for the last row of equal scores. */
  readonly #tieEnds: Uint8Array;
  /** (rows) predicted less true mass. */
  readonly #errors: Float64Array;
  /** (rows) true mass less the mean, so that the squares of large masses do not cancel. */
  readonly #centred: Float64Array;

  /** Takes a model's predictions. */
  constructor(judged: Judged) {
    this.#judged = judged;
    const { classes, labels, predicted, trueMass, mass, order } = judged;
    const rows = labels.length;
    [this.#cells, this.#signal, this.#tieEnds] = [new Uint32Array(rows), new Uint8Array(rows), new Uint8Array(rows)];
    [this.#errors, this.#centred] = [new Float64Array(rows), new Float64Array(rows)];
    let mean = 0;
    for (let i = 0; i < rows; i++) mean += trueMass[i]! / rows;
    for (let i = 0; i < rows; i++) {
      this.#cells[i] = labels[i]! * classes + predicted[i]!;
      this.#signal[i] = labels[order[i]!] === 1 ? 1 : 0;
      this.#errors[i] = mass[i]! - trueMass[i]!;
      this.#centred[i] = trueMass[i]! - mean;
    }
    for (let end = 0; end < rows;) this.#tieEnds[(end = endOfTie(judged, end)) - 1] = 1;
  }

  /** The measures if each row counts so often. */
  measure(counts: ArrayLike<number>): Measures {
    const confusion = this.confusion(counts);
    const binary = this.#judged.classes === 2 ? this.#ranking(confusion, counts) : { roc_auc: null, background_rejection: null };
    return { accuracy: shareOfDiagonal(confusion), f1: f1Score(confusion), ...binary, ...this.#massMeasures(counts) };
  }

  /** Images by true class (rows) and predicted class (columns). */
  confusion(counts: ArrayLike<number>): number[][] {
    const { classes } = this.#judged;
    const cells = new Float64Array(classes * classes);
    const cellOf = this.#cells;
    for (let i = 0; i < cellOf.length; i++) cells[cellOf[i]!]! += counts[i]!;
    return Array.from({ length: classes }, (_, row) => [...cells.subarray(row * classes, (row + 1) * classes)]);
  }

  /** Area under the ROC curve, and 1 / (share of class 0 that passes) where half of class 1 does. */
  #ranking(
    confusion: readonly (readonly number[])[],
    counts: ArrayLike<number>,
  ): Pick<Measures, "roc_auc" | "background_rejection"> {
    const [background, signal] = confusion.map(sum) as [number, number];
    if (signal === 0 || background === 0) return { roc_auc: null, background_rejection: null };
    const { order } = this.#judged, signals = this.#signal, tieEnds = this.#tieEnds;
    const goal = SIGNAL_EFFICIENCY * signal;
    // those of class 1 and class 0 that pass, before equal scores and with them
    let tp0 = 0, fp0 = 0, tp = 0, all = 0, area = 0, passing = NaN;
    for (let k = 0; k < order.length; k++) {
      const count = counts[order[k]!]!;
      all += count;
      tp += count * signals[k]!;
      if (tieEnds[k] === 0) continue;
      const fp = all - tp;
      area += (fp - fp0) * (tp + tp0) / 2;
      if (tp0 < goal && tp >= goal) passing = fp0 + (fp - fp0) * (goal - tp0) / (tp - tp0);
      [tp0, fp0] = [tp, fp];
    }
    return { roc_auc: area / (signal * background), background_rejection: background / passing };
  }

  #massMeasures(counts: ArrayLike<number>): Pick<Measures, "mass_mae" | "mass_mse" | "mass_rmse" | "mass_r2"> {
    const errors = this.#errors, centredMass = this.#centred;
    let n = 0, absolute = 0, squares = 0, first = 0, second = 0;
    for (let i = 0; i < errors.length; i++) {
      const weight = counts[i]!, error = errors[i]!, centred = centredMass[i]!;
      n += weight;
      absolute += weight * Math.abs(error);
      squares += weight * error * error;
      first += weight * centred;
      second += weight * centred * centred;
    }
    const spread = second - first * first / n;
    // what rounding leaves of equal masses is no spread
    const varied = spread > 1e-12 * second && Number.isFinite(spread);
    return {
      mass_mae: defined(absolute / n),
      mass_mse: defined(squares / n),
      mass_rmse: defined(Math.sqrt(squares / n)),
      mass_r2: varied ? defined(1 - squares / spread) : null,
    };
  }
}

/** Null for what is no number. */
function defined(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}

/** Images by true class (rows) and predicted class (columns), each image once. */
export function confusionMatrix(judged: Judged): number[][] {
  return new Measurer(judged).confusion(new Uint8Array(judged.labels.length).fill(1));
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

function shareOfDiagonal(confusion: readonly (readonly number[])[]): number | null {
  return defined(sum(confusion.map((row, truth) => row[truth]!)) / sum(confusion.map(sum)));
}

/** F1 of class 1 for two classes, otherwise the mean over the classes that occur or are predicted (scikit-learn's "macro"). */
function f1Score(confusion: readonly (readonly number[])[]): number | null {
  const ofClass = (c: number) => {
    const actual = sum(confusion[c]!), claimed = sum(confusion.map((row) => row[c]!));
    return actual + claimed === 0 ? null : 2 * confusion[c]![c]! / (actual + claimed);
  };
  if (confusion.length === 2) return ofClass(1);
  const scores = confusion.map((_, c) => ofClass(c)).filter((score) => score !== null);
  return defined(sum(scores) / scores.length);
}

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
export function* rocCurve(judged: Judged): Generator<RocPoint> {
  const { labels, scores, order } = judged;
  let signal = 0;
  for (let i = 0; i < labels.length; i++) signal += labels[i] === 1 ? 1 : 0;
  const background = labels.length - signal;
  if (signal === 0 || background === 0) return;
  yield { fpr: 0, tpr: 0, threshold: Infinity };
  let tp = 0;
  for (let end = 0; end < order.length;) {
    const first = end;
    end = endOfTie(judged, first);
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
export function calibration({ labels, scores }: Judged, bins = 10): CalibrationBin[] {
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
  const images = sum(bins.map((bin) => bin.images));
  return sum(bins.map((bin) => bin.images * Math.abs(bin.claimed - bin.found))) / images;
}
