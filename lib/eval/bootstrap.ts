/**
 * @file How sure the measures are: bootstrap intervals, and paired comparisons of two models.
 *
 * The images of the test split are drawn anew, with replacement, many times (Efron and Tibshirani, "An Introduction to
 * the Bootstrap", 1993). Two models are compared on the same resamples, so that what both find hard cancels.
 *
 * A resample may leave a measure undefined, such as an AUC where it happens to have no image of one class. If few
 * resamples are such, the interval is that of the others; if more are, the interval is not defined.
 */

import { firstNumbers } from "../arrays.ts";
import { pauses, type WorkOptions } from "../interrupted.ts";
import { Random, STREAMS } from "../random.ts";
import type { Target } from "../data/targets.ts";
import { byMeasure, measuresOf, type MeasureValues } from "./measures.ts";
import { Sampler } from "./sample.ts";
import type { TestResults } from "./test_results.ts";

/** Resamples for an interval. */
const RESAMPLES = 2000;
/** Smallest share of the resamples that must define a measure for its interval to be given. */
const DEFINED = 0.95;

/** Ends of a 95 % interval. */
export type Interval = readonly [low: number, high: number];

/** A measure's 95 % interval, or null where more than 5 % of the resamples do not define it, and for a single image. */
export type Intervals = Readonly<Record<string, Interval | null>>;

/** One measure of two models. */
export interface Difference {
  /** First model's value less the second's. */
  readonly difference: number;
  /** 95 % interval of the difference, or null where too many resamples do not define it. */
  readonly interval: Interval | null;
  /** Probability of a difference as large if there were none (two-sided, from the paired bootstrap); null without an interval. */
  readonly p: number | null;
}

/** Two models on the same images. */
export interface Comparison {
  /** The first model. */
  readonly model: string;
  /** The second. */
  readonly baseline: string;
  /** By measure; null where one of the two values is not defined. */
  readonly differences: Readonly<Record<string, Difference | null>>;
  /** Images that only the first, only the second model classifies right. */
  readonly only: readonly [first: number, second: number];
  /** Exact McNemar test on those. */
  readonly mcnemar: number;
  /** The probabilities after Holm's correction, if there are several comparisons; null where they are not defined. */
  readonly adjusted?: Adjusted;
}

/** Probabilities after a correction: that of the classes, and those of the mean absolute errors by the names of these measures. */
export type Adjusted = { readonly mcnemar: number | null } & Readonly<Record<string, number | null>>;

/** 95 % intervals of several models' measures, and the resampled values they come from. */
export class Bootstrap {
  readonly #targets: readonly Target[];
  readonly #values: Readonly<Record<string, Float64Array[]>>;

  private constructor(targets: readonly Target[], values: Readonly<Record<string, Float64Array[]>>) {
    this.#targets = targets;
    this.#values = values;
  }

  /**
   * Computes all measures of all models on the same resamples.
   *
   * @param models on the same images, in the same order
   * @param seed the same seed gives the same resamples
   * @throws {Interrupted} if the signal was aborted
   */
  static async draw(models: readonly TestResults[], seed: number, options: WorkOptions = {}): Promise<Bootstrap> {
    const { targets } = models[0]!, measures = Object.entries(measuresOf(targets));
    const values = byMeasure(targets, () => models.map(() => new Float64Array(RESAMPLES).fill(NaN)));
    const samplers = models.map((results) => new Sampler(results));
    const counts = new Uint32Array(models[0]!.labels.length);
    const pause = pauses(options);
    // resamples of a single image are all that image: they would make certain what nothing is known about
    for (let b = 0; b < RESAMPLES && counts.length > 1; b++) {
      resample(counts, new Random(seed, STREAMS.bootstrap, b));
      samplers.forEach((sampler, m) => {
        const sample = sampler.sample(counts);
        for (const [name, { value }] of measures) values[name]![m]![b] = value(sample) ?? NaN;
      });
      await pause(b + 1, RESAMPLES);
    }
    return new Bootstrap(targets, values);
  }

  /** Intervals of a model. */
  intervals(model: number): Intervals {
    return byMeasure(this.#targets, (name) => {
      const found = definedOf(this.#values[name]![model]!);
      return found ? middle(found) : null;
    });
  }

  /** A model's values less another's. */
  differences(first: number, second: number, values: readonly MeasureValues[]): Comparison["differences"] {
    return byMeasure(this.#targets, (name) => {
      const [a = null, b = null] = [values[first]![name], values[second]![name]];
      if (a === null || b === null) return null;
      const [left, right] = [this.#values[name]![first]!, this.#values[name]![second]!];
      return differenceOf(difference(a, b), left.map((value, i) => difference(value, right[i]!)));
    });
  }
}

/**
 * A difference with its interval.
 *
 * @param difference as it is
 * @param resampled the same of each resample, NaN where it is not defined
 */
export function differenceOf(difference: number, resampled: Float64Array): Difference {
  const found = definedOf(resampled);
  return { difference, interval: found ? middle(found) : null, p: found ? twoSided(found) : null };
}

/** Draws as many images as there are, with replacement: how often each of them counts. */
export function resample(counts: Uint32Array, random: Random): void {
  counts.fill(0);
  for (let i = 0; i < counts.length; i++) counts[random.below(counts.length)]!++;
}

/** a - b; two infinities do not differ. */
export function difference(a: number, b: number): number {
  return a === b ? 0 : a - b;
}

/** Values that are defined, rising; undefined if they are too few to speak for all. */
function definedOf(values: Float64Array): Float64Array | undefined {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort();
  return sorted.length < DEFINED * values.length ? undefined : sorted;
}

/** The middle 95 % of values. */
function middle(sorted: Float64Array): Interval {
  return [quantile(sorted, 0.025), quantile(sorted, 0.975)];
}

/** Quantile of sorted values, linear between neighbours; the upper one of two that are not both finite. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const at = q * (sorted.length - 1), below = Math.floor(at);
  const low = sorted[below]!, high = sorted[Math.min(sorted.length - 1, below + 1)]!;
  if (low === high || at === below) return low;
  return Number.isFinite(low) && Number.isFinite(high) ? low + (at - below) * (high - low) : high;
}

/**
 * Quantile of values that count differently: the smallest below which, itself included, lies that share of the weights. Of weights that are
 * all the same it is {@linkcode quantile}.
 */
export function weightedQuantile(values: Float64Array, weights: Float64Array, q: number): number {
  if (weights.every((weight) => weight === weights[0])) return quantile(values.toSorted(), q);
  const order = firstNumbers(values.length).sort((a, b) => values[a]! - values[b]!);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  const at = order.findIndex((i) => (sum += weights[i]!) >= q * total);
  return values[order[at < 0 ? order.length - 1 : at]!]!;
}

/** Twice the smaller share of resamples on one side of zero; one is added, so that no p is 0. */
function twoSided(differences: Float64Array): number {
  const below = differences.filter((value) => value <= 0).length, above = differences.filter((value) => value >= 0).length;
  return Math.min(1, 2 * (Math.min(below, above) + 1) / (differences.length + 1));
}
