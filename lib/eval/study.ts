/**
 * @file What several runs of one recipe say together: how much a measure differs from run to run, and whether two recipes differ.
 *
 * The interval of a mean over n runs is Student's, for runs whose measures are normally distributed. Two studies are compared member by
 * member: pairs of runs and the images of their test sets are both drawn anew, with replacement, so that neither the luck of a seed nor
 * that of a test set counts as a difference.
 */

import { Random, STREAMS } from "../random.ts";
import { type Difference, difference, differenceOf, type Interval, resample } from "./bootstrap.ts";
import { byMeasure, MEASURES, type MeasureValues } from "./measures.ts";
import { Sampler } from "./sample.ts";
import type { TestResults } from "./test_results.ts";

/** A measure over the members of a study. */
export interface Spread {
  /** Members that define it. */
  readonly members: number;
  /** Its mean over them; null if there are none, infinite if it is so for any. */
  readonly mean: number | null;
  /** Standard deviation from member to member (of a sample, over n - 1); null for fewer than two, and if one is infinite. */
  readonly deviation: number | null;
  /** 95 % interval of the mean, by Student's t; null in the same cases. */
  readonly interval: Interval | null;
}

/** Resamples of a comparison. */
const RESAMPLES = 1000;

/** Mean, deviation and interval of a measure's values; members that do not define it are left out. */
export function spreadOf(values: readonly (number | null)[]): Spread {
  const known = values.filter((value) => value !== null), members = known.length;
  if (members === 0) return { members, mean: null, deviation: null, interval: null };
  const mean = known.reduce((sum, value) => sum + value, 0) / members;
  if (members === 1 || !Number.isFinite(mean)) return { members, mean, deviation: null, interval: null };
  const deviation = Math.sqrt(known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (members - 1));
  const half = studentQuantile(members - 1) * deviation / Math.sqrt(members);
  return { members, mean, deviation, interval: [mean - half, mean + half] };
}

/** Every measure over the members of a study. */
export function spreads(members: readonly MeasureValues[]): Record<string, Spread> {
  return byMeasure((name) => spreadOf(members.map((values) => values[name] ?? null)));
}

/**
 * Differences of the mean measures of two studies, over members and images together.
 *
 * @param pairs for each member of the first study the one of the second that was trained alike, each with its test results; the images of
 * a pair are the same
 * @param images for each pair a name of its test set: pairs with the same one share its resamples
 * @param seed the same seed gives the same resamples
 */
export function compareStudies(
  pairs: readonly (readonly [first: TestResults, second: TestResults])[],
  images: readonly string[],
  seed: number,
): Record<string, Difference | null> {
  const samplers = pairs.map((pair) => pair.map((results) => new Sampler(results)));
  const differences = (pair: number, counts?: Uint32Array): Record<string, number> => {
    const samples = samplers[pair]!.map((sampler) => sampler.sample(counts));
    return byMeasure((_, { value }) => {
      const [first, second] = samples.map(value);
      return first === null || second === null ? NaN : difference(first!, second!);
    });
  };
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const names = Object.keys(MEASURES), all = pairs.map((_, pair) => pair);
  const resampled = byMeasure(() => new Float64Array(RESAMPLES));
  for (let b = 0; b < RESAMPLES; b++) {
    const random = new Random(seed, STREAMS.bootstrap, b);
    const drawn = all.map(() => random.below(pairs.length));
    const counts = new Map<string, Uint32Array>();
    for (const pair of new Set(drawn)) {
      if (counts.has(images[pair]!)) continue;
      const drawnImages = new Uint32Array(pairs[pair]![0].labels.length);
      resample(drawnImages, random);
      counts.set(images[pair]!, drawnImages);
    }
    const of = new Map([...new Set(drawn)].map((pair) => [pair, differences(pair, counts.get(images[pair]!))]));
    for (const name of names) resampled[name]![b] = mean(drawn.map((pair) => of.get(pair)![name]!));
  }
  const found = all.map((pair) => differences(pair));
  return byMeasure((name) => {
    const value = mean(found.map((of) => of[name]!));
    return Number.isNaN(value) ? null : differenceOf(value, resampled[name]!);
  });
}

/**
 * The value that Student's t exceeds in size with a probability of 5 %.
 *
 * @param freedom degrees of freedom, at least 1
 */
export function studentQuantile(freedom: number): number {
  let low = 0, high = 13;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (withinStudent(middle, freedom) < 0.95) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Probability of |T| < t; Abramowitz and Stegun, 26.7.3 and 26.7.4. */
function withinStudent(t: number, freedom: number): number {
  const angle = Math.atan(t / Math.sqrt(freedom)), cosine = Math.cos(angle), odd = freedom % 2 === 1;
  let term = odd ? cosine : 1, sum = freedom === 1 ? 0 : term;
  for (let k = odd ? 3 : 2; k <= freedom - 2; k += 2) {
    term *= (k - 1) / k * cosine ** 2;
    sum += term;
  }
  return odd ? 2 / Math.PI * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum;
}
