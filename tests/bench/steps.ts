/** @file Whole training steps at the small and the full size, and what they spend their time on. */

import { firstNumbers } from "../../lib/arrays.ts";
import { MASS } from "../../lib/data/targets.ts";
import process from "node:process";
import { defaultConfig, type RunConfig } from "../../lib/config/keys.ts";
import { mostActivePatches } from "../../lib/data/active_patches.ts";
import { PackedImages } from "../../lib/data/packed.ts";
import { stratifiedSplit } from "../../lib/data/split.ts";
import { CHANNELS, Detector, SIZE } from "../../lib/data/synth/detector.ts";
import { JetGenerator } from "../../lib/data/synth/jets.ts";
import type { Gpu } from "../../lib/gpu/device.ts";
import type { Dispatch } from "../../lib/gpu/dispatch.ts";
import { type Outcome, Pacer } from "../../lib/gpu/pacer.ts";
import type { Timing } from "../../lib/gpu/plan.ts";
import { Finetune } from "../../lib/train/finetune.ts";
import type { Method } from "../../lib/train/method.ts";
import { Pretraining } from "../../lib/train/pretraining.ts";
import { simclr } from "../../lib/train/simclr.ts";
import { createTuned, type TuningOptions } from "../../lib/train/tuning.ts";

/** Size of a benchmark's model. */
export type Size = "small" | "full";

/** A measured step. */
export interface StepResult {
  readonly method: "finetune" | "simclr";
  readonly tokens: Tokens;
  readonly size: Size;
  readonly batch: number;
  /** Images a second in the fastest of the timed turns, as far as nothing else took the machine; for SimCLR pairs of views. */
  readonly images_per_s: number;
  /** Processor time of the process a step, the least of the timed turns: what it takes of a software adapter, whatever else runs. */
  readonly processor_ms: number;
  /** Milliseconds from the first line to the end of the first step, compilation included. */
  readonly first_step_ms: number;
  /** Bytes of the plan's own tensors. */
  readonly plan_bytes: number;
  /** Most bytes of its buffers at once. */
  readonly peak_bytes: number;
  /** Variants that were chosen by measurement. */
  readonly choices: Readonly<Record<string, string>>;
  /** Share of the adapter's time and rate of each kernel, the largest first; empty without timestamps. */
  readonly kernels: readonly KernelShare[];
}

/** What one kernel takes of a step. */
export interface KernelShare {
  readonly kernel: string;
  readonly calls: number;
  readonly milliseconds: number;
  readonly share: number;
  /** 0 for kernels that are bound by memory. */
  readonly gflops: number;
  /** Bytes of all bound tensors, once each. */
  readonly gbytes: number;
}

/** Which tokens are computed: all, or those with something in them, under either way to treat the others. */
export type Tokens = "all" | "active submanifold" | "active wide";

const WARM_UP = 3;

/** What trains in a step, and which tokens it computes. */
export type StepKind = readonly [method: "finetune" | "simclr", tokens: Tokens];

/**
 * Measures some kinds of step at one size, each in turn: what else the machine does then falls on all of them. A turn is what a training
 * does between two waits for the adapter.
 */
export async function benchSteps(
  gpu: Gpu,
  kinds: readonly StepKind[],
  size: Size,
  batch: number,
  turns: number,
  tuning: TuningOptions,
): Promise<StepResult[]> {
  using stack = new DisposableStack();
  const trainings: Training[] = [];
  for (const kind of kinds) trainings.push(stack.use(await Training.start(gpu, kind, size, batch, tuning)));
  for (let i = 0; i < turns; i++) for (const training of trainings) await training.timedTurn();
  const results: StepResult[] = [];
  for (const training of trainings) results.push(await training.result());
  return results;
}

/** A training that is ready for steps that are timed. */
class Training implements Disposable {
  readonly #times: number[] = [];
  readonly #processor: number[] = [];
  readonly #pacer: Pacer;
  readonly #images: Uint32Array;
  #steps = 0;
  #firstStep = 0;
  #peak = 0;

  private constructor(
    readonly gpu: Gpu,
    readonly trained: Method,
    readonly facts: Pick<StepResult, "method" | "tokens" | "size" | "batch" | "choices" | "plan_bytes">,
  ) {
    this.#pacer = new Pacer(gpu);
    this.#images = firstNumbers(facts.batch);
  }

  /** Makes one and takes its first steps. */
  static async start(gpu: Gpu, [method, tokens]: StepKind, size: Size, batch: number, tuning: TuningOptions): Promise<Training> {
    const create = await creator(gpu, method, configFor(size, batch, tokens));
    (await createTuned(gpu, create, tuning))[Symbol.dispose]();
    gpu.forgetPeak();
    const before = gpu.memory.bytes, started = performance.now();
    const trained = create(), facts = { method, tokens, size, batch, choices: gpu.choices.taken, plan_bytes: trained.plan.bytes };
    const training = new Training(gpu, trained, facts);
    await training.#turn();
    training.#firstStep = performance.now() - started;
    // the pacer needs a few steps to know how long they take
    while (training.#steps < WARM_UP) await training.#turn();
    training.#peak = gpu.memory.peak - before;
    return training;
  }

  async timedTurn(): Promise<void> {
    const begun = performance.now(), used = process.cpuUsage();
    const steps = await this.#turn();
    this.#times.push((performance.now() - begun) / steps);
    const { user, system } = process.cpuUsage(used);
    this.#processor.push((user + system) / 1000 / steps);
  }

  async result(): Promise<StepResult> {
    const timings = this.gpu.device.features.has("timestamp-query") ? await this.trained.plan.profile() : [];
    return {
      ...this.facts,
      images_per_s: 1000 * this.facts.batch / Math.min(...this.#times),
      processor_ms: Math.min(...this.#processor),
      first_step_ms: this.#firstStep,
      peak_bytes: this.#peak,
      kernels: summarise(timings),
    };
  }

  [Symbol.dispose](): void {
    this.trained[Symbol.dispose]();
  }

  /** Takes steps until the adapter is done with them, and says how many. */
  async #turn(): Promise<number> {
    const learningRates = this.trained.learningRates(1);
    let outcome: Outcome = "pending", steps = 0;
    for (; outcome === "pending"; steps++) {
      for await (const staged of this.trained.stage([this.#images])) {
        this.trained.prepare(staged, { seed: 1, step: this.#steps++, learningRates });
        outcome = await this.#pacer.run(this.trained.plan);
      }
    }
    return steps;
  }
}

/** Makes a method on generated jets, as often as it is asked for. */
async function creator(gpu: Gpu, method: "finetune" | "simclr", config: RunConfig): Promise<() => Method> {
  const count = Math.max(20, 2 * config.data.batch_size);
  const images = PackedImages.fromDense(jets(count), { channels: CHANNELS, size: SIZE });
  const patch = config.model.patch_size;
  const active = { patch, most: await mostActivePatches(images, patch, config.augment.roll) };
  const labels = Float64Array.from({ length: count }, (_, i) => i % 2);
  const mass = labels.map((label) => 100 + 80 * label);
  const all = firstNumbers(count);
  return () =>
    method === "finetune"
      ? new Finetune(gpu, config, {
        images,
        active,
        labels,
        targets: [{ ...MASS, values: mass }],
        split: { ...stratifiedSplit(labels, 1), train: all },
      }, new Map())
      : new Pretraining(gpu, config, { images, active, split: { train: all, val: all.subarray(0, 2) } }, new Map(), simclr(config));
}

/** The configuration of a step, with dropout as users have it. */
export function configFor(size: Size, batch: number, which: Tokens): RunConfig {
  const config = defaultConfig();
  const model = size === "full" ? config.model : { ...config.model, embed_dim: 32, depth: 2, num_heads: 2 };
  const [tokens, lcm = "submanifold"] = which.split(" ") as ["all" | "active", ("submanifold" | "wide")?];
  return {
    ...config,
    model: { ...model, tokens, lcm },
    data: { ...config.data, batch_size: batch },
  };
}

/** Generated jets: as many non-zeros as in the published images, and where they are. */
export function jets(count: number): Float32Array {
  const perImage = SIZE * SIZE * CHANNELS, pixels = new Float32Array(count * perImage);
  const generator = new JetGenerator(), detector = new Detector();
  for (let i = 0; i < count; i++) {
    const { particles, random } = generator.generate(2, i);
    pixels.set(detector.draw(particles, random), i * perImage);
  }
  return pixels;
}

function summarise(timings: readonly Timing[]): KernelShare[] {
  const total = timings.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const groups = Map.groupBy(timings, ({ dispatch }) => kernelName(dispatch));
  return [...groups].map(([kernel, calls]) => {
    const milliseconds = calls.reduce((sum, call) => sum + call.milliseconds, 0);
    const flop = calls.reduce((sum, call) => sum + flopOf(call.dispatch), 0);
    const bytes = calls.reduce(
      (sum, { dispatch }) => sum + Object.values(dispatch.bindings).reduce((all, s) => all + s.bytes, 0),
      0,
    );
    return {
      kernel,
      calls: calls.length,
      milliseconds,
      share: milliseconds / total,
      gflops: flop / milliseconds / 1e6,
      gbytes: bytes / milliseconds / 1e6,
    };
  }).sort((a, b) => b.milliseconds - a.milliseconds);
}

/** A kernel's file, entry point and switches. */
export function kernelName({ kernel, entry, constants }: Dispatch): string {
  const on = Object.entries(constants).filter(([, value]) => value === true).map(([name]) => name);
  return [`${kernel.name}.${entry}`, ...on].join(" ").toLowerCase();
}

/** Multiplications and additions of kernels that do many for each value they load. */
export function flopOf({ kernel, entry, dims, constants }: Dispatch): number {
  const number = (name: string) => Number(constants[name]), name = `${kernel.name}.${entry}`;
  if (/^matmul(_tiled)?\.(vectorised|general|broadcast|tiled)/.test(name)) {
    const { m, n, k, batches } = dims as Readonly<Record<"m" | "n" | "k" | "batches", number>>;
    return 2 * batches * m * n * k;
  }
  if (/^depthwise_conv\.(forward|backward_weight)/.test(name)) {
    return 2 * number("KERNEL") ** 2 * number("GRID") ** 2 * number("CHANNELS") * Number(dims!["images"]);
  }
  return 0;
}
