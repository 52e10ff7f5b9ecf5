/**
 * @file How sure the measures are: bootstrap intervals, and paired comparisons of two models.
 *
 * The images of the test split are drawn anew, with replacement, many times (Efron and Tibshirani, "An Introduction to
 * the Bootstrap", 1993). Two models are compared on the same resamples, so that what both find hard cancels.
 */

import { Random, STREAMS } from "../random.ts";
import { type Judged, type Measure, measure, MEASURES, type Measures } from "./measures.ts";

/** Resamples for an interval. */
const RESAMPLES = 2000;

/** Ends of a 95 % interval. */
export type Interval = readonly [low: number, high: number];

/** A measure's 95 % interval, or null where the measure is not defined. */
export type Intervals = Readonly<Record<Measure, Interval | null>>;

/** One measure of two models. */
export interface Difference {
  /** First model's value less the second's. */
  readonly difference: number;
  /** 95 % interval of the difference. */
  readonly interval: Interval;
  /** Probability of a difference as large if there were none (two-sided, from the paired bootstrap). */
  readonly p: number;
}

/** Two models on the same images. */
export interface Comparison {
  /** The first model. */
  readonly model: string;
  /** The second. */
  readonly baseline: string;
  /** By measure; null where it is not defined. */
  readonly differences: Readonly<Record<Measure, Difference | null>>;
  /** Images that only the first, only the second model classifies right. */
  readonly only: readonly [first: number, second: number];
  /** Exact McNemar test on those. */
  readonly mcnemar: number;
}

/**
 * Draws resamples: for each, how often each image counts.
 *
 * @param images number of images
 * @param seed the same seed gives the same resamples
 */
function* resamples(images: number, seed: number): Generator<Uint16Array> {
  for (let b = 0; b < RESAMPLES; b++) {
    const random = new Random(seed, STREAMS.bootstrap, b);
    const counts = new Uint16Array(images);
    for (let i = 0; i < images; i++) counts[random.below(images)]!++;
    yield counts;
  }
}

/** 95 % intervals of several models' measures, and the resampled values they come from. */
export class Bootstrap {
  readonly #values: Readonly<Record<Measure, Float64Array[]>>;

  /** Computes all measures of all models on the same resamples. */
  constructor(models: readonly Judged[], seed: number) {
    this.#values = Object.fromEntries(
      MEASURES.map((name) => [name, models.map(() => new Float64Array(RESAMPLES))]),
    ) as Record<Measure, Float64Array[]>;
    let b = 0;
    for (const counts of resamples(models[0]!.labels.length, seed)) {
      models.forEach((judged, m) => {
        const measures = measure(judged, counts);
        for (const name of MEASURES) this.#values[name][m]![b] = measures[name] ?? NaN;
      });
      b++;
    }
  }

  /** Intervals of a model. */
  intervals(model: number): Intervals {
    return byMeasure((name) => percentiles(this.#values[name][model]!));
  }

  /** A model's values less another's. */
  differences(first: number, second: number, values: readonly Measures[]): Comparison["differences"] {
    return byMeasure((name) => {
      const [a, b] = [values[first]![name], values[second]![name]];
      if (a === null || b === null) return null;
      const [left, right] = [this.#values[name][first]!, this.#values[name][second]!];
      const differences = left.map((value, i) => value === right[i] ? 0 : value - right[i]!);
      const interval = percentiles(differences);
      return interval && { difference: a === b ? 0 : a - b, interval, p: twoSided(differences) };
    });
  }
}

/** Images that only one of two models classifies right, and the exact McNemar test on their numbers. */
export function onlyOneRight(first: Judged, second: Judged): { only: [number, number]; mcnemar: number } {
  const only: [number, number] = [0, 0];
  first.labels.forEach((label, i) => {
    const [a, b] = [first.predicted[i] === label, second.predicted[i] === label];
    if (a && !b) only[0]++;
    if (b && !a) only[1]++;
  });
  return { only, mcnemar: binomialTest(...only) };
}

/**
 * Two-sided exact binomial test of equal probabilities.
 *
 * McNemar, "Note on the sampling error of the difference between correlated proportions" (1947), in its exact form.
 */
export function binomialTest(a: number, b: number): number {
  const n = a + b;
  // term(k) = n! / (k! (n - k)!) / 2^n, by its logarithm
  let term = -n * Math.LN2, tail = 0;
  for (let k = 0; k <= Math.min(a, b); k++) {
    tail += Math.exp(term);
    term += Math.log((n - k) / (k + 1));
  }
  return Math.min(1, 2 * tail);
}

function byMeasure<Value>(of: (name: Measure) => Value): Record<Measure, Value> {
  return Object.fromEntries(MEASURES.map((name) => [name, of(name)])) as Record<Measure, Value>;
}

/** The middle 95 % of values; null if they are not defined, as they may be on some resample. */
function percentiles(values: Float64Array): Interval | null {
  if (values.some(Number.isNaN)) return null;
  const sorted = values.slice().sort();
  return [quantile(sorted, 0.025), quantile(sorted, 0.975)];
}

/** Quantile of sorted values, linear between neighbours. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const at = q * (sorted.length - 1), below = Math.floor(at);
  const low = sorted[below]!, high = sorted[Math.min(sorted.length - 1, below + 1)]!;
  // equal ends may be infinite
  return low === high ? low : low + (at - below) * (high - low);
}

/** Twice the smaller share of resamples on one side of zero; one is added, so that no p is 0. */
function twoSided(differences: Float64Array): number {
  const below = differences.filter((value) => value <= 0).length, above = differences.filter((value) => value >= 0).length;
  return Math.min(1, 2 * (Math.min(below, above) + 1) / (differences.length + 1));
}
