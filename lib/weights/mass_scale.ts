/** @file How masses in GeV and what the mass head gives belong together: shifted and scaled, of themselves or of their logarithms. */

import { exp, log } from "../elementary.ts";

/** Mean and deviation of the masses trained on, or of their logarithms. */
export interface MassScale {
  /** The mass head's output is in units of massStd around massMean. */
  readonly massMean: number;
  /** Deviation of the masses trained on, in GeV (or of their natural logarithms). */
  readonly massStd: number;
  /** True if mean and deviation are those of the natural logarithms of masses in GeV. */
  readonly massLog: boolean;
}

/**
 * The scale on which masses have mean 0 and deviation 1.
 *
 * @param mass in GeV, above 0 for logarithms
 */
export function massScaleOf(mass: readonly number[], massLog: boolean): MassScale {
  const [massMean, massStd] = meanAndDeviation(massLog ? mass.map(log) : mass);
  return { massMean, massStd, massLog };
}

/** What the mass head should give for a mass in GeV. */
export function scaleMass(mass: number, { massMean, massStd, massLog }: MassScale): number {
  return ((massLog ? log(mass) : mass) - massMean) / massStd;
}

/** The mass in GeV that an output of the mass head means. */
export function massOf(output: number, { massMean, massStd, massLog }: MassScale): number {
  const value = output * massStd + massMean;
  return massLog ? exp(value) : value;
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
