/** @file The work of deno task inspect: facts of a data file, or of several as one, printed, and pictures of images. */

import { openData, openJets, openJetSet } from "../disk/data_files.ts";
import { dataFiles } from "../disk/data_paths.ts";
import { describeNegative, describeZeroEnd, describeZeros, remarksOn } from "../data/empty.ts";
import type { Encoding, PackedBatch } from "../data/entries.ts";
import { DataError } from "../data/errors.ts";
import { FEATURES, jetFeatures } from "../data/features.ts";
import { JetFile } from "../data/jet_file.ts";
import type { JetNames, Jets } from "../data/jets.ts";
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
import { formatCount, formatReal, listed } from "../format.ts";
import { makeOutputFolder, writeFileAtomic } from "../disk/atomic.ts";
import { eventFigure } from "../report/event_figure.ts";
import { figureDocument } from "../report/svg.ts";
import { pauses } from "../interrupted.ts";
import { type ConsoleReporter, table } from "./console.ts";
import { histogram } from "./histogram.ts";
import { rooted } from "./paths.ts";

/** What is looked at. */
export interface InspectOptions {
  /** Datasets to use instead of the usual names. */
  readonly names: JetNames;
  /** Images to look at, spread over the files; 0 for all. */
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

/** Numbers of each image that are looked at. */
type Quantity = "labels" | "mass" | "pt";
type Scalars = Readonly<Record<Quantity, Float64Array | undefined>>;

/**
 * Prints what a file holds, or what several hold together.
 *
 * @param path of the files, as data.labelled_path takes it
 * @throws {DataError} if one is missing or damaged, holds no images, or if they do not fit together
 */
export async function inspect(path: string, options: InspectOptions): Promise<void> {
  const { reporter, names } = options, files = dataFiles(path, rooted);
  for (const [i, file] of files.entries()) await listDatasets(i > 0 ? "\n" : "", file, reporter);
  using file = await openJetSet(path, files.map((path) => ({ path })), names);
  if (options.indices) checkIndices(options.indices, file);
  using _folder = options.pictures === undefined ? undefined : makeOutputFolder(options.pictures);
  if (files.length > 1) describeParts(file, reporter);
  const scalars = await readScalars(file, options), { labels, mass, pt } = scalars;
  if (labels) describeLabels(labels, reporter);
  if (mass) describeScalar("Mass", mass, 20, 16, reporter);
  if (pt) describeScalar("pT", pt, 50, 16, reporter);
  await lookAtImages(file, scalars, options);
  if (file instanceof JetFile) comparePublished(file, Deno.statSync(file.path).size, reporter);
  if (options.pictures !== undefined) await drawImages(file, scalars, options.pictures, options);
}

/** What is said of several files before what they hold together. */
function describeParts({ parts, count, size, channels }: Jets, reporter: ConsoleReporter): void {
  reporter.line(
    `\nTogether: ${formatCount(count)} images of ${size} x ${size} with ${channels} channels, numbered through all files:`,
  );
  let first = 0;
  const rows = parts.map((part) => [part.path, String(first), String((first += part.count) - 1)]);
  reporter.line(table(["file", "first image", "last"], rows));
}

/** What all files say of each image; what some say alone is left out, with a line. */
async function readScalars(file: Jets, { names, reporter }: InspectOptions): Promise<Scalars> {
  const holders = { labels: 0, mass: 0, pt: 0 }, lacking: Record<Quantity, string[]> = { labels: [], mass: [], pt: [] };
  const quantities = Object.keys(holders) as Quantity[];
  for (const { path } of file.parts) {
    using part = await openJets(path, names);
    for (const quantity of quantities) part.has(quantity) ? holders[quantity]++ : lacking[quantity].push(path);
  }
  const read = (quantity: Quantity) => {
    if (holders[quantity] > 0 && lacking[quantity].length > 0) {
      reporter.line(`Beware: there is no ${quantity === "labels" ? "label" : quantity} in ${listed(lacking[quantity])}: left out`);
      return undefined;
    }
    return holders[quantity] > 0 ? file.readScalars(quantity) : undefined;
  };
  return { labels: read("labels"), mass: read("mass"), pt: read("pt") };
}

async function listDatasets(before: string, path: string, reporter: ConsoleReporter): Promise<void> {
  using file = await openData(path);
  reporter.line(`${before}${path}: ${formatCount(Deno.statSync(path).size)} bytes\n`);
  const { names } = file;
  reporter.line(table(["dataset", "shape", "type", "storage"], datasetRows(file, names.slice(0, MOST_DATASETS))));
  if (names.length > MOST_DATASETS) reporter.line(`and ${formatCount(names.length - MOST_DATASETS)} more`);
}

function checkIndices(indices: readonly number[], { path, count }: Jets): void {
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
  file: Jets,
  { labels, mass }: Scalars,
  { sample, reporter, signal }: InspectOptions,
): Promise<void> {
  const count = sample === 0 ? file.count : Math.min(sample, file.count);
  const statistics = new ImageStatistics(file);
  const featured: { index: number; features: Float64Array }[] = [];
  const every = Math.ceil(count / MOST_FEATURED);
  const chosen = Array.from({ length: count }, (_, i) => Math.floor(i * file.count / count));
  const empty: number[] = [];
  const fills = file.fills.map(Math.fround).filter((fill) => fill !== 0), perImage = file.size ** 2 * file.channels;
  const pause = pauses({ progress: reporter.counting("reading images"), signal }, `Stopped while reading ${file.path}`);
  let done = 0;
  for await (const group of file.scan(chosen)) {
    const { packed, encoding } = packInEither(file, group);
    statistics.add(packed, encoding);
    for (let i = 0; i < group.count; i++, done++) {
      const index = group.first + i;
      const words = packed.words.subarray(packed.offsets[i], packed.offsets[i + 1]);
      const values = group.values.subarray(i * perImage, (i + 1) * perImage);
      if (words.length === 0 || fills.some((fill) => values.every((value) => value === fill))) empty.push(index);
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
function packInEither(file: Jets, group: ImageGroup): { packed: PackedBatch; encoding: Encoding } {
  const small = packGroup(file, group, "u8");
  return small ? { packed: small, encoding: "u8" } : { packed: packGroup(file, group, "f32")!, encoding: "f32" };
}

function describeCount(file: Jets, count: number): string {
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
  file: Jets,
  scalars: Scalars,
  folder: string,
  { indices, reporter }: InspectOptions,
): Promise<void> {
  const stemOf = (image: number) => {
    let first = 0;
    const { path } = file.parts.find(({ count }) => image < (first += count))!;
    return path.split("/").at(-1)!.replace(/\.[^.]*$/, "");
  };
  for (const index of indices ?? new Set([0, Math.floor(file.count / 2), file.count - 1])) {
    const { value: group } = await file.scan([index]).next();
    const image = group.values;
    const facts = [
      scalars.labels && `class ${scalars.labels[index]}`,
      scalars.mass && `mass ${scalars.mass[index]!.toFixed(1)} GeV`,
      scalars.pt && `pT ${scalars.pt[index]!.toFixed(1)} GeV`,
    ].filter((text) => text !== undefined);
    const path = `${folder}/${stemOf(index)}-${index}.svg`;
    writeFileAtomic(path, figureDocument(eventFigure(`image-${index}`, [`Image ${index}`, ...facts].join(", "), image, file)));
    reporter.line(`${path}: a picture of image ${index}`);
  }
}
