/**
 * @file The measures of a model on a test split. A new one is an entry of {@linkcode OF_CLASSES} or {@linkcode ofTarget}: its value, interval and comparison are then in
 * the table of `deno task eval`, in report.html and in metrics.json.
 *
 * A measure that its images do not define is null, never a number that stands in for it: an AUC of one class, F1 of a class that
 * neither occurs nor is predicted, R2 of masses that are all the same.
 */

import { digitsOf, inUnit, inWords, MASS, type Target } from "../data/targets.ts";
import type { Digits } from "../format.ts";
import { type Sample, Sampler } from "./sample.ts";
import type { TestResults } from "./test_results.ts";

/** A measure. */
export interface Measure {
  /** What it is called in tables, with its unit. */
  readonly label: string;
  /** Digits that are shown. */
  readonly digits: Digits;
  /** What it is, in a sentence. */
  readonly definition: string;
  /** Its value; null where the sample does not define it, infinite where it exceeds all numbers. */
  readonly value: (sample: Sample) => number | null;
}

/** Measures of the classes. */
const OF_CLASSES: Readonly<Record<string, Measure>> = {
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
};

/**
 * Measures of a target, by the last part of their names.
 *
 * @param t place of the target in the list
 */
function ofTarget(target: Target, t: number): Record<string, Measure> {
  const { name, unit } = target, squared = /^\w*$/.test(unit) ? unit : `(${unit})`;
  return {
    mae: {
      label: inUnit(`${name} MAE`, target),
      digits: digitsOf(target, 2),
      definition: `Mean absolute error of ${inWords(target)}.`,
      value: ({ targets }) => defined(targets[t]!.absolute / targets[t]!.images),
    },
    mse: {
      label: inUnit(`${name} MSE`, { unit: unit && `${squared}^2` }),
      digits: digitsOf(target, 1),
      definition: `Mean squared error of ${inWords(target)}.`,
      value: ({ targets }) => defined(targets[t]!.squares / targets[t]!.images),
    },
    rmse: {
      label: inUnit(`${name} RMSE`, target),
      digits: digitsOf(target, 2),
      definition: `Root of the mean squared error of ${inWords(target)}.`,
      value: ({ targets }) => defined(Math.sqrt(targets[t]!.squares / targets[t]!.images)),
    },
    r2: {
      label: `${name} R2`,
      digits: 4,
      definition: "One less the mean squared error over the variance of the true " +
        `${name}: 0 for a model that always says the mean.`,
      value: ({ targets }) => targets[t]!.spread === null ? null : defined(1 - targets[t]!.squares / targets[t]!.spread),
    },
  };
}

/** All measures, by the name that they have in metrics.json, in the order of tables: those of the classes, then those of each target. */
export function measuresOf(targets: readonly Target[]): Readonly<Record<string, Measure>> {
  const ofTargets = targets.flatMap((target, t) => {
    return Object.entries(ofTarget(target, t)).map(([name, measure]) => [`${target.name}_${name}`, measure] as const);
  });
  return { ...OF_CLASSES, ...Object.fromEntries(ofTargets) };
}

/** All measures where the mass is the one target. */
export const MEASURES: Readonly<Record<string, Measure>> = measuresOf([MASS]);

/** True if less of a measure is better, as of every error of a target. */
export function falls(name: string): boolean {
  return /_(mae|mse|rmse)$/.test(name);
}

/** The mean absolute error of a target, as the name of a measure. */
export function errorMeasure({ name }: Target): string {
  return `${name}_mae`;
}

/** Values by the name of the measure. */
export type MeasureValues = Readonly<Record<string, number | null>>;

/** Something for each measure of some targets, by its name. */
export function byMeasure<Value>(targets: readonly Target[], of: (name: string, measure: Measure) => Value): Record<string, Value> {
  return Object.fromEntries(Object.entries(measuresOf(targets)).map(([name, measure]) => [name, of(name, measure)]));
}

/**
 * All measures.
 *
 * @param counts how often each row counts; once each if not given
 */
export function measure(results: TestResults, counts?: ArrayLike<number>): MeasureValues {
  const sample = new Sampler(results).sample(counts);
  return byMeasure(results.targets, (_, { value }) => value(sample));
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
