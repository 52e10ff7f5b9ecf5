/** @file Everything that a report says about models on one test split, as numbers. */

import type { WorkOptions } from "../interrupted.ts";
import { Bootstrap, type Comparison, type Intervals, onlyOneRight } from "./bootstrap.ts";
import { calibration, calibrationError, confusionMatrix, type Judged, measure, type Measures } from "./measures.ts";

/** A model on the test split. */
export interface ModelSummary extends Measures {
  /** Number of test images. */
  readonly images: number;
  /** 95 % bootstrap intervals of the measures. */
  readonly intervals: Intervals;
  /** Images by true class (rows) and predicted class (columns). */
  readonly confusion: readonly (readonly number[])[];
  /** Mean distance between claimed and found probabilities of class 1; null unless there are two classes. */
  readonly calibration_error: number | null;
}

/** Models on the same test split. */
export interface Summary {
  /** By name, in the order they were given. */
  readonly models: ReadonlyMap<string, ModelSummary>;
  /** Each other model against the baseline. */
  readonly comparisons: readonly Comparison[];
}

/**
 * Measures models and compares them.
 *
 * @param models by name; the baseline is the one called "scratch", or the last
 * @param seed of the bootstrap
 * @throws {Interrupted} if the signal was aborted
 */
export async function summarise(models: ReadonlyMap<string, Judged>, seed: number, options?: WorkOptions): Promise<Summary> {
  const names = [...models.keys()], judged = [...models.values()];
  const values = judged.map((one) => measure(one));
  const bootstrap = await Bootstrap.draw(judged, seed, options);
  const entries = names.map((name, i): [string, ModelSummary] => [name, {
    images: judged[i]!.labels.length,
    ...values[i]!,
    intervals: bootstrap.intervals(i),
    confusion: confusionMatrix(judged[i]!),
    calibration_error: judged[i]!.classes === 2 ? calibrationError(calibration(judged[i]!)) : null,
  }]);
  const baseline = names.includes("scratch") ? names.indexOf("scratch") : names.length - 1;
  const comparisons = names.flatMap((model, i): Comparison[] => {
    if (i === baseline) return [];
    const differences = bootstrap.differences(i, baseline, values);
    return [{ model, baseline: names[baseline]!, differences, ...onlyOneRight(judged[i]!, judged[baseline]!) }];
  });
  return { models: new Map(entries), comparisons };
}
