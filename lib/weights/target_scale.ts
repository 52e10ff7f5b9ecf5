/** @file How a target's values and what its head gives belong together: shifted and scaled, of themselves or of their logarithms. */

import { MASS, type Target } from "../data/targets.ts";
import { exp, log } from "../elementary.ts";

/** Mean and deviation of the values trained on, or of their logarithms. */
export interface TargetScale {
  /** The head's output is in units of std around mean. */
  readonly mean: number;
  /** Deviation of the values trained on, in the target's unit (or of their natural logarithms). */
  readonly std: number;
  /** True if mean and deviation are those of natural logarithms. */
  readonly log: boolean;
}

/** A target as a model knows it. */
export interface ScaledTarget extends Target, TargetScale {}

/** The mass of a model that was trained without: in units of the head itself. */
export const UNKNOWN_MASS: ScaledTarget = { ...MASS, mean: 0, std: 1, log: false };

/**
 * The scale on which values have mean 0 and deviation 1.
 *
 * @param values above 0 for logarithms
 */
export function scaleOf(values: readonly number[], logarithms: boolean): TargetScale {
  const [mean, std] = meanAndDeviation(logarithms ? values.map(log) : values);
  return { mean, std, log: logarithms };
}

/** What the head should give for a value. */
export function scaled(value: number, { mean, std, log: logarithms }: TargetScale): number {
  return ((logarithms ? log(value) : value) - mean) / std;
}

/** The value that an output of the head means. */
export function valueOf(output: number, { mean, std, log: logarithms }: TargetScale): number {
  const value = output * std + mean;
  return logarithms ? exp(value) : value;
}

/** Deviation over mean that roundings alone make of equal values, generously. */
const ROUNDING = 1e-12;

/** Mean and population standard deviation; a deviation of 0, or of no more than the mean's rounding, counts as 1. */
export function meanAndDeviation(values: readonly number[]): [mean: number, deviation: number] {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const variance = values.reduce((sum, x) => sum + (x - mean) * (x - mean), 0) / values.length;
  const deviation = Math.sqrt(variance);
  return [mean, deviation > ROUNDING * Math.abs(mean) ? deviation : 1];
}
