/** @file A run's data: a file opened in a Worker, checked against the model, packed, divided, and on the adapter if it fits. */

import type { RunConfig } from "../config/keys.ts";
import { ConfigError } from "../config/parse.ts";
import { divisionOf, splitSeed } from "../config/seeds.ts";
import { targetNames } from "../config/targets.ts";
import { mostActivePatches } from "../data/active_patches.ts";
import { sumDeviations } from "../data/patch_sums.ts";
import { DataError } from "../data/errors.ts";
import type { JetNames, JetScalar } from "../data/jets.ts";
import { hashImages, labelsFingerprint, type TrainedOn } from "../data/provenance.ts";
import type { DataPart } from "./data_files.ts";
import { Loader } from "./loader.ts";
import { checkScales } from "./scale_check.ts";
import { readTruth, targetQuantities, type Truth, type TruthOptions } from "./truth.ts";
import { firstNumbers } from "../arrays.ts";
import { divide, randomSplit, type Split } from "../data/split.ts";
import type { Gpu } from "../gpu/device.ts";
import type { ImageSize } from "../data/packed.ts";
import { ResidentImages } from "../input/batches.ts";
import { readsImages } from "../nn/config.ts";
import type { InputImages, LabelledData, UnlabelledData } from "../input/input_images.ts";
import { Interrupted, type Progress } from "../interrupted.ts";

/** Where data are and where their packed images are kept. */
export interface DataPlace {
  /** What the data are called in messages. */
  readonly path: string;
  /** Their files, of any format that is read. */
  readonly files: readonly DataPart[];
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
  /** What is learned of each image beside its class, if anything is. */
  readonly targets?: Truth["targets"];
}

/** How labelled data are opened. */
export interface LabelledOptions extends OpenOptions<DataFacts>, TruthOptions {
  /** Takes all images for testing, instead of dividing them. */
  readonly whole?: boolean;
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
  const named = { ...keys, targets: targetNames({ keys }).join(",") };
  return Object.fromEntries(Object.entries(named).filter(([, name]) => name !== ""));
}

/**
 * Opens labelled images and divides them as scikit-learn does. Classes or targets that are not there are NaN.
 *
 * @throws {DataError} if labels or targets are missing or no class numbers
 * @throws {Interrupted} if the signal was aborted
 */
export async function openLabelled(
  gpu: Gpu,
  config: RunConfig,
  place: DataPlace,
  options: LabelledOptions = {},
): Promise<LabelledData & Known & Disposable> {
  const { path } = place, { whole = false } = options;
  const loader = await openMatching(config, place);
  return await guarded(loader, async () => {
    const { labels, targets, weights, pt } = await readTruth(loader, config, path, options);
    const all = whole ? testOnly(loader.count) : divided(labels, config, path),
      split = weights ? counting(all, weights, path) : all;
    options.check?.({ ...factsOf(loader), ...split, labels, targets });
    const opened = await openPackedImages(gpu, config, loader, place, options);
    const known = { path: config.data.labelled_path, labels: await labelsFingerprint(labels, targets, weights), split: all };
    return { ...opened, labels, targets, weights, pt, split, ...await provenance(config, loader, known) };
  });
}

function divided(labels: Float64Array, config: RunConfig, path: string): Split {
  try {
    return limited(divide(labels, divisionOf(config)), config);
  } catch (error) {
    throw new DataError(`${path}: ${(error as Error).message}`);
  }
}

function testOnly(count: number): Split {
  return { train: new Uint32Array(), val: new Uint32Array(), test: firstNumbers(count) };
}

/** The split without images of weight 0; @throws {DataError} if no image of a part is left */
function counting({ train, val, test }: Split, weights: Float64Array, path: string): Split {
  const of = (part: Uint32Array, purpose: string) => {
    const kept = part.filter((image) => weights[image]! > 0);
    if (kept.length > 0 || part.length === 0) return kept;
    throw new DataError(
      `${path}: all ${part.length} images for ${purpose} have a weight of 0 (data.keys.weight). Give some of them a weight`,
    );
  };
  return { train: of(train, "training"), val: of(val, "validation"), test: of(test, "testing") };
}

/** Opens images without labels, 5 % of them for validation. */
export async function openUnlabelled(
  gpu: Gpu,
  config: RunConfig,
  place: DataPlace,
  options: OpenOptions<DataFacts> = {},
): Promise<UnlabelledData & Known & Disposable> {
  const loader = await openMatching(config, place);
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
  /** What is predicted of each image beside its class, as far as the file has it and it was asked for. */
  readonly targets?: readonly (Float64Array | undefined)[];
}

/**
 * Opens all images of a file, to predict them.
 *
 * @param truth reads classes and targets too, where the file has them
 */
export async function openImages(
  gpu: Gpu,
  config: RunConfig,
  place: DataPlace,
  options: OpenOptions = {},
  truth = false,
): Promise<OpenedImages & Disposable> {
  const loader = await openMatching(config, place);
  return await guarded(loader, async () => {
    options.check?.(factsOf(loader));
    const read = async (quantity: JetScalar) => truth && loader.has(quantity) ? await loader.scalars(quantity) : undefined;
    const labels = await read("labels"), targets = await Promise.all(targetQuantities(config.data).map(read));
    return { ...await openPackedImages(gpu, config, loader, place, options), ...(labels && { labels }), targets };
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
  const checks = await loader.checks(), { class_of: classOf } = config.data;
  const trainedOn: TrainedOn = {
    path,
    keys: jetNames(config.data),
    ...(labels !== null && classOf !== "" && { classOf }),
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
  await checkScales(loader, data.norm_scale, path);
  const resident = await ResidentImages.load(gpu, loader, data.gpu_share, { progress: progress?.(`uploading ${path}`), signal });
  const { patch_size: patch } = model;
  const counting = { progress: progress?.(`counting active patches of ${path}`), signal };
  return {
    images: loader,
    resident,
    active: model.tokens === "active" ? { patch, most: await mostActivePatches(loader, patch, augment.roll, counting) } : undefined,
    [Symbol.dispose]() {
      resident?.[Symbol.dispose]();
      loader[Symbol.dispose]();
    },
  };
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
 * Opens data whose images a model can read.
 *
 * @throws {ConfigError} if channels differ, or if the images are not cut into as many patches as the model has
 */
async function openMatching({ data, model }: Pick<RunConfig, "data" | "model">, { path, files }: DataPlace): Promise<Loader> {
  const loader = await Loader.open(path, jetNames(data), files);
  if (readsImages(model, loader)) return loader;
  loader[Symbol.dispose]();
  throw new ConfigError(
    `${path}: images are ${loader.size} x ${loader.size} with ${loader.channels} channels, the model reads ` +
      `${model.img_size} x ${model.img_size} with ${model.in_channels}. Set model.img_size and model.in_channels to match`,
  );
}
