/** @file What the two training tasks share: configuration, folder, device, and the first and last lines. */

import { ConfigError, parseConfig, type RunConfig } from "../config.ts";
import { type AdapterFacts, Gpu } from "../gpu/device.ts";
import { RunFolder } from "../train/run_folder.ts";
import { ConsoleReporter } from "./console.ts";
import type { TrainingOptions } from "./commands.ts";
import { rooted } from "./paths.ts";
import type { TaskContext, Usage } from "./task.ts";

/** Options of both training tasks. */
export const TRAINING_OPTIONS = {
  "config=FILE": "configuration, such as configs/finetune.yaml",
  "set=KEY=VALUE": "override a key, such as training.epochs=2",
  "out=DIR": "folder for weights, metrics and log (output.dir)",
  "init=FILE": "weights to start from, heads included",
} as const satisfies Usage["options"];

/** Flags of both training tasks. */
export const TRAINING_FLAGS = {
  "fresh": "set earlier files in the folder aside instead of resuming",
  "mismatch": "start from weights that were trained with another data.norm_scale or model.denominator_floor",
  "deterministic-check": "first compute a step twice and compare every bit of it",
} as const;

/** How a training task is started and stopped, from its command line. */
export function trainingOptions({ args, signal }: TaskContext): TrainingOptions {
  return { signal, init: args.get("init"), mismatch: args.has("mismatch"), deterministicCheck: args.has("deterministic-check") };
}

/** What a training task works with; it holds on to the run's folder. */
export interface TrainingSetup extends Disposable {
  readonly config: RunConfig;
  readonly folder: RunFolder;
  readonly reporter: Pick<ConsoleReporter, "line" | "progress" | "counting">;
}

/** Reads a configuration and applies overrides such as "training.epochs=2". */
export function readConfig(path: string, overrides: readonly string[]): RunConfig {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new ConfigError(`${path}: there is no such configuration. See the folder configs`);
    }
    throw error;
  }
  return parseConfig(text, path, overrides);
}

/** The configuration, the run's folder and where to print, from the command line of a training task. */
export function setUp({ args }: Pick<TaskContext, "args">): TrainingSetup {
  const out = args.get("out");
  const config = readConfig(args.need("config"), [...args.all("set"), ...(out === undefined ? [] : [`output.dir=${out}`])]);
  return prepare(config, args.has("fresh"));
}

/**
 * Makes the run's folder.
 *
 * @param fresh sets earlier files of the folder aside instead of resuming from them
 */
export function prepare(config: RunConfig, fresh: boolean): TrainingSetup {
  const folder = new RunFolder(rooted(config.output.dir));
  const kept = fresh ? folder.setAside() : undefined;
  const reporter = new ConsoleReporter((line) => folder.log(line));
  if (kept) reporter.line(`Earlier files of this folder are now in ${kept}`);
  return { config, folder, reporter, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

/** Opens the adapter and says what it is; a software adapter is slow, and the user should know. */
export async function openGpu(reporter: Pick<ConsoleReporter, "line">): Promise<Gpu> {
  const gpu = await Gpu.open();
  reporter.line(describeAdapter(gpu.adapter));
  return gpu;
}

function describeAdapter({ name, software, openGl }: AdapterFacts): string {
  const remedy = "For a GPU install its Vulkan driver; see deno task doctor";
  if (openGl) {
    return `Running through OpenGL (${name}), since there is no Vulkan driver: right, but several times slower. ${remedy}`;
  }
  return software ? `Running on a software adapter (${name}): right, but slow. ${remedy}` : `Running on ${name}`;
}
