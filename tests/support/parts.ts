/** @file A few steps of each method, with everything on that could tell one way to divide a batch from another. */

import { assert } from "@std/assert";
import type { RunConfig } from "../../lib/config/keys.ts";
import type { Gpu } from "../../lib/gpu/device.ts";
import { Pacer } from "../../lib/gpu/pacer.ts";
import { batchesOf } from "../../lib/input/batches.ts";
import { read } from "../../lib/tensor/tensor.ts";
import { ALONE, type Exchange } from "../../lib/train/exchange.ts";
import { activeMae } from "../../lib/train/active_mae.ts";
import { Finetune } from "../../lib/train/finetune.ts";
import { mae } from "../../lib/train/mae.ts";
import type { Method } from "../../lib/train/method.ts";
import { Pretraining } from "../../lib/train/pretraining.ts";
import { simclr } from "../../lib/train/simclr.ts";
import { StepRunner } from "../../lib/train/step_runner.ts";
import { noiseData, smallConfig } from "./methods.ts";

const STEPS = 3, BATCH = 8;
const DATA = noiseData(STEPS * BATCH);
/** Half of the patches hold nothing. */
const SPARSE = { ...noiseData(STEPS * BATCH, (x) => Math.max(0, x - 1.8)), sumDeviations: [0.9, 1.1] };
const active = (config: RunConfig) => ({ ...config, model: { ...config.model, tokens: "active" as const } });

/** What is trained, by name. */
export const METHODS: Readonly<Record<string, (gpu: Gpu, config: RunConfig, exchange: Exchange) => Method>> = {
  "finetuning": (gpu, config, exchange) => new Finetune(gpu, config, DATA, new Map(), exchange),
  "SimCLR": (gpu, config, exchange) => new Pretraining(gpu, config, DATA, new Map(), simclr(config), exchange),
  "MAE": (gpu, config, exchange) => new Pretraining(gpu, config, DATA, new Map(), mae(config), exchange),
  "finetuning on active tokens": (gpu, config, exchange) => new Finetune(gpu, active(config), SPARSE, new Map(), exchange),
  "SimCLR on active tokens": (gpu, config, exchange) =>
    new Pretraining(gpu, active(config), SPARSE, new Map(), simclr(active(config)), exchange),
  "active MAE": (gpu, config, exchange) =>
    new Pretraining(gpu, active(config), SPARSE, new Map(), activeMae(active(config)), exchange),
};

/** How a batch of 8 images is computed. */
export interface Cut {
  readonly accumulate?: number;
  readonly groups?: number;
}

/** Dropout, augmentation, a running mean, and what finetuning can do beside. */
export function configOf({ accumulate = 1, groups = 0 }: Cut): RunConfig {
  const config = smallConfig(BATCH / accumulate, { depth: 2 });
  const options = { ema: 0.5, layer_decay: 0.7, freeze_epochs: 1, label_smoothing: 0.1, log_target: true, monitor: "roc_auc" };
  Object.assign(config.training, options, { accumulate, batch_groups: groups });
  return config;
}

/** Numbers of a run, by what they are: everything that a step changes, the results of steps, a validation of the running mean. */
export type Trained = Readonly<Record<string, Float32Array<ArrayBuffer>>>;

/** Trains for three steps, of which finetuning leaves the backbone alone in the first. */
export async function train(gpu: Gpu, name: string, cut: Cut, exchange: Exchange = ALONE): Promise<Trained> {
  using method = METHODS[name]!(gpu, configOf(cut), exchange);
  const pacer = new Pacer(gpu), begins = method.begins(1);
  using runner = new StepRunner(gpu, method, exchange, pacer);
  let step = 0;
  for await (const parts of runner.stage(batchesOf(DATA.split.train, BATCH))) {
    await runner.run(parts, { seed: 3, step, row: step++, learningRates: [3e-4, 1e-4], begins });
  }
  await pacer.drain();
  const columns = method.table.shape[1]!, table = await read(gpu, method.table);
  const sums = Array.from({ length: columns }, (_, i) => table[i]! + table[columns + i]! + table[2 * columns + i]!);
  const validation = await method.withMean(() => method.validate());
  const trained: Record<string, Float32Array<ArrayBuffer>> = {
    results: Float32Array.from(Object.values(method.summarise(sums, STEPS))),
    report: (await read(gpu, method.report) as Float32Array<ArrayBuffer>).slice(0, 2 * STEPS),
    validation: Float32Array.from(Object.values(validation)),
  };
  for (const [what, x] of Object.entries(method.lasting)) trained[what] = await read(gpu, x) as Float32Array<ArrayBuffer>;
  return trained;
}

/** The largest difference of two numbers of the same kind. */
export function farthest(a: Trained, b: Trained, what: string): number {
  const other = b[what]!;
  return a[what]!.reduce((most, value, i) => Math.max(most, Math.abs(value - other[i]!)), 0);
}

/** Checks that runs agree: to 1e-6 in every parameter, its moments and its running mean. */
export function assertAgree(a: Trained, b: Trained): void {
  for (const what of ["values", "statistics", "m", "v", "mean_values", "mean_statistics"]) {
    const difference = farthest(a, b, what);
    assert(difference < 1e-6, `${what} differ by ${difference}`);
  }
  for (const what of ["results", "report", "validation"]) {
    a[what]!.forEach((value, i) => {
      const other = b[what]![i]!;
      assert(Math.abs(value - other) <= 1e-5 * Math.max(1e-3, Math.abs(value)), `${what} ${i}: ${value}, ${other}`);
    });
  }
}
