/** @file A run's data: a file opened in a Worker, checked against the model, packed, divided, and on the adapter if it fits. */

import type { RunConfig } from "../config/keys.ts";
import { ConfigError } from "../config/parse.ts";
import { divisionOf, splitSeed } from "../config/seeds.ts";
import { mostActivePatches } from "../data/active_patches.ts";
import { sumDeviations } from "../data/patch_sums.ts";
import { describeNegative, describeZeroEnd, describeZeros } from "../data/empty.ts";
import { DataError } from "../data/errors.ts";
import type { JetNames } from "../data/jet_file.ts";
import { labelProblem } from "../data/labels.ts";
import { hashImages, labelsFingerprint, type TrainedOn } from "../data/provenance.ts";
import { Loader } from "./loader.ts";
import { forEachEntry } from "../data/entries.ts";
import { divide, randomSplit } from "../data/split.ts";
import type { Gpu } from "../gpu/device.ts";
import type { ImageSize } from "../data/packed.ts";
import { ResidentImages } from "../input/batches.ts";
import { readsImages } from "../nn/config.ts";
import type { InputImages, LabelledData, UnlabelledData } from "../input/input_images.ts";
import { Interrupted, type Progress } from "../interrupted.ts";

/** Where a data file is and where its packed images are kept. */
export interface DataPlace {
  /** File with images, of any format that is read. */
  readonly path: string;
  /** Cache folder; empty to pack in memory. */
  readonly cache: string;
}

/** What is known of a file before its images are packed. */
export interface FileFacts extends ImageSize {
  /** Number of images. */
  readonly count: number;
}

/** How the opening of data tells of its progress and is stopped. */
export interface OpenOptions<Facts = FileFacts> {
  /** A progress function for a piece of work. */
  readonly progress?: (what: string) => Progress;
  /** Told what the user should know, and is no reason to stop. */
  readonly notice?: (line: string) => void;
  /** Stops packing; the next call goes on from there. */
  readonly signal?: AbortSignal;
  /** Looks at the data before the images are packed, which may take long; what it throws ends the opening. */
  readonly check?: (facts: Facts) => void;
}

/** What is known of a data set to train on before its images are packed. */
export interface DataFacts extends FileFacts {
  /** Images to train on. */
  readonly train: Uint32Array;
  /** Images to validate on. */
  readonly val: Uint32Array;
  /** Class of each image, if labels are used. */
  readonly labels?: Float64Array;
  /** Mass of each image in GeV, if masses are used. */
  readonly mass?: Float64Array;
}

/** Data whose contents are known by their hashes. */
export interface Known {
  /** What weights that are trained on them say about it. */
  readonly trainedOn: TrainedOn;
  /** Check sum of each image. */
  readonly checks: Uint32Array;
}

/** Names of datasets from the config; empty ones are looked for. */
export function jetNames({ keys }: Pick<RunConfig["data"], "keys">): JetNames {
  return Object.fromEntries(Object.entries(keys).filter(([, name]) => name !== ""));
}

/**
 * Opens labelled images and divides them as scikit-learn does.
 *
 * @throws {DataError} if labels or masses are missing or no class numbers
 * @throws {Interrupted} if the signal was aborted
 */
export async function openLabelled(
  gpu: Gpu,
  config: RunConfig,
  place: DataPlace,
  options: OpenOptions<DataFacts> = {},
): Promise<LabelledData & Known & Disposable> {
  const { path } = place;
  const loader = await openMatching(config, path);
  return await guarded(loader, async () => {
    const labels = checkLabels(await loader.scalars("labels"), config.model.num_classes, path);
    const mass = await loader.scalars("mass");
    const odd = [describeZeroEnd(labels), describeZeros("masses", mass), describeNegative("masses", mass)];
    for (const line of odd) if (line) options.notice?.(`${path}: ${line}`);
    let split: LabelledData["split"];
    try {
      split = limited(divide(labels, divisionOf(config)), config);
    } catch (error) {
      throw new DataError(`${path}: ${(error as Error).message}`);
    }
    options.check?.({ ...factsOf(loader), ...split, labels, mass });
    const opened = await openPackedImages(gpu, config, loader, place, options);
    const known = { path: config.data.labelled_path, labels: await labelsFingerprint(labels, mass), split };
    return { ...opened, labels, mass, split, ...await provenance(config, loader, known) };
  });
}

/** Opens images without labels, 5 % of them for validation. */
export async function openUnlabelled(
  gpu: Gpu,
  config: RunConfig,
  place: DataPlace,
  options: OpenOptions<DataFacts> = {},
): Promise<UnlabelledData & Known & Disposable> {
  const loader = await openMatching(config, place.path);
  return await guarded(loader, async () => {
    if (loader.count < 4) throw new DataError(`${place.path}: it holds ${loader.count} images; at least 4 are needed`);
    const split = limited(randomSplit(loader.count, splitSeed(config)), config);
    options.check?.({ ...factsOf(loader), ...split });
    const opened = await openPackedImages(gpu, config, loader, place, options);
    const known = { path: config.data.unlabelled_path, labels: null, split: { ...split, test: new Uint32Array(0) } };
    const { training: { method }, active_mae: { target }, model: { patch_size } } = config;
    const measuring = { progress: options.progress?.(`measuring patches of ${place.path}`), signal: options.signal };
    const measures = method === "active_mae" && target === "sums";
    const deviations = measures ? await sumDeviations(loader, patch_size, split.train, measuring) : undefined;
    return { ...opened, split, sumDeviations: deviations, ...await provenance(config, loader, known) };
  });
}

/** Images to be predicted, and what their file says about them. */
export interface OpenedImages extends InputImages {
  /** Class of each image, if it was asked for and the file has labels. */
  readonly labels?: Float64Array;
  /** Mass of each image in GeV, if it was asked for and the file has masses. */
  readonly mass?: Float64Array;
}

/**
 * Opens all images of a file, to predict them.
 *
 * @param truth reads classes and masses too, where the file has them
 */
export async function openImages(
  gpu: Gpu,
  config: RunConfig,
  place: DataPlace,
  options: OpenOptions = {},
  truth = false,
): Promise<OpenedImages & Disposable> {
  const loader = await openMatching(config, place.path);
  return await guarded(loader, async () => {
    options.check?.(factsOf(loader));
    const known = (["labels", "mass"] as const).filter((quantity) => truth && loader.has(quantity));
    const scalars = await Promise.all(known.map(async (quantity) => [quantity, await loader.scalars(quantity)]));
    return { ...await openPackedImages(gpu, config, loader, place, options), ...Object.fromEntries(scalars) };
  });
}

function factsOf({ count, size, channels }: Loader): FileFacts {
  return { count, size, channels };
}

/** What weights that are trained on these images say about them. */
async function provenance(
  config: Pick<RunConfig, "data">,
  loader: Loader,
  { path, labels, split }: { path: string; labels: string | null; split: Record<"train" | "val" | "test", Uint32Array> },
): Promise<Known> {
  const checks = await loader.checks();
  const trainedOn: TrainedOn = {
    path,
    keys: jetNames(config.data),
    images: loader.count,
    ...await hashImages(checks, split),
    labels,
    split: labels === null ? "random" : "stratified",
    ...(labels === null ? { seed: splitSeed(config) } : divisionOf(config)),
    train: split.train.length,
    val: split.val.length,
    test: split.test.length,
  };
  return { trainedOn, checks };
}

/** The split with no more training images than the configuration allows. */
function limited<Parts extends { readonly train: Uint32Array }>(split: Parts, { data }: Pick<RunConfig, "data">): Parts {
  return data.max_train_images === 0 ? split : { ...split, train: split.train.subarray(0, data.max_train_images) };
}

async function openPackedImages(
  gpu: Gpu,
  { data, model, augment }: Pick<RunConfig, "data" | "model" | "augment">,
  loader: Loader,
  { path, cache }: DataPlace,
  { progress, signal, notice }: Omit<OpenOptions, "check">,
): Promise<InputImages & Disposable> {
  try {
    await loader.pack(cache, progress?.(`packing ${path}`), signal, notice);
  } catch (error) {
    if (!signal?.aborted) throw error;
    throw new Interrupted(`Stopped while packing ${path}; what is packed is kept in ${cache}`);
  }
  const { empty, remarks, count } = loader;
  if (empty.count === count) {
    throw new DataError(`${path}: all ${count} images are empty: they were never written, or hold nothing but 0`);
  }
  for (const remark of remarks) notice?.(`${path}: ${remark}`);
  await checkScale(loader, data.norm_scale, path);
  const resident = await ResidentImages.load(gpu, loader, data.gpu_share, { progress: progress?.(`uploading ${path}`), signal });
  const { patch_size: patch } = model, moves = { flipEta: augment.flip_eta, flipPhi: augment.flip_phi, roll: augment.roll };
  const counting = { progress: progress?.(`counting active patches of ${path}`), signal };
  return {
    images: loader,
    resident,
    active: model.tokens === "active" ? { patch, most: await mostActivePatches(loader, patch, moves, counting) } : undefined,
    [Symbol.dispose]() {
      resident?.[Symbol.dispose]();
      loader[Symbol.dispose]();
    },
  };
}

/** Images that are looked at for the size of their values. */
const SCALED = 64;
/** Sizes of the largest scaled value between which a model can see the others: published images reach 1. */
const SMALLEST_SCALED = 1e-6, LARGEST_SCALED = 1e9;

/** @throws {ConfigError} if hardly anything is left of values that are divided by the scale, or far too much */
async function checkScale(loader: Loader, scale: number, path: string): Promise<void> {
  const length = Math.min(SCALED, loader.count);
  const spread = Uint32Array.from({ length }, (_, i) => Math.floor(i * loader.count / length));
  let largest = 0;
  forEachEntry((await loader.batch(spread)).words, loader.encoding, (_, value) => largest = Math.max(largest, Math.abs(value)));
  const scaled = largest / scale;
  if (largest === 0 || (scaled >= SMALLEST_SCALED && scaled <= LARGEST_SCALED)) return;
  throw new ConfigError(
    `${path}: the largest value of ${length} images is ${Number(largest.toPrecision(3))}, and data.norm_scale ${scale} makes ` +
      `${
        Number(scaled.toPrecision(3))
      } of it. Set data.norm_scale near the largest value, or to what the weights were trained with`,
  );
}

/** Ends the Worker if the work on it fails. */
async function guarded<Result>(loader: Loader, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    loader[Symbol.dispose]();
    throw error;
  }
}

/**
 * Opens a file whose images a model can read.
 *
 * @throws {ConfigError} if channels differ, or if the images are not cut into as many patches as the model has
 */
async function openMatching({ data, model }: Pick<RunConfig, "data" | "model">, path: string): Promise<Loader> {
  const loader = await Loader.open(path, jetNames(data));
  if (readsImages(model, loader)) return loader;
  loader[Symbol.dispose]();
  throw new ConfigError(
    `${path}: images are ${loader.size} x ${loader.size} with ${loader.channels} channels, the model reads ` +
      `${model.img_size} x ${model.img_size} with ${model.in_channels}. Set model.img_size and model.in_channels to match`,
  );
}

function checkLabels(labels: Float64Array, classes: number, path: string): Float64Array {
  const problem = labelProblem(labels, classes);
  if (problem !== undefined) throw new DataError(`${path}: ${problem}`);
  return labels;
}
