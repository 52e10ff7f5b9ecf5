/**
 * @file Whether two recipes differ: studies of both, compared member by member.
 *
 * What the members differ in, and the images of their test sets, are drawn anew together, with replacement, so that neither the luck of a
 * seed nor that of a test set counts as a difference. Where members begin with one of several backbones, backbones are drawn by themselves
 * and ways of finetuning by themselves, each with all its members (the bootstrap of crossed random effects: Owen, arXiv:0712.1111): members
 * of one backbone are alike.
 */

import { Random, STREAMS } from "../random.ts";
import { type Difference, difference, differenceOf, resample } from "./bootstrap.ts";
import { byMeasure } from "./measures.ts";
import { Sampler } from "./sample.ts";
import type { TestResults } from "./test_results.ts";

/** Resamples of a comparison. */
const RESAMPLES = 1000;

/** A member of each of two studies that were trained alike. */
export interface MemberPair {
  /** Test results of the first study's. */
  readonly first: TestResults;
  /** Of the second's, on the same images. */
  readonly second: TestResults;
  /** Name of their test set: pairs with the same one share its resamples. */
  readonly images: string;
  /** Name of the backbones they began with. */
  readonly backbone: string;
  /** Name of everything else: split, part, seed. */
  readonly way: string;
}

/**
 * Differences of the mean measures of two studies, over members and images together.
 *
 * @param pairs every backbone with every way
 * @param seed the same seed gives the same resamples
 */
export function compareStudies(pairs: readonly MemberPair[], seed: number): Record<string, Difference | null> {
  const { targets } = pairs[0]!.first;
  const samplers = pairs.map(({ first, second }) => [first, second].map((results) => new Sampler(results)));
  const differences = (pair: number, counts?: Uint32Array): Record<string, number> => {
    const samples = samplers[pair]!.map((sampler) => sampler.sample(counts));
    return byMeasure(targets, (_, { value }) => {
      const [first, second] = samples.map(value);
      return first === null || second === null ? NaN : difference(first!, second!);
    });
  };
  const resampled = byMeasure(targets, () => new Float64Array(RESAMPLES));
  for (let b = 0; b < RESAMPLES; b++) {
    const random = new Random(seed, STREAMS.bootstrap, b);
    const ways = drawn(pairs.map(({ way }) => way), random), backbones = drawn(pairs.map(({ backbone }) => backbone), random);
    const times = pairs.map(({ way, backbone }) => (ways.get(way) ?? 0) * (backbones.get(backbone) ?? 0));
    const counts = new Map<string, Uint32Array>();
    const of = pairs.map(({ first, images }, i) => {
      if (times[i] === 0) return undefined;
      if (!counts.has(images)) {
        const drawnImages = new Uint32Array(first.labels.length);
        resample(drawnImages, random);
        counts.set(images, drawnImages);
      }
      return differences(i, counts.get(images));
    });
    for (const name of Object.keys(resampled)) resampled[name]![b] = mean(of.map((values) => values?.[name]), times);
  }
  const found = pairs.map((_, i) => differences(i)), once = pairs.map(() => 1);
  return byMeasure(targets, (name) => {
    const value = mean(found.map((values) => values[name]), once);
    return Number.isNaN(value) ? null : differenceOf(value, resampled[name]!);
  });
}

/** Draws as many of the different names as there are, with replacement: how often each was drawn. */
function drawn(names: readonly string[], random: Random): Map<string, number> {
  const all = [...new Set(names)], times = new Map<string, number>();
  for (let i = 0; i < all.length; i++) {
    const name = all[random.below(all.length)]!;
    times.set(name, (times.get(name) ?? 0) + 1);
  }
  return times;
}

/** Mean of values that count so many times; those that count none are not looked at. */
function mean(values: readonly (number | undefined)[], times: readonly number[]): number {
  const total = times.reduce((sum, n) => sum + n, 0);
  return values.reduce<number>((sum, value, i) => times[i] === 0 ? sum : sum + times[i]! * value!, 0) / total;
}
