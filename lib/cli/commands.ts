/** @file The work of the training and evaluation tasks, for those tasks and for the demonstration. */

import type { RunConfig } from "../config.ts";
import { csvHeader, csvRow, measure, type Metrics, predictImages } from "../eval/evaluate.ts";
import type { Gpu } from "../gpu/device.ts";
import { writeFileAtomic } from "../io/atomic.ts";
import { fitWeights, readWeights, type Weights } from "../nn/weights.ts";
import type { StateDict } from "../tensor/parameters.ts";
import type { RunState } from "../train/checkpoint.ts";
import { type DataPlace, openLabelled, openUnlabelled } from "../train/data.ts";
import { Finetune } from "../train/finetune.ts";
import { train } from "../train/run.ts";
import { SimClr } from "../train/simclr.ts";
import type { TrainerOptions } from "../train/trainer.ts";
import { table } from "./console.ts";
import { rooted } from "./paths.ts";
import type { TrainingSetup } from "./training.ts";

/** Options of a training command. */
export interface TrainingOptions extends TrainerOptions {
  /** Weights to start from, heads included. */
  readonly init?: string | undefined;
}

/** Trains a backbone on unlabelled images. */
export async function pretrain(gpu: Gpu, setup: TrainingSetup, options: TrainingOptions): Promise<RunState> {
  const { config, folder, reporter } = setup;
  const place = placeOf(config.data.unlabelled_path, config);
  using data = await openUnlabelled(gpu, config, place, { progress: reporter.counting, ...options });
  const { train: training, val } = data.split;
  reporter.line(`${place.path}: ${data.images.count} images: ${training.length} training, ${val.length} validation`);
  const start = () => initialWeights(config, options, "");
  const state = await train(gpu, config, folder, (weights) => new SimClr(gpu, config, data, weights), start, reporter, options);
  reporter.line(`Done: ${state.finished}. Best validation loss ${state.best?.toFixed(4)}; backbone in ${folder.best}`);
  return state;
}

/** Trains backbone and heads on labelled images. */
export async function finetune(gpu: Gpu, setup: TrainingSetup, options: TrainingOptions): Promise<RunState> {
  const { config, folder, reporter } = setup;
  const place = placeOf(config.data.labelled_path, config);
  using data = await openLabelled(gpu, config, place, { progress: reporter.counting, ...options });
  const { train: training, val, test } = data.split;
  reporter.line(
    `${place.path}: ${data.images.count} images: ${training.length} training, ${val.length} validation, ${test.length} test`,
  );
  const start = () => initialWeights(config, options, config.pretrained_weights);
  const state = await train(gpu, config, folder, (weights) => new Finetune(gpu, config, data, weights), start, reporter, options);
  reporter.line(`Done: ${state.finished}. Best validation loss ${state.best?.toFixed(4)}; weights in ${folder.best}`);
  return state;
}

/** Where a configuration's data file and its packed images are. */
export function placeOf(path: string, { data }: Pick<RunConfig, "data">): DataPlace {
  return { path: rooted(path), cache: data.cache_dir === "" ? "" : rooted(data.cache_dir) };
}

/** A model to be judged. */
export interface Candidate {
  readonly name: string;
  readonly weights: Weights;
}

/**
 * Judges models on the test split of a labelled file; writes metrics.json and predictions.csv and prints a table.
 *
 * @param config whose data and model describe the file
 * @param out folder for the two files
 */
export async function evaluate(
  gpu: Gpu,
  config: RunConfig,
  models: readonly Candidate[],
  out: string,
  reporter: TrainingSetup["reporter"],
): Promise<Record<string, Metrics>> {
  const place = placeOf(config.data.labelled_path, config);
  const { path } = place;
  using data = await openLabelled(gpu, config, place, { progress: reporter.counting });
  const { test } = data.split;
  const metrics: Record<string, Metrics> = {};
  const rows = [["model", ...csvHeader(config.model.num_classes), "label", "mass_true"]];
  for (const { name, weights } of models) {
    const predictions = await predictImages(gpu, weights, data, test, config.data.batch_size, reporter.counting(name));
    metrics[name] = measure(predictions, data.labels, data.mass);
    for (const p of predictions) rows.push([name, ...csvRow(p), String(data.labels[p.index]), String(data.mass[p.index])]);
  }
  Deno.mkdirSync(out, { recursive: true });
  const summary = { data: path, seed: config.data.seed, images: test.length, models: metrics };
  writeFileAtomic(`${out}/metrics.json`, JSON.stringify(summary, null, 2) + "\n");
  writeFileAtomic(`${out}/predictions.csv`, rows.map((row) => row.join(",") + "\n").join(""));
  reporter.line(`Test split of ${path}: ${test.length} images\n`);
  reporter.line(metricsTable(metrics));
  reporter.line(`\nThe numbers are in ${out}/metrics.json, one row per image in ${out}/predictions.csv`);
  return metrics;
}

function metricsTable(metrics: Readonly<Record<string, Metrics>>): string {
  const rows = Object.entries(metrics).map(([name, { accuracy, roc_auc, mass_mae, mass_mse }]) => {
    return [name, accuracy.toFixed(4), roc_auc?.toFixed(4) ?? "-", mass_mae.toFixed(2), mass_mse.toFixed(1)];
  });
  return table(["", "accuracy", "ROC-AUC", "mass MAE (GeV)", "mass MSE (GeV^2)"], rows);
}

/** Weights that a new run starts with: all of a file's, the backbone of another's, or none. */
function initialWeights(config: RunConfig, { init }: TrainingOptions, backbone: string): StateDict {
  if (init !== undefined) return fitWeights(readWeights(rooted(init)), config.model, true);
  return backbone === "" ? new Map() : fitWeights(readWeights(rooted(backbone)), config.model, false);
}
