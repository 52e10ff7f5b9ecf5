/** @file The work of deno task inspect: facts of a data file, printed, and pictures of images. */

import { openData, openJets } from "../disk/data_files.ts";
import { describeNegative, describeZeroEnd, describeZeros, remarksOn } from "../data/empty.ts";
import type { Encoding, PackedBatch } from "../data/entries.ts";
import { DataError } from "../data/errors.ts";
import { FEATURES, jetFeatures } from "../data/features.ts";
import type { JetFile } from "../data/jet_file.ts";
import type { JetNames } from "../data/jets.ts";
import type { ImageGroup } from "../data/image_group.ts";
import { labelProblem } from "../data/labels.ts";
import { packGroup } from "../data/pack_group.ts";
import { compareWithPublished, datasetRows, PUBLISHED_FILES, type PublishedKind } from "../disk/published.ts";
import { MASS } from "../data/targets.ts";
import { type Split, stratifiedSplit } from "../data/split.ts";
import { CHANNEL_NAMES, describe, hasPublishedChannels, ImageStatistics } from "../data/statistics.ts";
import { linearProbe } from "../eval/linear_probe.ts";
import { measure } from "../eval/measures.ts";
import { Matrix } from "../eval/regression.ts";
import { formatCount, formatReal } from "../format.ts";
import { makeOutputFolder, writeFileAtomic } from "../disk/atomic.ts";
import { eventFigure } from "../report/event_figure.ts";
import { figureDocument } from "../report/svg.ts";
import { pauses } from "../interrupted.ts";
import { type ConsoleReporter, table } from "./console.ts";
import { histogram } from "./histogram.ts";

/** What is looked at. */
export interface InspectOptions {
  /** Datasets to use instead of the usual names. */
  readonly names: JetNames;
  /** Images to look at, spread over the file; 0 for all. */
  readonly sample: number;
  /** Folder for pictures, if there shall be any. */
  readonly pictures: string | undefined;
  /** Images to draw. */
  readonly indices: readonly number[] | undefined;
  readonly reporter: ConsoleReporter;
  readonly signal: AbortSignal;
}

/** Datasets that are listed. */
const MOST_DATASETS = 100;
/** Most classes that are listed: more of them are something else than classes. */
const MOST_CLASSES = 20;
/** Fewest test images for which an accuracy is worth a line. */
const FEWEST_TEST_IMAGES = 20;
/** Most images whose hand-made features are kept. */
const MOST_FEATURED = 50_000;

/**
 * Prints what a file holds.
 *
 * @throws {DataError} if it is damaged, or holds no images
 */
export async function inspect(path: string, options: InspectOptions): Promise<void> {
  const { reporter } = options;
  const { size: bytes } = await listDatasets(path, reporter);
  using file = await openJets(path, options.names);
  if (options.indices) checkIndices(options.indices, file);
  using _folder = options.pictures === undefined ? undefined : makeOutputFolder(options.pictures);
  const labels = file.has("labels") ? file.readScalars("labels") : undefined;
  const mass = file.has("mass") ? file.readScalars("mass") : undefined;
  const pt = file.has("pt") ? file.readScalars("pt") : undefined;
  if (labels) describeLabels(labels, reporter);
  if (mass) describeScalar("Mass", mass, 20, 16, reporter);
  if (pt) describeScalar("pT", pt, 50, 16, reporter);
  await lookAtImages(file, { labels, mass }, options);
  comparePublished(file, bytes, reporter);
  if (options.pictures !== undefined) await drawImages(file, { labels, mass, pt }, options.pictures, options);
}

async function listDatasets(path: string, reporter: ConsoleReporter): Promise<Deno.FileInfo> {
  using file = await openData(path);
  const facts = Deno.statSync(path);
  reporter.line(`${path}: ${formatCount(facts.size)} bytes\n`);
  const { names } = file;
  reporter.line(table(["dataset", "shape", "type", "storage"], datasetRows(file, names.slice(0, MOST_DATASETS))));
  if (names.length > MOST_DATASETS) reporter.line(`and ${formatCount(names.length - MOST_DATASETS)} more`);
  return facts;
}

function checkIndices(indices: readonly number[], { path, count }: JetFile): void {
  const bad = indices.find((index) => index >= count);
  if (bad !== undefined) throw new DataError(`${path}: there is no image ${bad}: the last is ${count - 1}. Change --index`);
}

function describeLabels(labels: Float64Array, reporter: ConsoleReporter): void {
  reporter.line(`\nClasses: ${classBalance(labels)}`);
  const problem = labelProblem(labels);
  for (const odd of [problem, describeZeroEnd(labels)]) if (odd !== undefined) reporter.line(`Beware: ${odd}`);
}

function classBalance(labels: Float64Array): string {
  const counts = new Map<number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  if (counts.size > MOST_CLASSES) {
    const { least, most } = describe(labels);
    return `${counts.size} different labels, from ${least} to ${most}`;
  }
  return [...counts].sort(([a], [b]) => a - b).map(([value, n]) => {
    return `${n} of class ${value} (${(100 * n / labels.length).toFixed(1)} %)`;
  }).join(", ");
}

/** A line of statistics and a histogram whose bins start at a multiple of their width. */
function describeScalar(name: string, values: Float64Array, width: number, bins: number, reporter: ConsoleReporter): void {
  const { least, most, mean, std } = describe(values);
  const f = (value: number) => formatReal(value, 1);
  reporter.line(`\n${name} in GeV: ${f(least)} to ${f(most)}, mean ${f(mean)}, standard deviation ${f(std)}. By start of bin:`);
  const what = `values of ${name}`;
  for (const odd of [describeZeros(what, values), describeNegative(what, values)]) if (odd) reporter.line(`Beware: ${odd}`);
  const low = width * Math.floor(least / width);
  reporter.line(histogram(values, low, low + width * bins, bins));
}

/** Statistics of each channel over a sample, and what hand-made features reach on it. */
async function lookAtImages(
  file: JetFile,
  { labels, mass }: { labels: Float64Array | undefined; mass: Float64Array | undefined },
  { sample, reporter, signal }: InspectOptions,
): Promise<void> {
  const count = sample === 0 ? file.count : Math.min(sample, file.count);
  const statistics = new ImageStatistics(file);
  const featured: { index: number; features: Float64Array }[] = [];
  const every = Math.ceil(count / MOST_FEATURED);
  const chosen = Array.from({ length: count }, (_, i) => Math.floor(i * file.count / count));
  const empty: number[] = [];
  const fill = Math.fround(file.fill), perImage = file.size ** 2 * file.channels;
  const pause = pauses({ progress: reporter.counting("reading images"), signal }, `Stopped while reading ${file.path}`);
  let done = 0;
  for await (const group of file.scan(chosen)) {
    const { packed, encoding } = packInEither(file, group);
    statistics.add(packed, encoding);
    for (let i = 0; i < group.count; i++, done++) {
      const index = group.first + i;
      const words = packed.words.subarray(packed.offsets[i], packed.offsets[i + 1]);
      const values = group.values.subarray(i * perImage, (i + 1) * perImage);
      if (words.length === 0 || (fill !== 0 && values.every((value) => value === fill))) empty.push(index);
      if (hasPublishedChannels(file) && done % every === 0) featured.push({ index, features: jetFeatures(words, encoding, file) });
    }
    await pause(done, count);
  }
  reporter.line(`\nImages: ${describeCount(file, count)}; ${(100 * statistics.zeros).toFixed(2)} % of their values are zero`);
  for (const remark of remarksOn(file, { count: empty.length, first: empty[0] ?? -1 }, count)) reporter.line(`Beware: ${remark}`);
  reporter.line(
    `Values: ${statistics.wholeNumbers ? "whole numbers from 0 to 255: one byte each" : "not all whole numbers from 0 to 255"}`,
  );
  reporter.line(table(["channel", "active", "mean", "std", "mean of active", "largest"], channelRows(statistics)));
  if (!labels || !mass || featured.length === 0) return;
  const of = (values: Float64Array) => featured.map(({ index }) => values[index]!);
  const features = Matrix.of(featured.length, FEATURES.length, (row, i) => row.set(featured[i]!.features));
  await reportFloor(features, of(labels), of(mass), { reporter, signal });
}

/** Images in the smaller encoding if it can hold them. */
function packInEither(file: JetFile, group: ImageGroup): { packed: PackedBatch; encoding: Encoding } {
  const small = packGroup(file, group, "u8");
  return small ? { packed: small, encoding: "u8" } : { packed: packGroup(file, group, "f32")!, encoding: "f32" };
}

function describeCount(file: JetFile, count: number): string {
  return count === file.count ? `all ${count}` : `${count} of ${file.count}, evenly spread`;
}

function channelRows(statistics: ImageStatistics): string[][] {
  return statistics.channels.map(({ active, mean, std, meanActive, largest }, c) => [
    statistics.channels.length === CHANNEL_NAMES.length ? `${c} ${CHANNEL_NAMES[c]}` : String(c),
    `${(100 * active).toFixed(3)} %`,
    mean.toPrecision(4),
    std.toPrecision(4),
    meanActive.toPrecision(4),
    largest.toPrecision(4),
  ]);
}

/** Says what regressions on hand-made features reach, as far as the images define it. */
async function reportFloor(
  features: Matrix,
  labels: number[],
  mass: number[],
  { reporter, signal }: Pick<InspectOptions, "reporter" | "signal">,
): Promise<void> {
  if (labels.some((label) => label !== 0 && label !== 1)) return;
  const split = splitOf(labels);
  if (typeof split === "string" || split.test.length < FEWEST_TEST_IMAGES) {
    const why = typeof split === "string" ? split : `of ${labels.length} images, ${split.test.length} would be tested`;
    reporter.line(`\nA floor for any model, by ${FEATURES.length} hand-made features, is left out: ${why}`);
    return;
  }
  const results = await linearProbe({ features, labels, classes: 2, targets: [{ ...MASS, values: mass }], split }, {
    squares: true,
    progress: reporter.counting("regressions", "rows"),
    signal,
  });
  const { accuracy, roc_auc, mass_mae } = measure(results);
  reporter.line(
    `\nA floor for any model: ${FEATURES.length} hand-made features (${
      FEATURES.slice(0, 3).join(", ")
    } ...) and linear regressions reach ` +
      `accuracy ${formatReal(accuracy, 3)},\nROC-AUC ${formatReal(roc_auc, 3)}, mass error ${formatReal(mass_mae, 1)} GeV, ` +
      `fitted on ${split.train.length} of these images and tested on ${split.test.length} others`,
  );
}

/** The split of images, or why they have none. */
function splitOf(labels: readonly number[]): Split | string {
  try {
    return stratifiedSplit(labels, 42);
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
}

/** Says whether the file is a published one; a file that looks like one is compared fact by fact. */
function comparePublished(file: JetFile, bytes: number, reporter: ConsoleReporter): void {
  const kind: PublishedKind = file.has("labels") ? "labelled" : "unlabelled";
  const facts = compareWithPublished(file, bytes, kind);
  const { name } = PUBLISHED_FILES[kind];
  if (facts.every(({ agrees }) => agrees)) {
    reporter.line(`\nThis is the published ${kind} file ${name}: ${facts.map(({ what }) => what).join("; ")} agree`);
    return;
  }
  reporter.line(`\nThis is not the published ${kind} file ${name}:`);
  reporter.line(
    table(
      ["", "published", "here"],
      facts.map(({ what, expected, found, agrees }) => [what, expected, agrees ? "the same" : found]),
    ),
  );
}

async function drawImages(
  file: JetFile,
  scalars: Readonly<Record<"labels" | "mass" | "pt", Float64Array | undefined>>,
  folder: string,
  { indices, reporter }: InspectOptions,
): Promise<void> {
  const stem = file.path.split("/").at(-1)!.replace(/\.[^.]*$/, "");
  for (const index of indices ?? new Set([0, Math.floor(file.count / 2), file.count - 1])) {
    const { value: group } = await file.scan([index]).next();
    const image = group.values;
    const facts = [
      scalars.labels && `class ${scalars.labels[index]}`,
      scalars.mass && `mass ${scalars.mass[index]!.toFixed(1)} GeV`,
      scalars.pt && `pT ${scalars.pt[index]!.toFixed(1)} GeV`,
    ].filter((text) => text !== undefined);
    const path = `${folder}/${stem}-${index}.svg`;
    writeFileAtomic(path, figureDocument(eventFigure(`image-${index}`, [`Image ${index}`, ...facts].join(", "), image, file)));
    reporter.line(`${path}: a picture of image ${index}`);
  }
}
