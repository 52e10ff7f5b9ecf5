/** @file The work of deno task eval: models judged on the test split, printed and written to files. */

import type { RunConfig } from "../config/keys.ts";
import { ConfigError } from "../config/parse.ts";
import type { ImageSize } from "../data/packed.ts";
import { csvHeader, csvRow, predictImages } from "../eval/predict.ts";
import { Judge, type Judged, MEASURES } from "../eval/measures.ts";
import { summarise, type Summary } from "../eval/summary.ts";
import type { Gpu } from "../gpu/device.ts";
import { csvLine } from "../io/csv.ts";
import type { WorkOptions } from "../interrupted.ts";
import { formatJson } from "../io/json.ts";
import type { PendingFile } from "../io/pending_file.ts";
import { readsImages } from "../nn/config.ts";
import type { Weights } from "../weights/weights.ts";
import { describeAssumed, describeUntrained } from "../weights/weights_info.ts";
import { type ReportInput, reportPage, sections } from "../report/page.ts";
import { figureDocument } from "../report/svg.ts";
import { hasSeen, type SeenImages, seenImages } from "../eval/overlap.ts";
import { describeComparison, describeSeen, formatMeasure, MEASURE_LABELS, missingClasses, SEEN_MARK } from "../report/words.ts";
import { type Known, openLabelled } from "../input/open_data.ts";
import type { LabelledData } from "../input/data.ts";
import { placeOf } from "./commands.ts";
import { type ConsoleReporter, table } from "./console.ts";
import { ReportFolder } from "./report_folder.ts";

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
 * @throws {ConfigError} if the models tell different classes apart, or read other images than the file has
 */
export async function evaluate(
  gpu: Gpu,
  config: RunConfig,
  candidates: readonly Candidate[],
  out: string,
  reporter: ConsoleReporter,
  { formats = REPORT_FORMATS, signal }: EvaluateOptions = {},
): Promise<Summary> {
  checkClasses(candidates);
  using folder = new ReportFolder(out);
  const rows = formats.includes("csv") ? folder.begin("predictions.csv") : undefined;
  const place = placeOf(config.data.labelled_path, config);
  using data = await openLabelled(gpu, config, place, {
    progress: reporter.counting,
    notice: (line) => reporter.line(line),
    ...(signal && { signal }),
  });
  for (const candidate of candidates) checkImages(candidate, place.path, data.images);
  const { seed, batch_size: batch } = config.data, images = data.split.test.length;
  rows?.write(csvLine(["model", ...csvHeader(config.model.num_classes), "label", "mass_true"]));
  const models = new Map<string, Judged>();
  for (const candidate of candidates) {
    const options = { progress: reporter.counting(candidate.name), signal };
    models.set(candidate.name, await judge(gpu, candidate, data, batch, rows, options));
  }
  const summary = await summarise(models, seed, { progress: reporter.counting("95 % intervals", "resamples"), signal });
  const { seen, assumed, warnings } = remarks(candidates, models, data);
  const about = { data: place.path, seed, notes: [...assumed, ...warnings], seen };
  if (formats.includes("json")) folder.begin("metrics.json").write(formatJson({ ...about, images, ...summary }));
  if (formats.includes("html")) {
    const of = <Value>(value: (weights: Weights) => Value) =>
      new Map(candidates.map(({ name, weights }) => [name, value(weights)]));
    const histories = of(({ history }) => history), weights = of(({ path }) => path);
    writeReport({ ...about, models, histories, weights, summary }, folder);
  }
  await folder.publish((line) => reporter.line(line));
  reporter.line(`Test split of ${place.path}: ${images} images; 95 % intervals by bootstrap\n`);
  for (const warning of warnings) reporter.line(`${warning}\n`);
  reporter.line(measuresTable(summary.models, seen));
  for (const comparison of summary.comparisons) reporter.line(`\n${describeComparison(comparison)}`);
  reporter.line(`\nIn ${out}: ${formats.map((format) => WRITTEN[format]).join(", ")}`);
  return summary;
}

/** What a reader has to know before the numbers: what was assumed, and what the numbers cannot say. */
function remarks(candidates: readonly Candidate[], models: ReadonlyMap<string, Judged>, data: LabelledData & Known) {
  const { test } = data.split;
  const assumed = candidates.flatMap(({ weights }) => [describeUntrained(weights), describeAssumed(weights)])
    .filter((note) => note !== undefined);
  const seen = new Map(candidates.map(({ name, weights }) => {
    return [name, seenImages(weights.trainedOn, data.trainedOn, data.labels, test)];
  }));
  const [judged] = [...models.values()];
  const warnings = [...[...seen].flatMap(([name, met]) => describeSeen(name, met, test.length)), ...missingClasses(judged!)];
  return { assumed, seen, warnings };
}

/** A model's predictions of the test images beside the truth; each is a row too, if rows are wanted. */
async function judge(
  gpu: Gpu,
  { name, weights }: Candidate,
  data: LabelledData,
  batch: number,
  rows: PendingFile | undefined,
  options: WorkOptions,
): Promise<Judged> {
  const { labels, mass, split: { test } } = data;
  const judging = new Judge(weights.model.num_classes, test.length);
  for await (const prediction of predictImages(gpu, weights, data, test, batch, options)) {
    const truth = [labels[prediction.index]!, mass[prediction.index]!] as const;
    judging.add(prediction, ...truth);
    rows?.write(csvLine([name, ...csvRow(prediction), ...truth]));
  }
  return judging.judged();
}

/** Refuses models that tell different classes apart. */
function checkClasses(candidates: readonly Candidate[]): void {
  const classesOf = ({ weights }: Candidate) => weights.model.num_classes;
  const describe = (candidate: Candidate) =>
    `"${candidate.name}" (${candidate.weights.path}) knows ${classesOf(candidate)} classes`;
  const [first] = candidates, other = candidates.find((candidate) => classesOf(candidate) !== classesOf(first!));
  if (!other) return;
  throw new ConfigError(
    `${describe(first!)} and ${describe(other)}: they cannot be judged together. Judge each by itself, with an --out of its own`,
  );
}

/** Refuses a model that cannot read the images. */
function checkImages({ name, weights: { path, model } }: Candidate, data: string, images: ImageSize): void {
  if (readsImages(model, images)) return;
  throw new ConfigError(
    `"${name}" (${path}) reads images of ${model.img_size} x ${model.img_size} with ${model.in_channels} channels, and those of ` +
      `${data} are ${images.size} x ${images.size} with ${images.channels}. Judge it by itself, on other data`,
  );
}

/**
 * Measures of models with their intervals, a column for each model.
 *
 * @param seen images of the test set that models have met: those are marked
 */
export function measuresTable(models: Summary["models"], seen: ReadonlyMap<string, SeenImages> = new Map()): string {
  const title = (name: string) => name + (hasSeen(seen.get(name) ?? { labelled: 0, unlabelled: 0 }) ? SEEN_MARK : "");
  return table(
    ["", ...[...models.keys()].map(title)],
    MEASURES.map((measure) => {
      const cells = [...models.values()].map((model) => Object.values(formatMeasure(model, measure)).join(" ").trimEnd());
      return [MEASURE_LABELS[measure].text, ...cells];
    }),
  );
}

function writeReport(input: ReportInput, folder: ReportFolder): void {
  const parts = sections(input);
  for (const figure of parts.flatMap(({ figures }) => figures)) {
    folder.begin(`figures/${figure.name}.svg`).write(figureDocument(figure));
  }
  folder.begin("report.html").write(reportPage(input, parts));
}
