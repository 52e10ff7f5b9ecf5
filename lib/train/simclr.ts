/** @file SimCLR pretraining: two augmented views of each image must find each other. */

import type { RunConfig } from "../config.ts";
import type { ImageSource, Progress } from "../data/packed.ts";
import type { Gpu } from "../gpu/device.ts";
import { Pacer } from "../gpu/pacer.ts";
import type { Plan } from "../gpu/plan.ts";
import { LinearViT } from "../nn/linear_vit.ts";
import { declareProjection, project } from "../nn/projection_head.ts";
import type { WeightsInfo } from "../nn/weights.ts";
import { AdamW } from "../tensor/ops/adamw.ts";
import { imagePatches } from "../tensor/ops/images.ts";
import { ntXent } from "../tensor/ops/losses.ts";
import { recordTotal } from "../tensor/ops/record.ts";
import type { StateDict } from "../tensor/parameters.ts";
import { createStep, type StepNumbers, writeStep } from "../tensor/step.ts";
import { Tape } from "../tensor/tape.ts";
import { createTensor, type PlacedTensor, read } from "../tensor/tensor.ts";
import { contrastiveAugmentation } from "./augmentation.ts";
import { BatchBuffers } from "./batches.ts";
import { type History, type Method, TABLE_ROWS } from "./method.ts";

/** Images without labels, and who is trained on which. */
export interface UnlabelledData {
  readonly images: ImageSource;
  readonly split: { readonly train: Uint32Array; readonly val: Uint32Array };
}

const COLUMN = { loss: 0, correct: 1 };

/** Trains backbone and projection head on pairs of views. */
export class SimClr implements Method {
  readonly model: LinearViT;
  readonly optimiser: AdamW;
  readonly images: Uint32Array;
  readonly batchSize: number;
  readonly batchesPerStep = 2;
  readonly table: PlacedTensor;
  readonly report: PlacedTensor;
  readonly #gpu: Gpu;
  readonly #config: RunConfig;
  readonly #data: UnlabelledData;
  readonly #buffers: BatchBuffers;
  readonly #step: PlacedTensor;
  readonly #trainPlan: Plan;
  readonly #valPlan: Plan;

  /** @param start weights to begin with; others are drawn from the seed */
  constructor(gpu: Gpu, config: RunConfig, data: UnlabelledData, start: StateDict) {
    this.#gpu = gpu;
    this.#config = config;
    this.#data = data;
    this.images = data.split.train;
    this.batchSize = config.data.batch_size;
    const { embed_dim, projection_dim } = config.model;
    this.model = new LinearViT(gpu, config.model, {
      seed: config.data.seed,
      batchGroups: 2,
      extra: (declarations) => declareProjection(declarations, embed_dim, projection_dim),
    });
    this.model.parameters.load(start);
    const { weight_decay: weightDecay, clip_norm: clipNorm } = config.training;
    this.optimiser = new AdamW(gpu, this.model.parameters, { weightDecay, clipNorm });
    this.#buffers = new BatchBuffers(gpu, data.images, this.batchSize);
    this.#step = createStep(gpu);
    this.table = createTensor(gpu, "results", [TABLE_ROWS, Object.keys(COLUMN).length]);
    this.report = createTensor(gpu, "optimiser report", [TABLE_ROWS, 2]);
    this.#trainPlan = this.#record(true);
    this.#valPlan = this.#record(false);
  }

  run(images: Uint32Array, numbers: StepNumbers): void {
    this.#submit(this.#trainPlan, images, numbers);
  }

  learningRates(factor: number): number[] {
    return [factor * this.#config.training.lr];
  }

  summarise(sums: readonly number[], steps: number): Record<string, number> {
    return { loss: sums[COLUMN.loss]! / steps, acc: sums[COLUMN.correct]! / steps };
  }

  /** NT-Xent on whole batches of the validation images, always under the same augmentations. */
  async validate(progress: Progress): Promise<{ loss: number; acc: number }> {
    const { val } = this.#data.split;
    const batches = Math.max(1, Math.floor(val.length / this.batchSize));
    const sums = [0, 0];
    const pacer = new Pacer(this.#gpu);
    for (let i = 0, collected = 0; i < batches; i++) {
      // fewer images than a batch are taken round and round
      const images = Uint32Array.from({ length: this.batchSize }, (_, j) => val[(i * this.batchSize + j) % val.length]!);
      this.#submit(this.#valPlan, images, { seed: this.#config.data.seed, step: i, row: i % TABLE_ROWS });
      if (await pacer.submitted() || i === batches - 1) {
        const table = await read(this.#gpu, this.table);
        for (; collected <= i; collected++) {
          for (const column of [0, 1]) sums[column] = sums[column]! + table[2 * (collected % TABLE_ROWS) + column]!;
        }
        progress((i + 1) * this.batchSize, batches * this.batchSize);
      }
    }
    return { loss: sums[COLUMN.loss]! / batches, acc: sums[COLUMN.correct]! / batches };
  }

  info(history: History): WeightsInfo {
    return { model: this.model.config, massMean: 0, massStd: 1, normScale: this.#config.data.norm_scale, history };
  }

  firstNonFinite(): Promise<string | undefined> {
    return this.#trainPlan.firstNonFinite();
  }

  [Symbol.dispose](): void {
    const parts = [this.#trainPlan, this.#valPlan, this.#buffers, this.optimiser, this.model.parameters];
    for (const part of parts) part[Symbol.dispose]();
    for (const { storage } of [this.#step, this.table, this.report]) storage.place.buffer.destroy();
  }

  #submit(plan: Plan, images: Uint32Array, numbers: StepNumbers): void {
    this.#buffers.upload(this.#data.images.batch(images));
    writeStep(this.#gpu, this.#step, numbers);
    plan.run();
  }

  #record(training: boolean): Plan {
    const { model } = this;
    const { data, augment, training: { temperature } } = this.#config;
    const tape = new Tape(this.#gpu, { training, step: this.#step });
    const { in_channels: channels, img_size: size, patch_size: patch } = model.config;
    const layout = { channels, size, patch };
    const patches = imagePatches(tape, this.#buffers.tensors, layout, data.norm_scale, 2, contrastiveAugmentation(augment));
    const z = project(tape, model, model.features(tape, patches));
    const { loss, correct } = ntXent(tape, z, temperature);
    recordTotal(tape, loss, this.table, COLUMN.loss, 1 / (2 * this.batchSize));
    recordTotal(tape, correct, this.table, COLUMN.correct, 1 / (2 * this.batchSize));
    if (training) {
      tape.backward(loss);
      this.optimiser.update(tape, this.report);
    }
    return tape.compile();
  }
}
