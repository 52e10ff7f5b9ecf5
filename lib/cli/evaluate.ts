/** @file The work of deno task eval: models judged on the test split, printed and written to files. */

import type { RunConfig } from "../config/keys.ts";
import { csvHeader, csvRow, predictImages } from "../eval/evaluate.ts";
import { judge, type Judged, MEASURES } from "../eval/measures.ts";
import { summarise, type Summary } from "../eval/summary.ts";
import type { Gpu } from "../gpu/device.ts";
import { writeFileAtomic } from "../io/atomic.ts";
import type { Weights } from "../nn/weights.ts";
import { describeAssumed } from "../nn/weights_info.ts";
import { type ReportInput, reportPage, sections } from "../report/page.ts";
import { figureDocument } from "../report/svg.ts";
import { describeComparison, formatMeasure, MEASURE_LABELS } from "../report/words.ts";
import { openLabelled } from "../train/data.ts";
import { placeOf } from "./commands.ts";
import { type ConsoleReporter, table } from "./console.ts";

/** A model to be judged. */
export interface Candidate {
  readonly name: string;
  readonly weights: Weights;
}

/** What can be written. */
export const REPORT_FORMATS = ["html", "json", "csv"] as const;

/** A kind of file that is written. */
export type ReportFormat = (typeof REPORT_FORMATS)[number];

const WRITTEN: Readonly<Record<ReportFormat, string>> = {
  html: "report.html (open it in a browser) and its figures as SVG in figures/",
  json: "the numbers in metrics.json",
  csv: "one row per image in predictions.csv",
};

/** What is written, and how the work is stopped. */
export interface EvaluateOptions {
  /** All by default. */
  readonly formats?: readonly ReportFormat[];
  readonly signal?: AbortSignal;
}

/**
 * Judges models on the test split of a labelled file, prints a table and writes the files that were asked for.
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
  { formats = REPORT_FORMATS, signal }: EvaluateOptions = {},
): Promise<Summary> {
  const place = placeOf(config.data.labelled_path, config);
  using data = await openLabelled(gpu, config, place, { progress: reporter.counting, ...(signal && { signal }) });
  const { test } = data.split;
  const models = new Map<string, Judged>();
  const rows = [["model", ...csvHeader(config.model.num_classes), "label", "mass_true"]];
  for (const { name, weights } of candidates) {
    const options = { progress: reporter.counting(name), signal };
    const predictions = await predictImages(gpu, weights, data, test, config.data.batch_size, options);
    models.set(name, judge(predictions, data.labels, data.mass));
    for (const p of predictions) rows.push([name, ...csvRow(p), String(data.labels[p.index]), String(data.mass[p.index])]);
  }
  const summary = summarise(models, config.data.seed);
  const notes = candidates.map(({ weights }) => describeAssumed(weights)).filter((note) => note !== undefined);
  const numbers = { data: place.path, seed: config.data.seed, images: test.length, notes, ...summary };
  Deno.mkdirSync(out, { recursive: true });
  if (formats.includes("json")) writeFileAtomic(`${out}/metrics.json`, JSON.stringify(numbers, null, 2) + "\n");
  if (formats.includes("csv")) writeFileAtomic(`${out}/predictions.csv`, rows.map((row) => row.join(",") + "\n").join(""));
  if (formats.includes("html")) {
    const of = <Value>(value: (weights: Weights) => Value) =>
      new Map(candidates.map(({ name, weights }) => [name, value(weights)]));
    const histories = of(({ history }) => history), weights = of(({ path }) => path);
    writeReport({ data: place.path, seed: config.data.seed, models, histories, weights, summary, notes }, out);
  }
  reporter.line(`Test split of ${place.path}: ${test.length} images; 95 % intervals by bootstrap\n`);
  reporter.line(measuresTable(summary.models));
  for (const comparison of summary.comparisons) reporter.line(`\n${describeComparison(comparison)}`);
  reporter.line(`\nIn ${out}: ${formats.map((format) => WRITTEN[format]).join(", ")}`);
  return summary;
}

/** Measures of models with their intervals, a column for each model. */
export function measuresTable(models: Summary["models"]): string {
  const names = Object.keys(models);
  return table(
    ["", ...names],
    MEASURES.map((measure) => {
      return [MEASURE_LABELS[measure].text, ...names.map((name) => formatMeasure(models[name]!, measure))];
    }),
  );
}

function writeReport(input: ReportInput, out: string): void {
  const parts = sections(input);
  Deno.mkdirSync(`${out}/figures`, { recursive: true });
  for (const figure of parts.flatMap(({ figures }) => figures)) {
    writeFileAtomic(`${out}/figures/${figure.name}.svg`, figureDocument(figure));
  }
  writeFileAtomic(`${out}/report.html`, reportPage(input, parts));
}
