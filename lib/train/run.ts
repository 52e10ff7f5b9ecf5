/** @file A training run from its configuration to its last checkpoint, new or resumed. */

import { ConfigError, differences, type RunConfig } from "../config.ts";
import { formatBytes } from "../format.ts";
import type { Gpu } from "../gpu/device.ts";
import { exists } from "../io/files.ts";
import type { StateDict } from "../tensor/parameters.ts";
import { DamagedCheckpoint, freshState, readResume, type Resume, type RunState } from "./checkpoint.ts";
import type { Method } from "./method.ts";
import type { RunFolder } from "./run_folder.ts";
import { type Reporter, Trainer, type TrainerOptions } from "./trainer.ts";
import { createTuned } from "./tuning.ts";

/** Keys that may change between a run and its continuation. */
const FREE_KEYS = [
  "output.dir",
  "data.num_workers",
  "data.labelled_path",
  "data.unlabelled_path",
  "data.cache_dir",
  "data.gpu_share",
  "training.checkpoint_minutes",
  "training.recompute",
];

/** How a run is tuned, stopped and checked. */
export interface RunOptions extends TrainerOptions {
  /** File of the variants that were chosen on adapters used before; none measures them for each run. */
  readonly tuningFile?: string | undefined;
}

/**
 * Trains, or goes on training.
 *
 * @param create makes the method from the weights to start with
 * @param start weights of a new run
 * @returns the state at the end
 * @throws {ConfigError} if the folder holds a run of another configuration
 */
export async function train(
  gpu: Gpu,
  config: RunConfig,
  folder: RunFolder,
  create: (start: StateDict) => Method,
  start: () => StateDict,
  reporter: Reporter,
  options: RunOptions,
): Promise<RunState> {
  const resume = folder.used ? openResume(folder, config) : undefined;
  if (resume?.state.finished) {
    reporter.line(`This run is complete (${resume.state.finished}); its weights are in ${folder.best}. Start anew with --fresh`);
    return resume.state;
  }
  const weights = resume ? new Map() : start();
  using method = await createMethod(gpu, config, resume, () => create(weights), {
    ...options,
    line: (text) => reporter.line(text),
  });
  // an adapter without enough memory says so before the first step
  await gpu.finish();
  reporter.line(`Memory on the adapter: ${formatBytes(gpu.memory.bytes)}`);
  const state = resume?.state ?? freshState(method.table.shape[1]!);
  folder.writeConfig(config);
  folder.trimMetrics(state.epoch);
  if (resume) {
    resume.apply(gpu, method);
    reporter.line(
      `Resuming after epoch ${state.epoch}${state.stepInEpoch ? `, step ${state.stepInEpoch}` : ""} from ${folder.resume}`,
    );
  }
  const trainer = new Trainer(gpu, config, method, folder, state, reporter, options);
  if (!resume) await trainer.begin();
  return await trainer.run();
}

/** The method with the variants of kernels that the run began with, or else those that suit the adapter. */
async function createMethod(
  gpu: Gpu,
  { training }: RunConfig,
  resume: Resume | undefined,
  create: () => Method,
  { tuningFile: file, signal, line }: RunOptions & Pick<Reporter, "line">,
): Promise<Method> {
  const begun = resume?.tuning;
  const untuned = training.tune === "off" || (resume && !begun);
  const fixed = untuned ? {} : begun?.adapter === gpu.adapter.name ? begun.choices : undefined;
  if (!fixed) return await createTuned(gpu, create, { file, signal, line });
  gpu.choices.answer(fixed);
  return create();
}

function openResume(folder: RunFolder, config: RunConfig): ReturnType<typeof readResume> {
  if (!exists(folder.resume)) {
    throw new ConfigError(
      `${folder.path} holds another run, without a file to resume from. Use another --out, or --fresh to start anew`,
    );
  }
  let resume: ReturnType<typeof readResume>;
  try {
    resume = readResume(folder.resume);
  } catch (error) {
    if (!(error instanceof DamagedCheckpoint)) throw error;
    throw new ConfigError(
      `${error.message}. Use --fresh to start anew; ${folder.latest} can be given with --init to start from its weights`,
    );
  }
  const changed = differences(resume.config, config, FREE_KEYS);
  if (changed.length > 0) {
    throw new ConfigError(
      `${folder.path} holds a run with another configuration (${changed.join("; ")}). ` +
        "Use the same configuration to go on, another --out, or --fresh to start anew",
    );
  }
  return resume;
}
