/** @file Everything that a report says about models on one test split, as numbers. */

import type { WorkOptions } from "../interrupted.ts";
import { Bootstrap, type Comparison, type Intervals } from "./bootstrap.ts";
import { calibration, calibrationError } from "./curves.ts";
import { holm, onlyOneRight } from "./mcnemar.ts";
import type { Target } from "../data/targets.ts";
import { byMeasure, errorMeasure, type MeasureValues } from "./measures.ts";
import { Sampler } from "./sample.ts";
import type { TestResults } from "./test_results.ts";

/** A model on the test split. */
export interface ModelSummary {
  /** Number of test images. */
  readonly images: number;
  /** Values of the measures. */
  readonly values: MeasureValues;
  /** 95 % bootstrap intervals of the measures. */
  readonly intervals: Intervals;
  /** Images by true class (rows) and predicted class (columns). */
  readonly confusion: readonly (readonly number[])[];
  /** Mean distance between claimed and found probabilities of class 1; null unless there are two classes, and they are known. */
  readonly calibration_error: number | null;
}

/** Models on the same test split. */
export interface Summary {
  /** What they predict beside the class. */
  readonly targets: readonly Target[];
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
export async function summarise(models: ReadonlyMap<string, TestResults>, seed: number, options?: WorkOptions): Promise<Summary> {
  const names = [...models.keys()], results = [...models.values()];
  const bootstrap = await Bootstrap.draw(results, seed, options);
  const summaries = results.map((one, i): ModelSummary => {
    const sample = new Sampler(one).sample();
    return {
      images: one.labels.length,
      values: byMeasure(one.targets, (_, { value }) => value(sample)),
      intervals: bootstrap.intervals(i),
      confusion: sample.confusion,
      calibration_error: one.classes === 2 && one.hasLabels ? calibrationError(calibration(one)) : null,
    };
  });
  const values = summaries.map((summary) => summary.values);
  const baseline = names.includes("scratch") ? names.indexOf("scratch") : names.length - 1;
  const comparisons = names.flatMap((model, i): Comparison[] => {
    if (i === baseline) return [];
    const differences = bootstrap.differences(i, baseline, values);
    return [{ model, baseline: names[baseline]!, differences, ...onlyOneRight(results[i]!, results[baseline]!) }];
  });
  const targets = results[0]!.targets.map(({ name, unit }): Target => ({ name, unit }));
  return { targets, models: new Map(names.map((name, i) => [name, summaries[i]!])), comparisons: corrected(comparisons, targets) };
}

/** Comparisons with Holm's correction, if there are several. */
function corrected(comparisons: readonly Comparison[], targets: readonly Target[]): readonly Comparison[] {
  if (comparisons.length < 2) return comparisons;
  const classes = holm(comparisons.map(({ differences, mcnemar }) => differences["accuracy"] ? mcnemar : null));
  const errors = targets.map(errorMeasure).map((name) => {
    return [name, holm(comparisons.map(({ differences }) => differences[name]?.p ?? null))] as const;
  });
  return comparisons.map((one, i) => {
    const adjusted = { mcnemar: classes[i]!, ...Object.fromEntries(errors.map(([name, values]) => [name, values[i]!])) };
    return { ...one, adjusted };
  });
}

/** A summary as metrics.json has it: the measures beside the other numbers of a model. */
export function summaryRecord({ models, comparisons }: Pick<Summary, "models" | "comparisons">): Record<string, unknown> {
  const flat = [...models].map(([name, { images, values, ...rest }]): [string, unknown] => [name, { images, ...values, ...rest }]);
  return { models: new Map(flat), comparisons };
}
