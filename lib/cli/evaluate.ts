/** @file The work of deno task eval: models evaluated on the test split, printed and written to files. */

import type { RunConfig } from "../config/keys.ts";
import { ConfigError } from "../config/parse.ts";
import type { ImageSize } from "../data/packed.ts";
import { isKnown, isMassAlone, listTargets, sameTargets, type Target, type TargetValues } from "../data/targets.ts";
import { columnNames, csvHeader, csvRow, meanPrediction, predictEnsemble, type PredictOptions } from "../eval/predict.ts";
import { summarise, type Summary, summaryRecord } from "../eval/summary.ts";
import { TestResults } from "../eval/test_results.ts";
import type { Gpu } from "../gpu/device.ts";
import { csvLine } from "../io/csv.ts";
import { formatJson } from "../io/json.ts";
import type { PendingFile } from "../disk/pending_file.ts";
import { readsImages } from "../nn/config.ts";
import type { Weights } from "../weights/weights.ts";
import { describeAssumed, describeUntrained } from "../weights/weights_info.ts";
import { hasSeen, type SeenImages, seenImages } from "../eval/overlap.ts";
import { describeComparison, describeSeen, measureRows, missingClasses, SEEN_MARK } from "../report/words.ts";
import { type Known, openLabelled } from "../disk/open_data.ts";
import type { LabelledData } from "../input/input_images.ts";
import { labelledPlace, testPlace } from "./commands.ts";
import { type ConsoleReporter, table } from "./console.ts";
import { describeMaking } from "./making.ts";
import { writeReport } from "./report.ts";
import { MEMBERS, ReportFolder } from "./report_folder.ts";

/** A model to be evaluated, or an ensemble of several. */
export interface Candidate {
  readonly name: string;
  /** One, or the members of an ensemble, whose predictions are averaged. */
  readonly members: readonly Weights[];
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
  /** Judges all images of the data, instead of those that are for testing. */
  readonly all?: boolean;
  /** Averages outputs over the four flips of each image. */
  readonly flips?: boolean;
  /** The task that evaluates, for the command that makes the report again. */
  readonly task?: string;
  readonly signal?: AbortSignal;
}

/**
 * Evaluates models on the test split of labelled data, or on data that are for testing alone, prints a table and writes the files that
 * were asked for.
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
  { formats = REPORT_FORMATS, all = false, flips = false, task = "eval", signal }: EvaluateOptions = {},
): Promise<Summary> {
  checkOutputsAlike(candidates);
  using folder = new ReportFolder(out);
  const rows = formats.includes("csv") ? folder.begin("predictions.csv") : undefined;
  const hasMembers = candidates.some(({ members }) => members.length > 1),
    ofMembers = rows && hasMembers ? folder.begin(MEMBERS) : undefined;
  const separate = config.data.test_path !== "", whole = separate || all;
  const place = separate ? testPlace(config) : labelledPlace(config), { targets } = candidates[0]!.members[0]!;
  using data = await openLabelled(gpu, config, place, {
    progress: reporter.counting,
    notice: (line) => reporter.line(line),
    check: (images) => {
      candidates.forEach((candidate) => checkImages(candidate, place.path, images));
      checkUnits(targets, images.targets ?? [], place.path);
    },
    lenient: true,
    whole,
    ...(signal && { signal }),
  });
  const { seed, batch_size: batch } = config.data, images = data.split.test.length;
  const header = [...csvHeader(config.model.num_classes, targets), ...truthHeader(data, targets)];
  rows?.write(csvLine(["model", ...header]));
  ofMembers?.write(csvLine(["model", "member", ...header]));
  const judged = new Map<string, Judged>();
  for (const candidate of candidates) {
    const options = { progress: reporter.counting(candidate.name), signal, flips };
    judged.set(candidate.name, await resultsOf(gpu, candidate, data, batch, { rows, ofMembers }, options));
  }
  const models = new Map([...judged].map(([name, { results }]) => [name, results]));
  const summary = await summarise(models, seed, { progress: reporter.counting("95 % intervals", "resamples"), signal });
  const { seen, assumed, warnings } = remarks(candidates, models, data);
  if (flips) assumed.push("Predictions are means over the four flips of each image");
  const notes = [...assumed, ...warnings], made = await describeMaking(task, gpu.adapter, place.path, data.trainedOn, candidates);
  const weights = new Map(candidates.map(({ name, members }) => [name, members.map(({ path }) => path)]));
  const named = isMassAlone(targets) ? {} : { targets: summary.targets };
  const facts = { data: place.path, seed, whole, ...named, notes, seen, weights, made };
  if (formats.includes("json")) folder.begin("metrics.json").write(formatJson({ ...facts, images, ...summaryRecord(summary) }));
  if (formats.includes("html")) {
    const reported = candidates.map(({ name, members }) => ({ name, ...judged.get(name)!, history: members[0]!.history }));
    writeReport(folder, facts, reported, summary);
  }
  await folder.publish((line) => reporter.line(line));
  reporter.line(`${whole ? "All images" : "Test split"} of ${place.path}: ${images} images; 95 % intervals by bootstrap\n`);
  for (const warning of warnings) reporter.line(`${warning}\n`);
  reporter.line(measuresTable(summary, seen));
  for (const comparison of summary.comparisons) reporter.line(`\n${describeComparison(comparison, summary.targets)}`);
  reporter.line(`\nIn ${out}: ${formats.map((format) => WRITTEN[format]).join(", ")}`);
  return summary;
}

/** What a reader has to know before the numbers: what was assumed, and what the numbers cannot say. */
function remarks(candidates: readonly Candidate[], models: ReadonlyMap<string, TestResults>, data: LabelledData & Known) {
  const { test } = data.split;
  const assumed = candidates.flatMap(({ members }) => members)
    .flatMap((weights) => [describeUntrained(weights), describeAssumed(weights)])
    .filter((note) => note !== undefined);
  for (const { name, members } of candidates) {
    if (members.length > 1) assumed.push(`${name} is the mean of ${members.length} models`);
  }
  const seen = new Map(candidates.map(({ name, members }) => {
    return [name, seenImages(members.flatMap(({ trainedOn }) => trainedOn), data, test)];
  }));
  const [results] = [...models.values()];
  const warnings = [...[...seen].flatMap(([name, met]) => describeSeen(name, met, test.length)), ...missingClasses(results!)];
  return { assumed, seen, warnings };
}

/** What a model says about the test images. */
interface Judged {
  readonly results: TestResults;
  /** The same of each model that it is the mean of, if there are several. */
  readonly members: readonly TestResults[] | undefined;
}

/** A model's predictions of the test images beside the truth; each is a row too, and those of its members, if rows are wanted. */
async function resultsOf(
  gpu: Gpu,
  { name, members }: Candidate,
  data: LabelledData,
  batch: number,
  { rows, ofMembers: memberRows }: { readonly rows: PendingFile | undefined; readonly ofMembers: PendingFile | undefined },
  options: PredictOptions,
): Promise<Judged> {
  const { labels, targets, weights, pt, split: { test } } = data;
  const empty = () => new TestResults(members[0]!.model.num_classes, test.length, members[0]!.targets);
  const results = empty(), ofMembers = members.map(empty);
  for await (const predictions of predictEnsemble(gpu, members, data, test, batch, options)) {
    const mean = meanPrediction(predictions), { index } = mean;
    const truth = [labels[index]!, targets.map(({ values }) => values[index]!), weights?.[index], pt?.[index]] as const;
    results.add(mean, ...truth);
    predictions.forEach((prediction, i) => ofMembers[i]!.add(prediction, ...truth));
    const known = truth.flat().filter((value) => value !== undefined).map((value) => Number.isNaN(value) ? "" : value);
    rows?.write(csvLine([name, ...csvRow(mean), ...known]));
    if (members.length === 1) continue;
    predictions.forEach((prediction, i) => memberRows?.write(csvLine([name, i + 1, ...csvRow(prediction), ...known])));
  }
  return { results, members: members.length > 1 ? ofMembers : undefined };
}

/** Columns of what is known of an image. */
function truthHeader({ weights, pt }: LabelledData, targets: readonly Target[]): string[] {
  return ["label", ...columnNames(targets).map((name) => `${name}_true`), ...(weights ? ["weight"] : []), ...(pt ? ["pt"] : [])];
}

/** Refuses models that tell different classes apart, or predict different targets. */
function checkOutputsAlike(candidates: readonly Candidate[]): void {
  const all = candidates.flatMap(({ name, members }) => members.map((weights) => ({ name, weights })));
  const [first] = all, { model: { num_classes: classes }, targets } = first!.weights;
  const otherClasses = all.find(({ weights }) => weights.model.num_classes !== classes);
  const other = otherClasses ?? all.find(({ weights }) => !sameTargets(weights.targets, targets));
  if (!other) return;
  const describe = ({ name, weights }: { name: string; weights: Weights }) => {
    const what = otherClasses ? `knows ${weights.model.num_classes} classes` : `predicts ${listTargets(weights.targets)}`;
    return `"${name}" (${weights.path}) ${what}`;
  };
  throw new ConfigError(
    `${describe(first!)} and ${
      describe(other)
    }: they cannot be evaluated together. Evaluate each by itself, with an --out of its own`,
  );
}

/** Refuses data that say their targets to be in other units than those that are predicted. */
function checkUnits(predicted: readonly Target[], known: readonly TargetValues[], path: string): void {
  for (const [t, target] of known.entries()) {
    const { unit } = predicted[t]!, { name, unit: theirs } = target;
    if (!isKnown(target) || unit === "" || theirs === "" || unit === theirs) continue;
    throw new ConfigError(
      `${path}: "${name}" is in ${theirs}, and the models predict it in ${unit}. Store it in ${unit}, and that as its attribute "unit"`,
    );
  }
}

/** Refuses a model that cannot read the images. */
function checkImages({ name, members }: Candidate, data: string, images: ImageSize): void {
  const misfit = members.find(({ model }) => !readsImages(model, images));
  if (!misfit) return;
  const { path, model } = misfit;
  throw new ConfigError(
    `"${name}" (${path}) reads images of ${model.img_size} x ${model.img_size} with ${model.in_channels} channels, and those of ` +
      `${data} are ${images.size} x ${images.size} with ${images.channels}. Evaluate it by itself, on other data`,
  );
}

/**
 * Measures of models with their intervals, a column for each model.
 *
 * @param seen images of the test set that models have met: those are marked
 */
export function measuresTable(
  { models, targets }: Pick<Summary, "models" | "targets">,
  seen: ReadonlyMap<string, SeenImages> = new Map(),
): string {
  const title = (name: string) => name + (hasSeen(seen.get(name) ?? { labelled: 0, unlabelled: 0 }) ? SEEN_MARK : "");
  const rows = measureRows([...models.values()], targets).map(({ label, cells }) => {
    return [label, ...cells.map(({ value, interval }) => `${value} ${interval}`.trimEnd())];
  });
  return table(["", ...[...models.keys()].map(title)], rows);
}
