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
  /** All images of the file. */
  readonly images: ImageSource;
  /** Who is trained on which. */
  readonly split: { readonly train: Uint32Array; readonly val: Uint32Array };
}

/** A plan on pairs of views, and the buffers of its batch. */
interface Views {
  readonly batch: number;
  readonly buffers: BatchBuffers;
  readonly plan: Plan;
}

const COLUMN = { loss: 0, correct: 1 };

/** Trains backbone and projection head on pairs of views. */
export class SimClr implements Method {
  /** The model that is trained. */
  readonly model: LinearViT;
  /** Its optimiser. */
  readonly optimiser: AdamW;
  readonly images: Uint32Array;
  readonly batchSize: number;
  readonly batchesPerStep = 2;
  readonly table: PlacedTensor;
  readonly report: PlacedTensor;
  readonly #gpu: Gpu;
  readonly #config: RunConfig;
  readonly #data: UnlabelledData;
  readonly #step: PlacedTensor;
  readonly #train: Views;
  readonly #val: Views;

  /**
   * Makes the model and compiles its plans.
   *
   * @param start weights to begin with; others are drawn from the seed
   */
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
    this.#step = createStep(gpu);
    this.table = createTensor(gpu, "results", [TABLE_ROWS, Object.keys(COLUMN).length]);
    this.report = createTensor(gpu, "optimiser report", [TABLE_ROWS, 2]);
    this.#train = this.#record(true, this.batchSize);
    this.#val = this.#record(false, Math.min(this.batchSize, data.split.val.length));
  }

  get plan(): Plan {
    return this.#train.plan;
  }

  run(images: Uint32Array, numbers: StepNumbers): void {
    this.#submit(this.#train, images, numbers);
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
    const { batch } = this.#val;
    const batches = Math.floor(val.length / batch);
    const sums = [0, 0];
    const pacer = new Pacer(this.#gpu);
    for (let i = 0, collected = 0; i < batches; i++) {
      const images = val.subarray(i * batch, (i + 1) * batch);
      this.#submit(this.#val, images, { seed: this.#config.data.seed, step: i, row: i % TABLE_ROWS });
      if (await pacer.submitted() || i === batches - 1) {
        const table = await read(this.#gpu, this.table);
        for (; collected <= i; collected++) {
          for (const column of [0, 1]) sums[column] = sums[column]! + table[2 * (collected % TABLE_ROWS) + column]!;
        }
        progress((i + 1) * batch, batches * batch);
      }
    }
    return { loss: sums[COLUMN.loss]! / batches, acc: sums[COLUMN.correct]! / batches };
  }

  info(history: History): WeightsInfo {
    return { model: this.model.config, massMean: 0, massStd: 1, normScale: this.#config.data.norm_scale, history };
  }

  [Symbol.dispose](): void {
    const views = [this.#train, this.#val].flatMap(({ plan, buffers }) => [plan, buffers]);
    for (const part of [...views, this.optimiser, this.model.parameters]) part[Symbol.dispose]();
    for (const { storage } of [this.#step, this.table, this.report]) storage.place.buffer.destroy();
  }

  #submit({ plan, buffers }: Views, images: Uint32Array, numbers: StepNumbers): void {
    buffers.upload(this.#data.images.batch(images));
    writeStep(this.#gpu, this.#step, numbers);
    plan.run();
  }

  #record(training: boolean, batch: number): Views {
    const { model } = this;
    const { data, training: { temperature } } = this.#config;
    const buffers = new BatchBuffers(this.#gpu, this.#data.images, batch);
    const tape = new Tape(this.#gpu, { training, step: this.#step });
    const { channels, size } = this.#data.images;
    const patch = model.config.patch_size;
    const layout = { channels, size, patch };
    const patches = imagePatches(tape, buffers.tensors, layout, data.norm_scale, 2, contrastiveAugmentation(this.#config));
    const z = project(tape, model, model.features(tape, patches));
    const { loss, correct } = ntXent(tape, z, temperature);
    recordTotal(tape, loss, this.table, COLUMN.loss, 1 / (2 * batch));
    recordTotal(tape, correct, this.table, COLUMN.correct, 1 / (2 * batch));
    if (training) {
      tape.backward(loss);
      this.optimiser.update(tape, this.report);
    }
    return { batch, buffers, plan: tape.compile() };
  }
}
