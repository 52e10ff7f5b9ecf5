/** @file What the two training tasks share: configuration, folder, device, and the first and last lines. */

import type { RunConfig } from "../config/keys.ts";
import { keyRows } from "../config/help.ts";
import { ConfigError, parseConfig } from "../config/parse.ts";
import type { AdapterFacts } from "../gpu/adapter.ts";
import { Gpu } from "../gpu/device.ts";
import { openSource } from "../disk/files.ts";
import { readStart } from "../io/source.ts";
import { epochFigures } from "../report/epoch_figures.ts";
import { PRETRAINING_METHODS } from "../train/methods.ts";
import { checkTraining } from "../train/preconditions.ts";
import type { TrainerOptions } from "../train/trainer.ts";
import { NO_FOLDER, type OpenFolder, RunFolder } from "../disk/run_folder.ts";
import { UNUSED_KEYS } from "../train/unused_keys.ts";
import { ConsoleReporter, table } from "./console.ts";
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
  "extend": "go on with more epochs, other learning rates, or other limits than the run began with",
  "mismatch": "start from weights that were trained with another data.norm_scale, model.denominator_floor or model.tokens",
  "deterministic-check": "first compute a step twice and compare every bit of it",
} as const;

/** Every key of a configuration, for `--help`. */
export function describeKeys(): string {
  const rows = keyRows().map(([name, initial, meaning]) => [name, `${meaning} (${initial})`]);
  return table(["key of the configuration, and of --set", "meaning (default)"], rows);
}

/** Every way to pretrain, for `--help`. */
export function describeMethods(): string {
  return table(["training.method", "what is learned"], [...PRETRAINING_METHODS].map(([name, { summary }]) => [name, summary]));
}

/** Options of a training command. */
export interface TrainingOptions extends TrainerOptions {
  /** Weights to start from, heads included. */
  readonly init?: string | undefined;
  /** Goes on with other limits and learning rates than the run began with. */
  readonly extend?: boolean;
  /** Takes weights that were trained on other numbers than the configuration's. */
  readonly mismatch?: boolean;
}

/** How a training task is started and stopped, from its command line. */
export function trainingOptions({ args, signal }: TaskContext): TrainingOptions {
  return {
    signal,
    init: args.get("init"),
    extend: args.has("extend"),
    mismatch: args.has("mismatch"),
    deterministicCheck: args.has("deterministic-check"),
    draw: epochFigures,
  };
}

/** What a training task works with; it holds on to the run's folder. */
export interface TrainingSetup extends Disposable {
  readonly config: RunConfig;
  readonly folder: OpenFolder;
  /** Sets earlier files of the folder aside instead of resuming from them. */
  readonly fresh: boolean;
  /** What else there is to say about the configuration. */
  readonly remarks?: readonly string[];
  readonly reporter: Pick<ConsoleReporter, "line" | "progress" | "counting">;
}

/**
 * Reads a configuration and applies overrides such as "training.epochs=2".
 *
 * @throws {ConfigError} if there is no such file, or no text in UTF-8 in it
 */
export function readConfig(path: string, overrides: readonly string[]): RunConfig {
  return parseConfig(decodeText(readBytes(path), path), path, overrides);
}

function readBytes(path: string): Uint8Array {
  try {
    using source = openSource(path);
    return readStart(source);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new ConfigError(`${path}: there is no such configuration. See the folder configs`);
  }
}

/** Text of a file; editors of Windows like to write UTF-16. */
function decodeText(bytes: Uint8Array, path: string): string {
  const wide = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff) || bytes.includes(0);
  if (wide) throw new ConfigError(`${path}: this is no text in UTF-8, but in UTF-16 or no text at all. Save it as UTF-8`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigError(`${path}: this is no text in UTF-8. Save it as UTF-8`);
  }
}

/**
 * The configuration, the run's folder and where to print, from the command line of a training task.
 *
 * @param task as in `deno task finetune`
 * @param first false for a process whose files and lines another one writes
 */
export function setUp(task: "pretrain" | "finetune", { args }: Pick<TaskContext, "args">, first = true): TrainingSetup {
  const out = args.get("out");
  const config = readConfig(args.need("config"), [...args.all("set"), ...(out === undefined ? [] : [`output.dir=${out}`])]);
  if (!first) {
    checkTraining(config);
    return { config, folder: NO_FOLDER, fresh: false, reporter: SILENT, [Symbol.dispose]: () => {} };
  }
  const method = task === "finetune" ? task : config.training.method, unused = UNUSED_KEYS.get(method) ?? [];
  const idle = args.all("set").filter((pair) => unused.includes(pair.split("=", 1)[0]!));
  const remarks = idle.map((pair) => `--set ${pair} has no effect: ${method} does not use that key`);
  return { ...prepare(config, args.has("fresh")), remarks };
}

/**
 * Takes hold of the run's folder; nothing in it is touched before the run begins.
 *
 * @param fresh sets earlier files of the folder aside instead of resuming from them
 * @throws {ConfigError} if the configuration cannot be trained
 */
export function prepare(config: RunConfig, fresh: boolean): TrainingSetup {
  checkTraining(config);
  const notices: string[] = [];
  const folder = new RunFolder(rooted(config.output.dir), (line) => notices.push(line));
  const reporter = new ConsoleReporter((line) => folder.log(line));
  notices.forEach((line) => reporter.line(line));
  return { config, folder, fresh, reporter, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

/** Prints nothing. */
const SILENT: TrainingSetup["reporter"] = { line: () => {}, progress: () => {}, counting: () => () => {} };

/** Opens the adapter and says what it is; a software adapter is slow, and the user should know. */
export async function openGpu(reporter: Pick<ConsoleReporter, "line">): Promise<Gpu> {
  const gpu = await Gpu.open();
  reporter.line(describeAdapter(gpu.adapter));
  return gpu;
}

/** What an adapter is, in a line. */
export function describeAdapter({ name, software, openGl }: AdapterFacts): string {
  const remedy = "For a GPU install its Vulkan driver; see deno task doctor";
  if (openGl) {
    return `Running through OpenGL (${name}), since there is no Vulkan driver: right, but several times slower. ${remedy}`;
  }
  return software ? `Running on a software adapter (${name}): right, but slow. ${remedy}` : `Running on ${name}`;
}
