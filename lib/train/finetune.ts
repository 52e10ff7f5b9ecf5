/** @file Finetuning: cross entropy on the class and smooth L1 on the normalised mass. */

import type { RunConfig } from "../config/keys.ts";
import { DataError } from "../data/errors.ts";
import { power } from "../elementary.ts";
import { headOutputs, ImageMap } from "../eval/image_map.ts";
import { measure, MEASURES } from "../eval/measures.ts";
import { imagePrediction } from "../eval/predict.ts";
import { TestResults } from "../eval/test_results.ts";
import { accuracy, crossEntropyLoss, meanAbsoluteError, smoothL1Loss } from "../eval/validation.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Plan } from "../gpu/plan.ts";
import type { WorkOptions } from "../interrupted.ts";
import { BatchBuffers, type StagedBatch } from "../input/batches.ts";
import type { LabelledData } from "../input/input_images.ts";
import { HEADS, isHead } from "../nn/heads.ts";
import { layerOf } from "../nn/linear_vit.ts";
import type { History } from "../weights/history.ts";
import { massOf, type MassScale, massScaleOf, scaleMass } from "../weights/mass_scale.ts";
import type { WeightsInfo } from "../weights/weights_info.ts";
import { ImageViews } from "../tensor/ops/images.ts";
import { crossEntropy, smoothL1 } from "../tensor/ops/losses.ts";
import { recordTotal } from "../tensor/ops/record.ts";
import type { StateDict } from "../tensor/parameters.ts";
import type { StepNumbers } from "../tensor/step.ts";
import { createTensor, type PlacedTensor, write } from "../tensor/tensor.ts";
import { finetuneAugmentation, pixelScale } from "./augmentation.ts";
import { argmax } from "../arrays.ts";
import { ALONE, type Exchange } from "./exchange.ts";
import { Method, type MethodOptions } from "./method.ts";

/** What is known of the validation images after an epoch, or can be. */
export const FINETUNE_MEASURES: readonly string[] = ["loss", "acc", "mae", ...Object.keys(MEASURES)];

/** Columns of the table of results. */
const COLUMN = { crossEntropy: 0, smoothL1: 1, correct: 2, distance: 3 };

/** Trains backbone and heads on labelled images. */
export class Finetune extends Method {
  /**
   * A step: forward, backward and update.
   *
   * @internal
   */
  readonly plan: Plan;
  /**
   * Batches that each batch normalisation sees in a step.
   *
   * @internal
   */
  readonly batchesPerStep = 1;
  /**
   * Where the batches of training go.
   *
   * @internal
   */
  protected readonly buffers: BatchBuffers;
  readonly #data: LabelledData;
  readonly #exchange: Exchange;
  readonly #scale: MassScale;
  readonly #label: PlacedTensor;
  readonly #goal: PlacedTensor;
  readonly #predictor: ImageMap<"logits" | "mass">;

  /**
   * Makes the model and compiles its plans.
   *
   * @param start weights to begin with; others are drawn from the seed
   */
  constructor(gpu: Gpu, config: RunConfig, data: LabelledData, start: StateDict, exchange: Exchange = ALONE) {
    const columns = Object.keys(COLUMN).length;
    const { model: { depth }, training: { layer_decay: decay } } = config;
    const rates: MethodOptions["rates"] = {
      groupOf: ({ name }) => isHead(name) ? 1 : 0,
      factorOf: ({ name }) => power(decay, depth + 1 - layerOf(name, depth)),
    };
    super(gpu, config, data, { start, columns, rates, place: exchange });
    const { images } = this.division;
    this.#exchange = exchange;
    this.#data = data;
    this.#scale = massScaleOf(Array.from(this.images, (i) => data.mass[i]!), config.training.log_target);
    this.buffers = new BatchBuffers(gpu, data.images, images, data.resident);
    this.#label = createTensor(gpu, "label", [images], "u32");
    this.#goal = createTensor(gpu, "mass goal", [images]);
    this.plan = this.#record();
    this.#predictor = new ImageMap(gpu, this.model, data, config.data.batch_size, pixelScale(config), headOutputs);
  }

  /**
   * Uploads a batch with its labels and masses, and what the step needs to know.
   *
   * @internal
   */
  override prepare(batch: StagedBatch, numbers: StepNumbers): void {
    const { labels, mass } = this.#data;
    write(this.gpu, this.#label, Uint32Array.from(batch.images, (i) => labels[i]!));
    write(this.gpu, this.#goal, Float32Array.from(batch.images, (i) => scaleMass(mass[i]!, this.#scale)));
    super.prepare(batch, numbers);
  }

  /** Learning rates of backbone and heads. */
  override learningRates(factor: number): number[] {
    const { backbone_lr, head_lr } = this.config.training;
    return [factor * backbone_lr, factor * head_lr];
  }

  /**
   * The backbone waits as long as it is frozen.
   *
   * @internal
   */
  override begins(stepsPerEpoch: number): number[] {
    return [stepsPerEpoch * this.config.training.freeze_epochs];
  }

  /** Means over the steps of an epoch; the mass error in GeV. */
  summarise(sums: readonly number[], steps: number): Record<string, number> {
    const images = steps * this.division.images;
    return {
      loss: this.#total(sums[COLUMN.crossEntropy]! / steps, sums[COLUMN.smoothL1]! / steps),
      acc: sums[COLUMN.correct]! / images,
      mae: sums[COLUMN.distance]! / images * (this.#scale.massLog ? 1 : this.#scale.massStd),
    };
  }

  /** The same on the validation images, without augmentation. */
  async validate(options: WorkOptions = {}): Promise<{ loss: number; acc: number; mae: number }> {
    const { split, labels, mass } = this.#data;
    const { logits, mass: predicted } = await this.#predict(split.val, options);
    const classes = this.model.config.num_classes;
    const truth = Array.from(split.val, (i) => labels[i]!);
    const goal = Array.from(split.val, (i) => scaleMass(mass[i]!, this.#scale));
    const chosen = truth.map((_, i) => argmax(logits.subarray(i * classes, (i + 1) * classes)));
    return {
      loss: this.#total(crossEntropyLoss(logits, truth), smoothL1Loss(predicted, goal)),
      acc: accuracy(chosen, truth),
      mae: this.#massError(predicted, goal),
      ...this.#monitored(logits, predicted),
    };
  }

  /**
   * What is known about the weights, for their file.
   *
   * @internal
   */
  override info(history: History): Omit<WeightsInfo, "trainedOn"> {
    const { training } = this.config;
    const untrained = Object.values(HEADS).filter(({ lossWeight }) => training[lossWeight] === 0).map(({ predicts }) => predicts);
    return { model: this.model.config, ...this.#scale, ...pixelScale(this.config), history, assumed: [], untrained };
  }

  /** Frees the buffers. */
  override [Symbol.dispose](): void {
    this.#predictor[Symbol.dispose]();
    for (const { storage } of [this.#label, this.#goal]) storage.place.buffer.destroy();
    super[Symbol.dispose]();
  }

  #record(): Plan {
    const { model } = this;
    const { training, data, augment } = this.config;
    const tape = this.createTape();
    const scale = 1 / this.division.images;
    const { images: { channels, size }, active } = this.#data;
    const patch = model.config.patch_size;
    const augmentation = finetuneAugmentation(augment, data.augment);
    const images = new ImageViews(
      tape,
      this.buffers.tensors,
      { channels, size, patch, active },
      pixelScale(this.config),
      1,
      augmentation,
    );
    const { logits, mass } = model.heads(tape, model.features(tape, images));
    const classes = crossEntropy(tape, logits, this.#label, training.lambda_cls, training.label_smoothing);
    const { massMean: mean, massStd: std, massLog } = this.#scale;
    const masses = smoothL1(tape, mass, this.#goal, training.lambda_reg, massLog ? { mean, std } : undefined);
    recordTotal(tape, classes.loss, this.results, COLUMN.crossEntropy, scale);
    recordTotal(tape, masses.loss, this.results, COLUMN.smoothL1, scale);
    recordTotal(tape, classes.correct, this.results, COLUMN.correct);
    recordTotal(tape, masses.distance, this.results, COLUMN.distance);
    tape.backward(classes.loss, masses.loss);
    this.recordUpdate(tape);
    return tape.compile();
  }

  /** Predicts images, of which each rank takes a share. */
  async #predict(images: Uint32Array, options: WorkOptions): Promise<Record<"logits" | "mass", Float32Array>> {
    const { rank, ranks } = this.#exchange;
    const share = Math.ceil(images.length / ranks);
    const { logits, mass } = await this.#predictor.run(images.subarray(rank * share, (rank + 1) * share), options);
    if (ranks === 1) return { logits, mass };
    const all = async (mine: Float32Array, width: number) => {
      const padded = new Float32Array(share * width);
      padded.set(mine);
      return (await this.#exchange.gather(padded)).subarray(0, images.length * width);
    };
    return { logits: await all(logits, this.model.config.num_classes), mass: await all(mass, 1) };
  }

  /** The measure that decides, if it is none of those that are always known. */
  #monitored(logits: Float32Array, predicted: Float32Array): Record<string, number> {
    const name = this.config.training.monitor;
    if (!Object.hasOwn(MEASURES, name)) return {};
    const { split: { val }, labels, mass } = this.#data, classes = this.model.config.num_classes;
    const results = new TestResults(classes, val.length), scale = { path: "validation", ...this.#scale };
    val.forEach((image, i) => {
      const scores = logits.subarray(i * classes, (i + 1) * classes);
      results.add(imagePrediction(image, scores, predicted[i]!, scale), labels[image]!, mass[image]!);
    });
    const value = measure(results)[name] ?? null;
    if (value === null) throw new DataError(`training.monitor ${name} is not defined on the ${val.length} validation images`);
    // an infinite rejection is as good as any
    return { [name]: Math.min(value, Number.MAX_VALUE) };
  }

  /** Mean distance of masses in GeV. */
  #massError(predicted: ArrayLike<number>, goal: readonly number[]): number {
    const scale = this.#scale, inGeV = (outputs: ArrayLike<number>) => Array.from(outputs, (output) => massOf(output, scale));
    return scale.massLog ? meanAbsoluteError(inGeV(predicted), inGeV(goal)) : meanAbsoluteError(predicted, goal) * scale.massStd;
  }

  #total(crossEntropy: number, smoothL1: number): number {
    const { lambda_cls, lambda_reg } = this.config.training;
    return lambda_cls * crossEntropy + lambda_reg * smoothL1;
  }
}
