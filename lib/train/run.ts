/** @file A training run from its configuration to its last checkpoint, new or resumed. */

import type { RunConfig } from "../config/keys.ts";
import { ConfigError, differences } from "../config/parse.ts";
import { differentData, type TrainedOn } from "../data/provenance.ts";
import { formatBytes } from "../format.ts";
import type { Gpu } from "../gpu/device.ts";
import type { StateDict } from "../tensor/parameters.ts";
import { decodeResume, freshState, type Resume, type RunState, UnusableCheckpoint } from "./checkpoint.ts";
import { whyFinished } from "./ending.ts";
import { ALONE, ofFirst } from "./exchange.ts";
import type { Method } from "./method.ts";
import type { RunFiles } from "./run_files.ts";
import { type Reporter, Trainer, type TrainerOptions } from "./trainer.ts";
import { createTuned, type TuningStore } from "./tuning.ts";

/** Keys that may change between a run and its continuation. */
const FREE_KEYS = [
  "output.dir",
  "output.tensorboard",
  "data.num_workers",
  "data.labelled_path",
  "data.unlabelled_path",
  "data.class_of",
  "data.test_path",
  "data.cache_dir",
  "data.gpu_share",
  "training.checkpoint_minutes",
  "training.recompute",
];

/** Keys that may change with --extend. */
const EXTENDABLE = [
  "training.epochs",
  "training.lr",
  "training.backbone_lr",
  "training.head_lr",
  "training.clip_norm",
  "training.patience",
  "training.max_steps",
  "training.max_skipped_steps",
];

/** What a run goes on from, or the weights that it starts with and what those were trained on. */
export type Origin =
  | { readonly resume: Resume }
  | { readonly resume?: never; readonly start: StateDict; readonly trainedOn: readonly TrainedOn[] };

/** What is trained, from what on, and on what. */
export interface Run {
  /** Makes the method from the weights to start with. */
  create(start: StateDict): Method;
  /** Where it begins. */
  readonly origin: Origin;
  /** The data. */
  readonly data: TrainedOn;
  /** Called when nothing is left that could be refused: from here on files are written. */
  readonly begin?: () => void;
  /** The variants that were chosen on adapters used before; without it they are measured for each run. */
  readonly tunings?: TuningStore | undefined;
}

/**
 * Trains, or goes on training. Files of the folder are touched when there is nothing left that could be refused.
 *
 * @returns the state at the end
 * @throws {TrainingError} if numbers stop being finite
 * @throws {Interrupted} if the signal was aborted; the state is saved
 */
export async function train(
  gpu: Gpu,
  config: RunConfig,
  folder: RunFiles,
  run: Run,
  reporter: Reporter,
  options: TrainerOptions,
): Promise<RunState> {
  const { resume } = run.origin;
  const { exchange = ALONE } = options;
  const begun = await ofFirst(exchange, resume?.state ?? null);
  if (begun?.finished) {
    run.begin?.();
    reporter.line(`This run is complete (${begun.finished}); its weights are in ${folder.best}. Start anew with --fresh`);
    return begun;
  }
  using method = await createMethod(gpu, config, run, { ...options, line: (text) => reporter.line(text) });
  // an adapter without enough memory says so before the first step
  await gpu.finish();
  reporter.line(`Memory on the adapter: ${formatBytes(gpu.memory.bytes)}`);
  run.begin?.();
  const state = begun ?? freshState(method.table.shape[1]!);
  folder.writeConfig(config);
  folder.trimMetrics(state.epoch);
  if (resume) {
    resume.apply(gpu, method);
    reporter.line(
      `Resuming after epoch ${state.epoch}${state.stepInEpoch ? `, step ${state.stepInEpoch}` : ""} from ${folder.resume}`,
    );
  }
  await exchange.broadcast(gpu, Object.values(method.lasting));
  const trainedOn = resume ? resume.trainedOn : [...run.origin.trainedOn, run.data];
  const trainer = new Trainer(gpu, config, method, folder, { state, trainedOn }, reporter, options);
  if (!resume) await trainer.begin();
  return await trainer.run();
}

/** The method with the variants of kernels that the run began with, or else those that suit the adapter. */
async function createMethod(
  gpu: Gpu,
  { training }: RunConfig,
  { create, origin, tunings }: Run,
  options: TrainerOptions & Pick<Reporter, "line">,
): Promise<Method> {
  const { resume } = origin, begun = resume?.tuning;
  const untuned = training.tune === "off" || (resume && !begun);
  const fixed = untuned ? {} : begun?.adapter === gpu.adapter.name ? begun.choices : undefined;
  return await createTuned(gpu, () => create(resume ? new Map() : origin.start), { ...options, fixed, tunings });
}

/**
 * The checkpoint that a folder's run goes on from.
 *
 * @param extend goes on with other limits and learning rates than the run began with
 * @throws {ConfigError} if there is none, it cannot be used, or it is of a run with another configuration
 */
export async function openResume(folder: RunFiles, config: RunConfig, extend = false): Promise<Resume> {
  const bytes = folder.read(folder.resume);
  if (!bytes) {
    throw new ConfigError(
      `${folder.path} holds another run, without a file to resume from. Use another --out, or --fresh to start anew`,
    );
  }
  let resume: Resume;
  try {
    resume = await decodeResume(bytes, folder.resume);
  } catch (error) {
    if (!(error instanceof UnusableCheckpoint)) throw error;
    throw new ConfigError(
      `${error.message}. Use --fresh to start anew; ${folder.latest} can be given with --init to start from its weights`,
    );
  }
  // whatever the number of ranks is now, groups are those that the run began with
  if (config.training.batch_groups === 0) config.training.batch_groups = resume.config.training.batch_groups;
  const changed = differences(resume.config, config, FREE_KEYS);
  if (changed.length === 0) return resume;
  const extendable = differences(resume.config, config, [...FREE_KEYS, ...EXTENDABLE]).length === 0;
  if (!extend || !extendable) {
    const how = extendable ? ", --extend to go on with this one," : "";
    throw new ConfigError(
      `${folder.path} holds a run with another configuration (${changed.join("; ")}). ` +
        `Use the same configuration to go on,${how} or --fresh to start anew; with another --out, --init ${folder.latest} starts from its weights`,
    );
  }
  return { ...resume, state: { ...resume.state, finished: extended(resume, config) } };
}

/** Why a run is over under new limits, or null if it is not. */
function extended({ config: { training: before }, state }: Resume, { training }: RunConfig): string | null {
  if (training.epochs < before.epochs) {
    throw new ConfigError(
      `training.epochs may be raised with --extend, and not lowered: it was ${before.epochs} and is ${training.epochs}`,
    );
  }
  return state.stepInEpoch > 0 ? null : whyFinished(state, training);
}

/**
 * Checks that a run goes on with the images that it began with.
 *
 * @param path of the data now
 * @throws {ConfigError} if they are others; a checkpoint from before this was kept is believed
 */
export function checkData({ resume }: Origin, now: TrainedOn, path: string): void {
  const begun = resume?.trainedOn.at(-1);
  const different = begun && differentData(begun, now);
  if (different === undefined) return;
  throw new ConfigError(
    `${path}: these are other data than those that the run began with (${begun!.path}): ${different}. ` +
      "Bring them back to go on, or start anew with --fresh",
  );
}
