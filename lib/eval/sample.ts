/**
 * @file What measures are computed from: test images of which each counts so often, and sums over them that several measures share.
 *
 * Each image counts once for the value of a measure, and as often as it was drawn for a bootstrap resample. So a value and its interval
 * come from the same lines of code.
 */

import type { TargetColumn, TestResults } from "./test_results.ts";

/** Signal efficiency at which background rejection is quoted. */
const SIGNAL_EFFICIENCY = 0.5;

/** Columns of a model's results that are the same for every sample. */
interface Columns {
  readonly results: TestResults;
  /** (rows) cell of the confusion matrix. */
  readonly cells: Uint32Array;
  /** (rows) by falling score: 1 for class 1. */
  readonly signal: Uint8Array;
  /** (rows) by falling score: 1 for the last row of equal scores. */
  readonly tieEnds: Uint8Array;
  readonly targets: readonly TargetErrors[];
}

/** Errors of a target. */
interface TargetErrors {
  /** (rows) predicted less true value. */
  readonly errors: Float64Array;
  /** (rows) true value less the mean, so that the squares of large values do not cancel. */
  readonly centred: Float64Array;
}

/** Draws samples of one model's results. */
export class Sampler {
  readonly #columns: Columns;

  /** Computes what does not depend on the sample. */
  constructor(results: TestResults) {
    const { classes, labels, predicted, order } = results;
    const rows = labels.length;
    const [cells, signal, tieEnds] = [new Uint32Array(rows), new Uint8Array(rows), new Uint8Array(rows)];
    for (let i = 0; i < rows; i++) {
      cells[i] = labels[i]! * classes + predicted[i]!;
      signal[i] = labels[order[i]!] === 1 ? 1 : 0;
    }
    for (let end = 0; end < rows;) tieEnds[(end = results.endOfTie(end)) - 1] = 1;
    this.#columns = { results, cells, signal, tieEnds, targets: results.targets.map(errorsOf) };
  }

  /**
   * A sample.
   *
   * @param counts how often each row counts, beside its weight; once each if not given
   */
  sample(counts?: ArrayLike<number>): Sample {
    const { weights, weighted } = this.#columns.results;
    if (!counts || !weighted) return new Sample(this.#columns, counts ?? weights);
    return new Sample(this.#columns, weights.map((weight, i) => weight * counts[i]!));
  }
}

function errorsOf({ truth, predicted }: TargetColumn): TargetErrors {
  const { length: rows } = truth;
  const [errors, centred] = [new Float64Array(rows), new Float64Array(rows)];
  let mean = 0;
  for (let i = 0; i < rows; i++) mean += truth[i]! / rows;
  for (let i = 0; i < rows; i++) {
    errors[i] = predicted[i]! - truth[i]!;
    centred[i] = truth[i]! - mean;
  }
  return { errors, centred };
}

/** The area under a ROC curve and a point of it. */
export interface Ranking {
  /** Area under the curve. */
  readonly area: number;
  /** 1 / (share of class 0 that passes) where half of class 1 does. */
  readonly rejection: number;
}

/** Sums over a target's values in a sample. */
export interface TargetSums {
  /** How many images count. */
  readonly images: number;
  /** Sum of |predicted - true|. */
  readonly absolute: number;
  /** Sum of (predicted - true)^2. */
  readonly squares: number;
  /** Sum of (true - its mean)^2; null if all values are equal, or it exceeds all numbers. */
  readonly spread: number | null;
}

/** Test images of which each counts so often; what measures share is computed when the first of them asks. */
export class Sample {
  /** How much each row counts. */
  readonly counts: ArrayLike<number>;
  readonly #columns: Columns;
  #confusion: number[][] | undefined;
  #ranking: Ranking | null | undefined;
  #targets: readonly TargetSums[] | undefined;

  /** Takes columns of {@linkcode Sampler}. */
  constructor(columns: Columns, counts: ArrayLike<number>) {
    this.#columns = columns;
    this.counts = counts;
  }

  /** All rows, whether they count or not. */
  get results(): TestResults {
    return this.#columns.results;
  }

  /** Images by true class (rows) and predicted class (columns). */
  get confusion(): readonly (readonly number[])[] {
    return this.#confusion ??= this.#countCells();
  }

  /** How the scores rank two classes; null where one of them does not occur, or there are more. */
  get ranking(): Ranking | null {
    return this.#ranking === undefined ? this.#ranking = this.#rank() : this.#ranking;
  }

  /** Sums over the values of each target. */
  get targets(): readonly TargetSums[] {
    return this.#targets ??= this.#columns.targets.map((target) => this.#sum(target));
  }

  #countCells(): number[][] {
    const { results: { classes }, cells } = this.#columns, { counts } = this;
    const sums = new Float64Array(classes * classes);
    if (!this.results.hasLabels) return Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
    for (let i = 0; i < cells.length; i++) sums[cells[i]!]! += counts[i]!;
    return Array.from({ length: classes }, (_, row) => [...sums.subarray(row * classes, (row + 1) * classes)]);
  }

  #rank(): Ranking | null {
    const { confusion, counts } = this, { results, signal: signals, tieEnds } = this.#columns;
    if (results.classes !== 2) return null;
    const [background, signal] = confusion.map((row) => row[0]! + row[1]!) as [number, number];
    if (signal === 0 || background === 0) return null;
    const { order } = results, goal = SIGNAL_EFFICIENCY * signal;
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
    return { area: area / (signal * background), rejection: background / passing };
  }

  #sum({ errors, centred }: TargetErrors): TargetSums {
    const { counts } = this;
    let images = 0, absolute = 0, squares = 0, first = 0, second = 0;
    for (let i = 0; i < errors.length; i++) {
      const weight = counts[i]!, error = errors[i]!, fromMean = centred[i]!;
      images += weight;
      absolute += weight * Math.abs(error);
      squares += weight * error * error;
      first += weight * fromMean;
      second += weight * fromMean * fromMean;
    }
    const spread = second - first * first / images;
    // what rounding leaves of equal values is no spread
    const varied = spread > 1e-12 * second && Number.isFinite(spread);
    return { images, absolute, squares, spread: varied ? spread : null };
  }
}
