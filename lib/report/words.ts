/** @file Measures and comparisons in words, for the terminal and the page. */

import type { Comparison, Difference, Interval } from "../eval/bootstrap.ts";
import { type Target, withUnit } from "../data/targets.ts";
import { errorMeasure, measuresOf } from "../eval/measures.ts";
import type { SeenImages } from "../eval/overlap.ts";
import type { ModelSummary } from "../eval/summary.ts";
import type { TestResults } from "../eval/test_results.ts";
import { type Digits, formatReal, NOT_DEFINED } from "../format.ts";

/** A measure's value and its interval in words, such as "0.9030" and "[0.8895, 0.9160]"; what is not defined says so, alone. */
export interface Cell {
  readonly value: string;
  readonly interval: string;
}

/** A row for each measure, and in it a cell for each model. */
export function measureRows(models: readonly ModelSummary[], targets: readonly Target[]): { label: string; cells: Cell[] }[] {
  return Object.entries(measuresOf(targets)).map(([name, { label, digits }]) => ({
    label,
    cells: models.map(({ values, intervals }) => {
      const { [name]: value = null } = values, { [name]: interval = null } = intervals;
      return {
        value: formatReal(value, digits),
        interval: value === null ? "" : formatInterval(interval, (end) => formatReal(end, digits)),
      };
    }),
  }));
}

function formatInterval(interval: Interval | null, format: (end: number) => string): string {
  return `[${interval ? interval.map(format).join(", ") : NOT_DEFINED}]`;
}

/** One sentence if the test images are not of all classes that the model tells apart, none otherwise. */
export function missingClasses({ classes, labels, hasLabels }: Pick<TestResults, "classes" | "labels" | "hasLabels">): string[] {
  if (!hasLabels) return [];
  const counts = new Uint32Array(classes);
  for (let i = 0; i < labels.length; i++) counts[labels[i]!]!++;
  const missing = [...counts.keys()].filter((c) => counts[c] === 0);
  if (missing.length === 0) return [];
  return [`No test image is of class ${missing.join(" or ")}: what needs such images is not defined.`];
}

/** What follows the name of a model that was trained on images of the test set. */
export const SEEN_MARK = " *";

/** A sentence for each way in which a model was trained on images of the test set. */
export function describeSeen(name: string, { labelled, unlabelled }: SeenImages, images: number): string[] {
  const start = `* ${name} was`, of = `of these ${images} images`;
  return [
    ...(labelled > 0 ? [`${start} trained or validated on ${labelled} ${of}: its numbers say nothing about new ones.`] : []),
    ...(unlabelled > 0
      ? [`${start} pretrained on ${unlabelled} ${of}, without their classes and masses: its numbers may be too good.`]
      : []),
  ];
}

/** A sentence for the accuracy and one for the error of each target, such as the mass: whether they differ by more than chance. */
export function describeComparison(comparison: Comparison, targets: readonly Target[]): string {
  const { model, baseline, differences, only, mcnemar, adjusted } = comparison, measures = measuresOf(targets);
  const chance = (p: number) => p < 0.05 ? "more than chance" : "may be chance";
  const probability = (p: number, corrected: number | null | undefined) => {
    return `p = ${p.toPrecision(2)}${typeof corrected === "number" ? `, with Holm's correction ${corrected.toPrecision(2)}` : ""}`;
  };
  const describe = (difference: Difference | null | undefined, digits: Digits, unit: Pick<Target, "unit"> = { unit: "" }) => {
    if (!difference) return NOT_DEFINED;
    const signed = (value: number) => `${value > 0 ? "+" : ""}${formatReal(value, digits)}`;
    return `${withUnit(signed(difference.difference), unit)} ${formatInterval(difference.interval, signed)}`;
  };
  const { accuracy } = differences;
  const right = `${only[0]} images right with ${model} alone, ${only[1]} with ${baseline} alone`;
  const classes = describe(accuracy, 4) +
    (accuracy ? `: ${chance(adjusted?.mcnemar ?? mcnemar)} (McNemar ${probability(mcnemar, adjusted?.mcnemar)}; ${right})` : "");
  const errors = targets.map((target) => {
    const name = errorMeasure(target), error = differences[name], p = error?.p ?? null, corrected = adjusted?.[name];
    const chanceOf = p === null ? "" : `: ${chance(corrected ?? p)} (paired bootstrap ${probability(p, corrected)})`;
    return `${target.name} MAE ${describe(error, measures[name]!.digits, target)}${chanceOf}`;
  });
  return [`${model} against ${baseline}: accuracy ${classes}`, ...errors].join("\n");
}
