/**
 * @file Every kernel that models are computed with, for every kind of adapter, each compiled by this one.
 *
 * Which kernels there are follows from the sizes of a model, its recipe, and what an adapter is: whether it computes on the CPU, how
 * wide its subgroups are, and what it allows beyond that which the standard guarantees. So the plans of several models are made as if
 * this adapter were of each kind, and what they launch is collected. Where a product may be computed in several ways, all are.
 */

import { defaultConfig, type RunConfig } from "../config/keys.ts";
import { PackedImages } from "../data/packed.ts";
import { Explainer } from "../eval/attribution.ts";
import { Gpu, GpuError, type GpuOptions } from "../gpu/device.ts";
import type { Specialisation } from "../gpu/kernel.ts";
import { enabled } from "../gpu/pipelines.ts";
import { pauses } from "../interrupted.ts";
import type { LabelledData } from "../input/input_images.ts";
import type { ProductQuestion } from "../tensor/ops/matmul.ts";
import { nameOf, type Variant, variantsFor } from "../tensor/ops/matmul_variants.ts";
import { activeMae } from "../train/active_mae.ts";
import { Finetune } from "../train/finetune.ts";
import { mae } from "../train/mae.ts";
import { type Objective, Pretraining } from "../train/pretraining.ts";
import { simclr } from "../train/simclr.ts";
import { specialisationText } from "./kernels.ts";

/** Images of a data set that plans are made for. */
const IMAGES = 4;

const gpuWith = (least: number, most = least): GpuOptions => ({ software: false, subgroup: [least, most] });

/**
 * Kinds of adapters, as what this one is taken for. What is allowed everywhere comes first: those after it share most kernels with it,
 * which need not be compiled again.
 */
export const KINDS: Readonly<Record<string, GpuOptions>> = {
  "GPU with guaranteed limits": { ...gpuWith(0), guaranteed: true },
  "GPU without subgroups": gpuWith(0),
  "GPU with subgroups of 8": gpuWith(8),
  "GPU with subgroups of 16": gpuWith(16),
  "GPU with subgroups of 32": gpuWith(32),
  "GPU with subgroups of 64": gpuWith(64),
  "GPU with subgroups of varying size": gpuWith(8, 32),
  "software with guaranteed limits": { software: true, subgroup: [0, 0], guaranteed: true },
  "software with subgroups of 8": { software: true, subgroup: [8, 8] },
  "software with subgroups of 16": { software: true, subgroup: [16, 16] },
};

/** A kernel as adapters get it, and which. */
export interface ModelKernel {
  /** What is compiled. */
  readonly specialisation: Specialisation;
  /** Kinds of adapters that get it, of {@linkcode KINDS}. */
  readonly kinds: string[];
}

/** What a recipe sets beyond the defaults, and whether predictions are explained too. */
interface Recipe {
  readonly model: Partial<RunConfig["model"]>;
  readonly training?: Partial<RunConfig["training"]>;
  /** Names of targets, if they are not the mass alone. */
  readonly targets?: string;
  readonly explained?: boolean;
}

/** Recipes whose kernels differ. */
const RECIPES: readonly Recipe[] = [
  { model: { tokens: "all" }, explained: true },
  { model: { tokens: "active", lcm: "submanifold" }, explained: true },
  { model: { tokens: "active", lcm: "wide" }, explained: true },
  { model: { head_hidden: 64 }, training: { ema: 0.999, accumulate: 2, recompute: "blocks", freeze_epochs: 1 } },
  // sizes that are no multiples of four
  { model: { embed_dim: 18, num_heads: 2, mlp_ratio: 1.5, num_classes: 3 }, targets: "m,pT", explained: true },
];

/**
 * Every specialisation that training, validation and explanations use, by their text. Each is compiled.
 *
 * @param config sizes of the model: those of the published one by default
 * @param kinds names of {@linkcode KINDS}
 * @throws {GpuError} if this adapter refuses one, or has anything to say about it
 * @throws {Interrupted} if the signal was aborted
 */
export async function modelKernels(
  config: RunConfig = defaultConfig(),
  kinds: readonly string[] = Object.keys(KINDS),
  signal?: AbortSignal,
): Promise<Map<string, ModelKernel>> {
  const found = new Map<string, ModelKernel>();
  const asked = new Set<string>();
  const pause = pauses({ signal }, "Stopped while kernels were compiled");
  for (const kind of kinds) {
    using gpu = await Gpu.open(KINDS[kind]);
    await recordPlans(gpu, config, pause);
    const questions = gpu.choices.open.map(({ question, details }) => ({
      question,
      shapes: shapesFor(gpu, details as ProductQuestion),
    }));
    const rounds = Math.max(1, ...questions.map(({ shapes }) => shapes.length));
    // kinds that have the same to choose from need not all try it
    const key = JSON.stringify(questions);
    for (let round = 1; round < rounds && !asked.has(key); round++) {
      gpu.choices.answer(Object.fromEntries(questions.map(({ question, shapes }) => [question, shapes[round % shapes.length]!])));
      await recordPlans(gpu, config, pause);
    }
    asked.add(key);
    for (const specialisation of gpu.pipelines.launched) {
      const text = specialisationText(specialisation);
      const known = found.get(text);
      if (known) known.kinds.push(kind);
      else {
        await pause(0, 1);
        await compile(gpu, text);
        found.set(text, { specialisation, kinds: [kind] });
      }
    }
  }
  return found;
}

/** Names of the variants of a product, one for each kernel: segments are no constants of it. */
function shapesFor({ adapter }: Gpu, { sizes, layout }: ProductQuestion): string[] {
  const shapeOf = ({ entry, tm, tn, kStep }: Variant) => [entry, tm, tn, kStep].join();
  return [...new Map(variantsFor(adapter, sizes, layout).map((variant) => [shapeOf(variant), nameOf(variant)])).values()];
}

/** Makes the plans of each recipe, which the device takes note of. */
async function recordPlans(gpu: Gpu, config: RunConfig, pause: ReturnType<typeof pauses>): Promise<void> {
  for (const { model, training, targets = "", explained } of RECIPES) {
    const data = emptyData(config, targets.split(","));
    // a block without drop path, and one with it
    const sizes = { ...config.model, depth: Math.min(2, config.model.depth), ...model };
    const own: RunConfig = {
      ...config,
      data: { ...config.data, batch_size: 2, keys: { ...config.data.keys, targets } },
      model: sizes,
      training: { ...config.training, ...training },
    };
    using finetune = new Finetune(gpu, own, data, undefined);
    if (explained) new Explainer(gpu, await finetune.weights(), data)[Symbol.dispose]();
    for (const objective of objectivesOf(own)) {
      await pause(0, 1);
      new Pretraining(gpu, own, data, undefined, objective)[Symbol.dispose]();
    }
  }
}

/** Images without a pixel: plans do not depend on them. */
function emptyData(
  { model: { in_channels: channels, img_size: size } }: RunConfig,
  names: readonly string[],
): LabelledData & { sumDeviations: number[] } {
  const images = PackedImages.fromDense(new Float32Array(IMAGES * channels * size * size), { channels, size });
  const numbers = Uint32Array.from({ length: IMAGES }, (_, i) => i);
  const split = { train: numbers, val: numbers, test: numbers }, sumDeviations = Array.from<number>({ length: channels }).fill(1);
  const targets = names.map((name) => ({ name, unit: "", values: numbers }));
  return { images, labels: numbers.map((i) => i % 2), targets, split, sumDeviations };
}

/** The ways to pretrain a model. */
function objectivesOf(config: RunConfig): Objective[] {
  if (config.model.tokens === "all") return [simclr(config), mae(config)];
  const targets = ["sums", "pixels"] as const;
  return [simclr(config), ...targets.map((target) => activeMae({ ...config, active_mae: { ...config.active_mae, target } }))];
}

/** Lets the adapter compile a kernel that nothing may be wrong with. */
async function compile({ device, adapter }: Gpu, text: string): Promise<void> {
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code: enabled(text, adapter.implementation) });
  const { messages } = await module.getCompilationInfo();
  device.createComputePipeline({ layout: "auto", compute: { module } });
  const error = await device.popErrorScope();
  const said = [...messages.map(({ message }) => message), ...(error ? [error.message] : [])];
  const [title] = text.split("\n", 1);
  if (said.length > 0) throw new GpuError(`${adapter.implementation.compiler} on ${title!.slice(3)}: ${said.join("; ")}`);
}
