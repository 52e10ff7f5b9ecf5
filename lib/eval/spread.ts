/**
 * @file How much a measure differs between runs of one recipe, and how well their mean is known.
 *
 * The interval of a mean over n runs is Student's, for runs whose measures are normally distributed. Runs from p backbones, each finetuned
 * in the same q ways (splits, seeds), are not p q independent ones: backbones and ways are two crossed random effects. The variance of the
 * mean is then that of the analysis of variance, with Satterthwaite's degrees of freedom (Searle, Casella and McCulloch, "Variance
 * Components", 1992):
 *
 *     var = (max(MS_backbones, MS_rest) + max(MS_ways, MS_rest) - MS_rest) / (p q)
 */

import type { Interval } from "./bootstrap.ts";
import type { Target } from "../data/targets.ts";
import { byMeasure, type MeasureValues } from "./measures.ts";

/** A measure over the members of a study. */
export interface Spread {
  /** Members that define it. */
  readonly members: number;
  /** Its mean over them; null if there are none, infinite if it is so for any. */
  readonly mean: number | null;
  /** Standard deviation from member to member (of a sample, over n - 1); null for fewer than two, and if one is infinite. */
  readonly deviation: number | null;
  /** 95 % interval of the mean, by Student's t; null in the same cases, and if one of several backbones lacks a member. */
  readonly interval: Interval | null;
}

/**
 * Mean, deviation and interval of a measure's values; members that do not define it are left out.
 *
 * @param backbones which backbone each member began with, if there are several: all of them trained in the same ways, in the same order
 */
export function spreadOf(values: readonly (number | null)[], backbones: readonly number[] = []): Spread {
  const known = values.filter((value) => value !== null), members = known.length;
  if (members === 0) return { members, mean: null, deviation: null, interval: null };
  const mean = average(known);
  if (members === 1 || !Number.isFinite(mean)) return { members, mean, deviation: null, interval: null };
  const variance = squares(known, mean) / (members - 1), deviation = Math.sqrt(variance);
  const rows = [...Map.groupBy(values, (_, i) => backbones[i] ?? 0).values()];
  const error = rows.length > 1 && rows[0]!.length > 1
    ? crossedError(rows)
    : { variance: variance / members, freedom: members - 1 };
  if (!error) return { members, mean, deviation, interval: null };
  const half = studentQuantile(error.freedom) * Math.sqrt(error.variance);
  return { members, mean, deviation, interval: [mean - half, mean + half] };
}

/** Every measure over the members of a study. */
export function spreads(
  members: readonly MeasureValues[],
  targets: readonly Target[],
  backbones?: readonly number[],
): Record<string, Spread> {
  return byMeasure(targets, (name) => spreadOf(members.map((values) => values[name] ?? null), backbones));
}

/** Variance of the mean of a table of backbones and ways, and its degrees of freedom; undefined if the table has gaps. */
function crossedError(rows: readonly (readonly (number | null)[])[]): { variance: number; freedom: number } | undefined {
  const p = rows.length, q = rows[0]!.length;
  if (rows.some((row) => row.length !== q || row.includes(null))) return undefined;
  const table = rows as readonly (readonly number[])[], mean = average(table.flat());
  const ofRows = table.map(average), ofColumns = table[0]!.map((_, j) => average(table.map((row) => row[j]!)));
  const rest = table.flatMap((row, i) => row.map((value, j) => value - ofRows[i]! - ofColumns[j]! + mean));
  const effects = [
    { square: q * squares(ofRows, mean) / (p - 1), freedom: p - 1 },
    { square: p * squares(ofColumns, mean) / (q - 1), freedom: q - 1 },
  ];
  const noise = { square: squares(rest, 0) / ((p - 1) * (q - 1)), freedom: (p - 1) * (q - 1) };
  const [first, second] = effects.map((effect) => effect.square > noise.square ? effect : noise) as [Term, Term];
  const variance = first.square + second.square - noise.square;
  // terms that are the noise cancel or count once
  const terms = first === noise ? [second] : second === noise ? [first] : [first, second, noise];
  const freedom = variance ** 2 / terms.reduce((sum, term) => sum + term.square ** 2 / term.freedom, 0);
  // whole degrees of freedom, rounded to the wider interval; all values alike have no variance at all
  return { variance: variance / (p * q), freedom: Math.max(1, Math.floor(freedom || 1)) };
}

/** A mean square and its degrees of freedom. */
interface Term {
  readonly square: number;
  readonly freedom: number;
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function squares(values: readonly number[], mean: number): number {
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
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
