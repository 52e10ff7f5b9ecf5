/** @file The work of deno task kernels: the text that the adapter gets of kernels. */

import { defaultConfig, type RunConfig } from "../config/keys.ts";
import { PackedImages } from "../data/packed.ts";
import { Gpu, type GpuOptions } from "../gpu/device.ts";
import { type Kernel, kernelOf, type Specialisation } from "../gpu/kernel.ts";
import { type Constants, entriesOf, type NumberType, specialise } from "../gpu/wgsl.ts";
import { Finetune } from "../train/finetune.ts";
import { activeMae } from "../train/active_mae.ts";
import { mae } from "../train/mae.ts";
import { type Objective, Pretraining } from "../train/pretraining.ts";
import { simclr } from "../train/simclr.ts";
import { UsageError } from "./task.ts";

const FOLDER = new URL("../../kernels/", import.meta.url);

/** Images of a data set that plans are made for. */
const IMAGES = 4;
/** Adapters for which a model's plans differ. */
const ADAPTERS: readonly GpuOptions[] = [{}, { software: false, subgroup: [0, 0] }, { software: false, subgroup: [32, 32] }];

/** Which tokens models compute. */
const MODELS = [{ tokens: "all" }, { tokens: "active", lcm: "submanifold" }, { tokens: "active", lcm: "wide" }] as const;

/** What is wanted of a kernel. */
export interface KernelOptions {
  /** The entry point; all by default. */
  readonly entry?: string | undefined;
  /** Constants as "NAME=VALUE". */
  readonly set: readonly string[];
}

/** The names of all kernels, each with its entry points. */
export function kernels(): Map<string, string[]> {
  const names = Array.from(Deno.readDirSync(FOLDER)).filter(({ isFile }) => isFile).map(({ name }) => name.replace(/\.wgsl$/, ""));
  return new Map(names.toSorted().map((name) => [name, entriesOf(readKernel(name).source)]));
}

/**
 * A kernel with its libraries, its constants set and its loops unrolled.
 *
 * @throws {UsageError} if there is no such kernel or entry point, or a value cannot be read
 * @throws {Error} if the kernel declares no such constant, or one of another type
 */
export function kernelText(name: string, { entry, set }: KernelOptions): string {
  const all = kernels();
  const entries = all.get(name);
  if (!entries) throw new UsageError(`There is no kernel "${name}": there are ${[...all.keys()].join(", ")}`);
  if (entry !== undefined && !entries.includes(entry)) {
    throw new UsageError(`Kernel ${name} has no entry point "${entry}": it has ${entries.join(", ")}`);
  }
  return tidy(specialise(readKernel(name).source, Object.fromEntries(set.map(constantOf)), entry));
}

/**
 * Every specialisation that plans of training and validation use, by each method, on all tokens and on active ones, on this adapter and
 * on GPUs without subgroups and with subgroups of one size.
 *
 * @param config sizes of the model: those of the published one by default
 */
export async function modelKernels(config: RunConfig = defaultConfig()): Promise<Specialisation[]> {
  const sizes: RunConfig = { ...config, data: { ...config.data, batch_size: 2 } };
  const { in_channels: channels, img_size: size } = config.model;
  const images = PackedImages.fromDense(new Float32Array(IMAGES * channels * size * size), { channels, size });
  const numbers = Uint32Array.from({ length: IMAGES }, (_, i) => i);
  const split = { train: numbers, val: numbers, test: numbers }, sumDeviations = Array.from<number>({ length: channels }).fill(1);
  const data = { images, labels: numbers.map((i) => i % 2), mass: numbers, split, sumDeviations };
  const found = new Map<string, Specialisation>();
  for (const options of ADAPTERS) {
    using gpu = await Gpu.open(options);
    for (const model of MODELS) {
      const own = { ...sizes, model: { ...sizes.model, ...model } };
      new Finetune(gpu, own, data, new Map())[Symbol.dispose]();
      for (const objective of objectivesOf(own)) new Pretraining(gpu, own, data, new Map(), objective)[Symbol.dispose]();
    }
    for (const used of gpu.pipelines.launched) found.set(specialisationText(used), used);
  }
  return [...found.values()];
}

/** The ways to pretrain a model. */
function objectivesOf(config: RunConfig): Objective[] {
  if (config.model.tokens === "all") return [simclr(config), mae(config)];
  const targets = ["sums", "pixels"] as const;
  return [simclr(config), ...targets.map((target) => activeMae({ ...config, active_mae: { ...config.active_mae, target } }))];
}

/** A specialisation as the adapter gets it, below a line that says what it is. */
export function specialisationText({ kernel, entry, constants }: Specialisation): string {
  const set = Object.entries(constants).map(([name, value]) => ` ${name}=${value}`).join("");
  return `// ${kernel.name}.${entry}${set}\n\n${tidy(specialise(kernel.source, constants, entry))}`;
}

/** Where comments were, lines are empty. */
function tidy(text: string): string {
  return `${text.replaceAll(/\n\s*\n/g, "\n\n").trim()}\n`;
}

function readKernel(name: string): Kernel {
  return kernelOf(name, Deno.readTextFileSync(new URL(`${name}.wgsl`, FOLDER)));
}

function constantOf(pair: string): [string, Constants[string]] {
  const [, name, value] = /^(\w+)=(true|false|f32|vec4<f32>|-?[\d.]+(?:e[-+]?\d+)?)$/.exec(pair) ?? [];
  if (name === undefined || value === undefined) {
    throw new UsageError(
      `--set ${pair} is no constant with its value, such as N=625, SCALE=0.125, FUSED=true or "Number=vec4<f32>"`,
    );
  }
  if (value === "true" || value === "false") return [name, value === "true"];
  return [name, value.endsWith("f32") || value.endsWith(">") ? value as NumberType : Number(value)];
}
