/** @file The work of the training tasks, for those tasks and for the demonstration. */

import type { RunConfig } from "../config/keys.ts";
import { targetNames } from "../config/targets.ts";
import { DataError } from "../data/errors.ts";
import { isKnown, MASS, type Target } from "../data/targets.ts";
import { checkPatterns, dataFiles, withClasses } from "../disk/data_paths.ts";
import { TuningFile } from "../disk/tuning_file.ts";
import type { Gpu } from "../gpu/device.ts";
import type { StateDict } from "../tensor/parameters.ts";
import { errorName } from "../weights/history.ts";
import type { RunState } from "../train/checkpoint.ts";
import { type DataFacts, type DataPlace, type Known, openLabelled, type OpenOptions, openUnlabelled } from "../disk/open_data.ts";
import { Finetune, finetuneMeasures } from "../train/finetune.ts";
import { checkMonitor } from "../train/monitor.ts";
import { checkData, openResume, type Origin, type Run, train } from "../train/run.ts";
import { ALONE, type Exchange } from "../train/exchange.ts";
import { objectiveOf } from "../train/methods.ts";
import type { TrainingImages } from "../input/input_images.ts";
import { checkClasses, checkDecay, checkSize, checkTarget, stepsPerEpoch } from "../train/preconditions.ts";
import { Pretraining } from "../train/pretraining.ts";
import { rooted } from "./paths.ts";
import type { TrainingOptions, TrainingSetup } from "./training.ts";
import { startingWeights } from "./weight_options.ts";

type Setup = Omit<TrainingSetup, keyof Disposable>;

/** Trains a backbone on unlabelled images. */
export async function pretrain(
  gpu: Gpu,
  setup: Setup,
  options: TrainingOptions,
): Promise<RunState> {
  const { config, reporter, remarks } = setup;
  remarks?.forEach((line) => reporter.line(line));
  const { exchange = ALONE } = options;
  const objective = objectiveOf(config);
  checkMonitor(config, objective.metrics);
  checkSize(config, objective.model.extra);
  checkDecay(config, ["lr"]);
  objective.checkBinding?.(gpu.maxBinding);
  const origin = await originOf(setup, options, "");
  const place = placeOf(config.data.unlabelled_path, config);
  const check = ({ train }: DataFacts) => checkBatch(config, train);
  using data = await exchange.inTurn(() => openUnlabelled(gpu, config, place, openingOf(setup, check, options)));
  const create = (weights: StateDict) => new Pretraining(gpu, config, data, weights, objective, exchange);
  return await begin(gpu, setup, { create, origin, data, what: "backbone" }, place, options);
}

/** Trains backbone and heads on labelled images. */
export async function finetune(
  gpu: Gpu,
  setup: Setup,
  options: TrainingOptions,
): Promise<RunState> {
  const { config, reporter, remarks } = setup;
  remarks?.forEach((line) => reporter.line(line));
  const { exchange = ALONE } = options;
  checkMonitor(config, finetuneMeasures(targetsOf(config)));
  checkDecay(config, ["backbone_lr", "head_lr"]);
  const origin = await originOf(setup, options, config.pretrained_weights);
  const place = labelledPlace(config);
  const check = ({ train, labels, targets = [] }: DataFacts) => {
    checkBatch(config, train);
    checkClasses(labels!, train, config, place.path);
    const known = targets.filter(isKnown), unknown = targets.filter((target) => !isKnown(target));
    const missing = [...(Number.isNaN(labels![0]) ? ["acc"] : []), ...unknown.map((target) => errorName(targets, target))];
    checkMonitor(config, finetuneMeasures(targets).filter((name) => !missing.includes(name)));
    for (const target of known) checkTarget(target, place.path, config.training.log_target);
  };
  using data = await exchange.inTurn(() => openLabelled(gpu, config, place, openingOf(setup, check, options)));
  const create = (weights: StateDict) => new Finetune(gpu, config, data, weights, exchange);
  return await begin(gpu, setup, { create, origin, data, what: "weights" }, place, options);
}

/** Targets by their names alone: the data say their units. */
function targetsOf({ data }: RunConfig): Target[] {
  const names = targetNames(data);
  return names.length > 0 ? names.map((name) => ({ name, unit: "" })) : [MASS];
}

/** How data are opened: told of while it lasts, and looked at before images are packed. */
function openingOf({ reporter }: Setup, check: (facts: DataFacts) => void, options: TrainingOptions): OpenOptions<DataFacts> {
  return { progress: reporter.counting, notice: (line) => reporter.line(line), check, ...options };
}

/** Checks that the training images fill the batch of a step. */
function checkBatch({ data, training }: RunConfig, train: Uint32Array): void {
  stepsPerEpoch(data.batch_size * training.accumulate, train.length);
}

/**
 * Where data and their packed images are.
 *
 * @param path a file, or several: with commas between them, or as a pattern
 * @param classOf classes by patterns of file names, as data.class_of
 * @throws {DataError} if there are no such files, or not one class for each
 */
export function placeOf(path: string, { data }: Pick<RunConfig, "data">, classOf = ""): DataPlace {
  const files = dataFiles(path, rooted);
  return {
    path: files.length === 1 ? files[0]! : path,
    files: classOf === "" ? files.map((path) => ({ path })) : withClasses(files, classOf),
    cache: data.cache_dir === "" ? "" : rooted(data.cache_dir),
  };
}

/**
 * Where a configuration's labelled data are.
 *
 * @throws {DataError} if a file of them is for testing too, or a pattern of data.class_of fits none
 */
export function labelledPlace(config: Pick<RunConfig, "data">): DataPlace {
  const { labelled_path: path, class_of: classOf, test_path: testPath } = config.data;
  const place = placeOf(path, config, classOf), tested = testPath === "" ? [] : dataFiles(testPath, rooted);
  const both = place.files.find((file) => tested.includes(file.path));
  if (both) {
    throw new DataError(
      `${both.path}: data.labelled_path and data.test_path both name it. Test on other images than are trained on`,
    );
  }
  checkPatterns([...place.files.map(({ path }) => path), ...tested], classOf);
  return place;
}

/** Where a configuration's data are that are for testing alone. */
export function testPlace(config: Pick<RunConfig, "data">): DataPlace {
  return placeOf(config.data.test_path, config, config.data.class_of);
}

/** Says what there is to train on, trains, and says what has come of it. */
async function begin(
  gpu: Gpu,
  { config, folder, fresh, reporter }: Setup,
  { create, origin, data, what }: Pick<Run, "create" | "origin"> & { readonly data: TrainingImages & Known; readonly what: string },
  { path, cache }: DataPlace,
  options: TrainingOptions,
): Promise<RunState> {
  const { images, train: training, val, test } = data.trainedOn;
  const parts = `${training} training, ${val} validation${test > 0 ? `, ${test} test` : ""}`;
  const run: Run = {
    create,
    origin,
    data: data.trainedOn,
    begin: () => {
      const kept = folder.begin(fresh);
      if (kept) reporter.line(`Earlier files of this folder are now in ${kept}`);
    },
    tunings: cache === "" ? undefined : new TuningFile(`${cache}/tuning.json`),
  };
  const { exchange = ALONE } = options;
  await exchange.same("Options and configuration", () => Promise.resolve(JSON.stringify(config)));
  await exchange.same(`The data in ${path}`, () => Promise.resolve(run.data.fingerprint));
  checkData(origin, run.data, path);
  reporter.line(`${path}: ${images} images: ${parts}`);
  const state = await train(gpu, config, folder, run, reporter, options);
  reporter.line(
    `Done: ${state.finished}. Best validation ${config.training.monitor} ${state.best?.toFixed(4)}; ${what} in ${folder.best}`,
  );
  return state;
}

/** What a run goes on from, or starts with: the folder's checkpoint, all weights of a file, the backbone of another, or nothing. */
async function originOf(
  { config, folder, fresh, reporter }: Setup,
  { init, extend, mismatch = false, exchange = ALONE }: TrainingOptions,
  backbone: string,
): Promise<Origin> {
  const resume = folder.used && !fresh ? await openResume(folder, config, extend) : undefined;
  await shareGroups(config, exchange, resume !== undefined);
  if (resume) return { resume };
  // rank 0 reads the weights, and gives them to the others
  const path = init ?? backbone;
  if (path === "" || exchange.rank > 0) return { start: new Map(), trainedOn: [] };
  return startingWeights(path, config, { heads: init !== undefined, mismatch }, reporter);
}

/** Keeps in the configuration of a run of several ranks in how many groups it normalises, so that any other number may go on with it. */
async function shareGroups({ training }: RunConfig, exchange: Exchange, resumed: boolean): Promise<void> {
  if (exchange.ranks === 1) return;
  // a run that one process has begun without saying so has one group
  const groups = training.batch_groups || (resumed ? 1 : exchange.ranks);
  training.batch_groups = Number(await exchange.broadcastText(String(groups)));
}
