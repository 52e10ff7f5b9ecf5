/** @file The work of the training tasks, for those tasks and for the demonstration. */

import type { RunConfig } from "../config.ts";
import type { Gpu } from "../gpu/device.ts";
import type { StateDict } from "../tensor/parameters.ts";
import type { RunState } from "../train/checkpoint.ts";
import { type DataPlace, openLabelled, openUnlabelled } from "../train/data.ts";
import { Finetune } from "../train/finetune.ts";
import { type RunOptions, train } from "../train/run.ts";
import { mae } from "../train/mae.ts";
import { Pretraining } from "../train/pretraining.ts";
import { simclr } from "../train/simclr.ts";
import type { TrainerOptions } from "../train/trainer.ts";
import { rooted } from "./paths.ts";
import type { TrainingSetup } from "./training.ts";
import { startingWeights } from "./weights.ts";

/** Options of a training command. */
export interface TrainingOptions extends TrainerOptions {
  /** Weights to start from, heads included. */
  readonly init?: string | undefined;
  /** Takes weights that were trained on other numbers than the configuration's. */
  readonly mismatch?: boolean;
}

/** Trains a backbone on unlabelled images. */
export async function pretrain(
  gpu: Gpu,
  setup: Omit<TrainingSetup, keyof Disposable>,
  options: TrainingOptions,
): Promise<RunState> {
  const { config, folder, reporter } = setup;
  const place = placeOf(config.data.unlabelled_path, config);
  using data = await openUnlabelled(gpu, config, place, { progress: reporter.counting, ...options });
  const { train: training, val } = data.split;
  reporter.line(`${place.path}: ${data.images.count} images: ${training.length} training, ${val.length} validation`);
  const start = () => initialWeights(setup, options, "");
  const objective = config.training.method === "mae" ? mae(config) : simclr(config);
  const create = (weights: StateDict) => new Pretraining(gpu, config, data, weights, objective);
  const state = await train(gpu, config, folder, create, start, reporter, { ...options, ...tuningIn(place) });
  reporter.line(`Done: ${state.finished}. Best validation loss ${state.best?.toFixed(4)}; backbone in ${folder.best}`);
  return state;
}

/** Trains backbone and heads on labelled images. */
export async function finetune(
  gpu: Gpu,
  setup: Omit<TrainingSetup, keyof Disposable>,
  options: TrainingOptions,
): Promise<RunState> {
  const { config, folder, reporter } = setup;
  const place = placeOf(config.data.labelled_path, config);
  using data = await openLabelled(gpu, config, place, { progress: reporter.counting, ...options });
  const { train: training, val, test } = data.split;
  reporter.line(
    `${place.path}: ${data.images.count} images: ${training.length} training, ${val.length} validation, ${test.length} test`,
  );
  const start = () => initialWeights(setup, options, config.pretrained_weights);
  const create = (weights: StateDict) => new Finetune(gpu, config, data, weights);
  const state = await train(gpu, config, folder, create, start, reporter, { ...options, ...tuningIn(place) });
  reporter.line(`Done: ${state.finished}. Best validation loss ${state.best?.toFixed(4)}; weights in ${folder.best}`);
  return state;
}

/** Where a configuration's data file and its packed images are. */
export function placeOf(path: string, { data }: Pick<RunConfig, "data">): DataPlace {
  return { path: rooted(path), cache: data.cache_dir === "" ? "" : rooted(data.cache_dir) };
}

function tuningIn({ cache }: DataPlace): RunOptions {
  return { tuningFile: cache === "" ? undefined : `${cache}/tuning.json` };
}

/** Weights that a new run starts with: all of a file's, the backbone of another's, or none. */
function initialWeights(
  { config, reporter }: Pick<TrainingSetup, "config" | "reporter">,
  { init, mismatch = false }: TrainingOptions,
  backbone: string,
): StateDict {
  const path = init ?? backbone;
  return path === "" ? new Map() : startingWeights(path, config, { heads: init !== undefined, mismatch }, reporter);
}
