/**
 * @file The measures of a model on a test split. A new one is an entry of {@linkcode MEASURES}: its value, interval and comparison are then in
 * the table of `deno task eval`, in report.html and in metrics.json.
 *
 * A measure that its images do not define is null, never a number that stands in for it: an AUC of one class, F1 of a class that
 * neither occurs nor is predicted, R2 of masses that are all the same.
 */

import { type Sample, Sampler } from "./sample.ts";
import type { TestResults } from "./test_results.ts";

/** A measure. */
export interface Measure {
  /** What it is called in tables, with its unit. */
  readonly label: string;
  /** Digits after the point. */
  readonly digits: number;
  /** What it is, in a sentence. */
  readonly definition: string;
  /** True if less of it is better. */
  readonly falls?: boolean;
  /** Its value; null where the sample does not define it, infinite where it exceeds all numbers. */
  readonly value: (sample: Sample) => number | null;
}

/** All measures, by the name that they have in metrics.json, in the order of tables. */
export const MEASURES: Readonly<Record<string, Measure>> = {
  accuracy: {
    label: "accuracy",
    digits: 4,
    definition: "Share of images whose class is right.",
    value: ({ confusion }) => defined(sum(confusion.map((row, truth) => row[truth]!)) / sum(confusion.map(sum))),
  },
  roc_auc: {
    label: "ROC-AUC",
    digits: 4,
    definition: "Probability that an image of class 1 scores higher than one of class 0.",
    value: ({ ranking }) => ranking && ranking.area,
  },
  f1: {
    label: "F1",
    digits: 4,
    definition: "Harmonic mean of precision and recall of class 1; over three classes or more, the mean over classes.",
    value: f1Score,
  },
  background_rejection: {
    label: "background rejection at 50 % signal",
    digits: 1,
    definition: "One over the share of class 0 that passes the threshold which keeps half of class 1.",
    value: ({ ranking }) => ranking && ranking.rejection,
  },
  mass_mae: {
    label: "mass MAE (GeV)",
    digits: 2,
    definition: "Mean absolute error of the mass.",
    falls: true,
    value: ({ mass }) => defined(mass.absolute / mass.images),
  },
  mass_mse: {
    label: "mass MSE (GeV^2)",
    digits: 1,
    definition: "Mean squared error of the mass.",
    falls: true,
    value: ({ mass }) => defined(mass.squares / mass.images),
  },
  mass_rmse: {
    label: "mass RMSE (GeV)",
    digits: 2,
    definition: "Root of the mean squared error of the mass.",
    falls: true,
    value: ({ mass }) => defined(Math.sqrt(mass.squares / mass.images)),
  },
  mass_r2: {
    label: "mass R2",
    digits: 4,
    definition: "One less the mean squared error over the variance of the true mass: 0 for a model that always says the mean.",
    value: ({ mass }) => mass.spread === null ? null : defined(1 - mass.squares / mass.spread),
  },
};

/** Values by the name of the measure. */
export type MeasureValues = Readonly<Record<string, number | null>>;

/** Something for each measure, by its name. */
export function byMeasure<Value>(of: (name: string, measure: Measure) => Value): Record<string, Value> {
  return Object.fromEntries(Object.entries(MEASURES).map(([name, measure]) => [name, of(name, measure)]));
}

/**
 * All measures.
 *
 * @param counts how often each row counts; once each if not given
 */
export function measure(results: TestResults, counts?: ArrayLike<number>): MeasureValues {
  const sample = new Sampler(results).sample(counts);
  return byMeasure((_, { value }) => value(sample));
}

/** F1 of class 1 for two classes, otherwise the mean over the classes that occur or are predicted (scikit-learn's "macro"). */
function f1Score({ confusion }: Sample): number | null {
  const ofClass = (c: number) => {
    const actual = sum(confusion[c]!), claimed = sum(confusion.map((row) => row[c]!));
    return actual + claimed === 0 ? null : 2 * confusion[c]![c]! / (actual + claimed);
  };
  if (confusion.length === 2) return ofClass(1);
  const scores = confusion.map((_, c) => ofClass(c)).filter((score) => score !== null);
  return defined(sum(scores) / scores.length);
}

/** Null for what is no number. */
function defined(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
