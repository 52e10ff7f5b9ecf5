/** @file Measures and comparisons in words, for the terminal and the page. */

import type { Measure } from "../eval/measures.ts";
import type { ModelSummary, Summary } from "../eval/summary.ts";

/** How a measure is called and printed. */
export const MEASURE_LABELS: Readonly<Record<Measure, { readonly text: string; readonly digits: number }>> = {
  accuracy: { text: "accuracy", digits: 4 },
  roc_auc: { text: "ROC-AUC", digits: 4 },
  f1: { text: "F1", digits: 4 },
  background_rejection: { text: "background rejection at 50 % signal", digits: 1 },
  mass_mae: { text: "mass MAE (GeV)", digits: 2 },
  mass_mse: { text: "mass MSE (GeV^2)", digits: 1 },
  mass_rmse: { text: "mass RMSE (GeV)", digits: 2 },
  mass_r2: { text: "mass R2", digits: 4 },
};

/** A measure with its interval, such as "0.9030 [0.8895, 0.9160]". */
export function formatMeasure(model: ModelSummary, name: Measure): string {
  const { digits } = MEASURE_LABELS[name];
  const value = model[name], interval = model.intervals[name];
  if (value === null) return "-";
  // a background rejection without background
  const format = (number: number) => Number.isFinite(number) ? number.toFixed(digits) : "\u221e";
  return interval ? `${format(value)} [${interval.map(format).join(", ")}]` : format(value);
}

/** Two sentences: whether accuracy and mass error differ by more than chance. */
export function describeComparison({ model, baseline, differences, only, mcnemar }: Summary["comparisons"][number]): string {
  const verdict = (p: number) => p < 0.05 ? "more than chance" : "may be chance";
  const { accuracy, mass_mae } = differences;
  const signed = (value: number, digits: number) => `${value > 0 ? "+" : ""}${value.toFixed(digits)}`;
  const classes = `${model} against ${baseline}: accuracy ${signed(accuracy!.difference, 4)} [${
    accuracy!.interval.map((end) => signed(end, 4)).join(", ")
  }]: ${verdict(mcnemar)} (McNemar p = ${mcnemar.toPrecision(2)}; ${only[0]} images right with ${model} alone, ${
    only[1]
  } with ${baseline} alone)`;
  const mass = `mass MAE ${signed(mass_mae!.difference, 2)} GeV [${mass_mae!.interval.map((end) => signed(end, 2)).join(", ")}]: ${
    verdict(mass_mae!.p)
  } (paired bootstrap p = ${mass_mae!.p.toPrecision(2)})`;
  return `${classes}\n${mass}`;
}
