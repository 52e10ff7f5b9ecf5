/** @file Training without a disk: a small model on jets in memory, with the same steps and files as deno task finetune. */

import { defaultConfig, type RunConfig } from "../config/keys.ts";
import { labelProblem } from "../data/labels.ts";
import { DataError } from "../data/errors.ts";
import { hashImages, labelsFingerprint } from "../data/provenance.ts";
import { MASS } from "../data/targets.ts";
import { type Split, stratifiedSplit } from "../data/split.ts";
import type { Gpu } from "../gpu/device.ts";
import { ResidentImages } from "../input/batches.ts";
import { encodeSafetensors, type Safetensors } from "../io/safetensors.ts";
import { checkClasses, checkTarget, checkTraining, stepsPerEpoch } from "../train/preconditions.ts";
import { Finetune } from "../train/finetune.ts";
import { train } from "../train/run.ts";
import type { RunFiles } from "../train/run_files.ts";
import type { Reporter } from "../train/trainer.ts";
import type { LabelledJets } from "./shown_jets.ts";

/** What may be chosen. */
export interface TrainingChoice {
  /** Passes over the training images. */
  readonly epochs: number;
  /** Of split, weights and order. */
  readonly seed: number;
  /** Width of a token. */
  readonly width: number;
  /** Blocks of the model. */
  readonly depth: number;
}

/** Who is told of the run. */
export interface TrainingOptions {
  /** Receives the metrics of an epoch, and progress within it. */
  readonly reporter: Reporter;
  /** Receives what metrics.jsonl would. */
  readonly onEpoch?: (metrics: Record<string, number>) => void;
  /** Stops the run; what is trained is kept. */
  readonly signal?: AbortSignal | undefined;
}

/** The configuration of a run in a page: the defaults of `deno task finetune` but for what suits a small model. */
export function pageConfig({ images: { size, channels }, labels }: LabelledJets, choice: TrainingChoice): RunConfig {
  const config = defaultConfig();
  const classes = labels.reduce((most, label) => Math.max(most, label), 1) + 1;
  Object.assign(config.data, { batch_size: 32, seed: choice.seed });
  Object.assign(config.model, {
    img_size: size,
    in_channels: channels,
    patch_size: Math.max(1, Math.round(size / 5)),
    embed_dim: choice.width,
    depth: choice.depth,
    num_heads: 2,
    lcm_kernel: 3,
    num_classes: classes,
    dropout: 0,
    drop_path_rate: 0,
  });
  config.augment.roll = "none";
  const schedule = { epochs: choice.epochs, patience: choice.epochs, warmup_epochs: 1, checkpoint_minutes: 1e6, tune: "off" };
  Object.assign(config.training, { ...schedule, backbone_lr: 0.001, head_lr: 0.001 });
  return config;
}

/**
 * Trains on jets in memory.
 *
 * @returns the best weights, as a file
 * @throws {DataError} if the jets cannot be learned from
 * @throws {Interrupted} if the signal was aborted before there were weights
 */
export async function trainOnJets(
  gpu: Gpu,
  jets: LabelledJets,
  choice: TrainingChoice,
  { reporter, onEpoch, signal }: TrainingOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const config = pageConfig(jets, choice), { name, images, labels, mass } = jets;
  checkTraining(config);
  const problem = labelProblem(labels, config.model.num_classes);
  if (problem !== undefined) throw new DataError(`${name}: ${problem}`);
  const split = stratifiedSplit(labels, choice.seed);
  stepsPerEpoch(config.data.batch_size, split.train.length);
  checkClasses(labels, split.train, config, name);
  checkTarget({ ...MASS, values: mass }, name);
  const files = new MemoryRun(onEpoch);
  using resident = await ResidentImages.load(gpu, images, config.data.gpu_share, { signal });
  const data = { images, resident, labels, targets: [{ ...MASS, values: mass }], split };
  const run = {
    create: (start: ConstructorParameters<typeof Finetune>[3]) => new Finetune(gpu, config, data, start),
    origin: { start: new Map(), trainedOn: [] },
    data: await provenanceOf(jets, choice.seed, split),
  };
  try {
    await train(gpu, config, files, run, reporter, { ...(signal && { signal }) });
  } catch (error) {
    if (!signal?.aborted || !files.has(files.best)) throw error;
  }
  return files.read(files.best)!;
}

/** What the weights say about the jets that they were trained on. */
async function provenanceOf({ name, images, labels, mass }: LabelledJets, seed: number, { train, val, test }: Split) {
  return {
    path: name,
    keys: {},
    images: images.count,
    ...await hashImages(await images.checks(), { train, val }),
    labels: await labelsFingerprint(labels, [{ values: mass }]),
    split: "stratified" as const,
    seed,
    train: train.length,
    val: val.length,
    test: test.length,
  };
}

/** The files of a run, in memory. */
class MemoryRun implements RunFiles {
  readonly path = "this page";
  readonly best = "best.safetensors";
  readonly latest = "latest.safetensors";
  readonly resume = "resume.safetensors";
  readonly #files = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly #onEpoch: TrainingOptions["onEpoch"];

  constructor(onEpoch: TrainingOptions["onEpoch"]) {
    this.#onEpoch = onEpoch;
  }

  has(name: string): boolean {
    return this.#files.has(name);
  }

  read(name: string): Uint8Array<ArrayBuffer> | undefined {
    return this.#files.get(name);
  }

  save(name: string, contents: Safetensors): Promise<void> {
    this.#files.set(name, encodeSafetensors(contents));
    return Promise.resolve();
  }

  appendMetrics(values: Record<string, number>): void {
    this.#onEpoch?.(values);
  }

  /** The weights hold what is needed. */
  writeConfig(): void {}

  epoch(epoch: number): string {
    return `epoch-${epoch}.safetensors`;
  }

  removeEpochsBut(kept: readonly number[]): void {
    const names = kept.map((epoch) => this.epoch(epoch));
    for (const name of this.#files.keys()) if (/^epoch-/.test(name) && !names.includes(name)) this.#files.delete(name);
  }

  /** TensorBoard reads files. */
  appendEvents(): void {}

  /** A run in a page begins anew. */
  trimMetrics(): void {}
}
