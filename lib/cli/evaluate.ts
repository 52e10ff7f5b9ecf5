/** @file The work of deno task eval: models judged on the test split, printed and written to files. */

import type { RunConfig } from "../config.ts";
import { csvHeader, csvRow, predictImages } from "../eval/evaluate.ts";
import { judge, type Judged, type Measure, MEASURES } from "../eval/measures.ts";
import { type ModelSummary, summarise, type Summary } from "../eval/summary.ts";
import type { Gpu } from "../gpu/device.ts";
import { writeFileAtomic } from "../io/atomic.ts";
import type { Weights } from "../nn/weights.ts";
import { openLabelled } from "../train/data.ts";
import { placeOf } from "./commands.ts";
import { type ConsoleReporter, table } from "./console.ts";

/** A model to be judged. */
export interface Candidate {
  readonly name: string;
  readonly weights: Weights;
}

/**
 * Judges models on the test split of a labelled file; writes metrics.json and predictions.csv and prints a table.
 *
 * @param config whose data and model describe the file
 * @param out folder for the files
 */
export async function evaluate(
  gpu: Gpu,
  config: RunConfig,
  candidates: readonly Candidate[],
  out: string,
  reporter: ConsoleReporter,
): Promise<Summary> {
  const place = placeOf(config.data.labelled_path, config);
  using data = await openLabelled(gpu, config, place, { progress: reporter.counting });
  const { test } = data.split;
  const models = new Map<string, Judged>();
  const rows = [["model", ...csvHeader(config.model.num_classes), "label", "mass_true"]];
  for (const { name, weights } of candidates) {
    const predictions = await predictImages(gpu, weights, data, test, config.data.batch_size, reporter.counting(name));
    models.set(name, judge(predictions, data.labels, data.mass));
    for (const p of predictions) rows.push([name, ...csvRow(p), String(data.labels[p.index]), String(data.mass[p.index])]);
  }
  const summary = summarise(models, config.data.seed);
  Deno.mkdirSync(out, { recursive: true });
  const written = { data: place.path, seed: config.data.seed, images: test.length, ...summary };
  writeFileAtomic(`${out}/metrics.json`, JSON.stringify(written, null, 2) + "\n");
  writeFileAtomic(`${out}/predictions.csv`, rows.map((row) => row.join(",") + "\n").join(""));
  reporter.line(`Test split of ${place.path}: ${test.length} images; 95 % intervals by bootstrap\n`);
  reporter.line(measuresTable(summary.models));
  for (const comparison of summary.comparisons) reporter.line(`\n${describeComparison(comparison)}`);
  reporter.line(`\nThe numbers are in ${out}/metrics.json, one row per image in ${out}/predictions.csv`);
  return summary;
}

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
  return interval ? `${value.toFixed(digits)} [${interval.map((end) => end.toFixed(digits)).join(", ")}]` : value.toFixed(digits);
}

function measuresTable(models: Summary["models"]): string {
  const names = Object.keys(models);
  return table(
    ["", ...names],
    MEASURES.map((measure) => {
      return [MEASURE_LABELS[measure].text, ...names.map((name) => formatMeasure(models[name]!, measure))];
    }),
  );
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
