/** @file Finetuning: cross entropy on the class and smooth L1 on the normalised mass. */

import type { RunConfig } from "../config/keys.ts";
import { DataError } from "../data/errors.ts";
import { balancedWeights } from "../data/event_weights.ts";
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
import { MASS_SCALE, type WeightsInfo } from "../weights/weights_info.ts";
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
  /** (images): what each counts, if they have weights. */
  readonly #rowWeight: PlacedTensor | undefined;
  /** (classes): what each counts beside that, if they are balanced. */
  readonly #classWeight: PlacedTensor | undefined;
  /** The same as numbers, 1 if they are not balanced. */
  readonly #classWeights: readonly number[];
  /** Mean weight of the training images. */
  readonly #meanWeight: number;
  /** Whether the images have classes and masses. */
  readonly #known: { readonly labels: boolean; readonly mass: boolean };
  readonly #predictor: ImageMap<"logits" | "mass">;
  /** Of the validation images, after an epoch. */
  #outputs: Record<"logits" | "mass", Float32Array> | undefined;

  /**
   * Makes the model and compiles its plans.
   *
   * @param start weights to begin with; others are drawn from the seed. Undefined: there are none, for those who want the
   * plans alone
   */
  constructor(gpu: Gpu, config: RunConfig, data: LabelledData, start: StateDict | undefined, exchange: Exchange = ALONE) {
    const columns = Object.keys(COLUMN).length;
    const { model: { depth, num_classes: classes }, training: { layer_decay: decay } } = config;
    const rates: MethodOptions["rates"] = {
      groupOf: ({ name }) => isHead(name) ? 1 : 0,
      factorOf: ({ name }) => power(decay, depth + 1 - layerOf(name, depth)),
    };
    super(gpu, config, data, { start, columns, rates, place: exchange });
    const { images } = this.division;
    this.#exchange = exchange;
    this.#data = data;
    const of = (values: ArrayLike<number>) => Array.from(this.images, (i) => values[i]!);
    this.#known = { labels: !Number.isNaN(data.labels[0]), mass: !Number.isNaN(data.mass[0]) };
    this.#scale = this.#known.mass
      ? massScaleOf(of(data.mass), config.training.log_target)
      : { massMean: 0, massStd: 1, massLog: config.training.log_target };
    this.#meanWeight = data.weights ? of(data.weights).reduce((sum, weight) => sum + weight, 0) / this.images.length : 1;
    const balanced = config.training.class_weights === "balanced" && this.#known.labels;
    this.#classWeights = balanced
      ? balancedWeights(of(data.labels), Array.from(this.images, (i) => this.#weightOf(i)), classes)
      : new Array<number>(classes).fill(1);
    this.#classWeight = balanced ? createTensor(gpu, "class weights", [classes]) : undefined;
    if (this.#classWeight) write(gpu, this.#classWeight, Float32Array.from(this.#classWeights));
    this.#rowWeight = data.weights && createTensor(gpu, "event weights", [images]);
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
    write(this.gpu, this.#goal, Float32Array.from(batch.images, (i) => this.#known.mass ? scaleMass(mass[i]!, this.#scale) : 0));
    if (this.#rowWeight) write(this.gpu, this.#rowWeight, Float32Array.from(batch.images, (i) => this.#weightOf(i)));
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
      ...(this.#known.labels && { acc: sums[COLUMN.correct]! / images }),
      ...(this.#known.mass && { mae: sums[COLUMN.distance]! / images * (this.#scale.massLog ? 1 : this.#scale.massStd) }),
    };
  }

  /** The same on the validation images, without augmentation. */
  async validate(options: WorkOptions = {}): Promise<Record<string, number> & { loss: number }> {
    const { split, labels, mass } = this.#data;
    this.#outputs = await this.#predict(split.val, options);
    const { logits, mass: predicted } = this.#outputs;
    const classes = this.model.config.num_classes;
    const truth = Array.from(split.val, (i) => labels[i]!);
    const goal = Array.from(split.val, (i) => scaleMass(mass[i]!, this.#scale));
    const chosen = truth.map((_, i) => argmax(logits.subarray(i * classes, (i + 1) * classes)));
    const weights = Array.from(split.val, (i) => this.#weightOf(i));
    const shares = weights.map((weight, i) => weight * (this.#classWeights[truth[i]!] ?? 1));
    const { labels: hasLabels, mass: hasMass } = this.#known;
    return {
      loss: this.#total(
        hasLabels ? crossEntropyLoss(logits, truth, shares) : 0,
        hasMass ? smoothL1Loss(predicted, goal, weights) : 0,
      ),
      ...(hasLabels && { acc: accuracy(chosen, truth, weights) }),
      ...(hasMass && { mae: this.#massError(predicted, goal, weights) }),
      ...this.#monitored(),
    };
  }

  /**
   * What was predicted of the validation images last.
   *
   * @internal
   */
  override get validated(): TestResults | undefined {
    if (!this.#outputs) return undefined;
    const { logits, mass: predicted } = this.#outputs, classes = this.model.config.num_classes;
    const { split: { val }, labels, mass, weights } = this.#data;
    const results = new TestResults(classes, val.length), scale = { path: "validation", ...this.#scale };
    val.forEach((image, i) => {
      const scores = logits.subarray(i * classes, (i + 1) * classes);
      results.add(imagePrediction(image, scores, predicted[i]!, scale), labels[image]!, mass[image]!, weights?.[image]);
    });
    return results;
  }

  /**
   * What is known about the weights, for their file.
   *
   * @internal
   */
  override info(history: History): Omit<WeightsInfo, "trainedOn"> {
    const { training } = this.config;
    const untrained = Object.values(HEADS).filter(({ lossWeight }) => training[lossWeight] === 0).map(({ predicts }) => predicts);
    return {
      model: this.model.config,
      ...this.#scale,
      ...pixelScale(this.config),
      history,
      assumed: this.#known.mass ? [] : MASS_SCALE,
      untrained,
    };
  }

  /** Frees the buffers. */
  override [Symbol.dispose](): void {
    this.#predictor[Symbol.dispose]();
    for (const tensor of [this.#label, this.#goal, this.#rowWeight, this.#classWeight]) tensor?.storage.place.buffer.destroy();
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
    const rows = this.#rowWeight;
    const classes = crossEntropy(tape, logits, this.#label, training.lambda_cls, training.label_smoothing, {
      rows,
      classes: this.#classWeight,
    });
    const { massMean: mean, massStd: std, massLog } = this.#scale;
    const masses = smoothL1(tape, mass, this.#goal, training.lambda_reg, massLog ? { mean, std } : undefined, rows);
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
  #monitored(): Record<string, number> {
    const name = this.config.training.monitor;
    const results = Object.hasOwn(MEASURES, name) && this.validated;
    if (!results) return {};
    const value = measure(results)[name] ?? null;
    if (value === null) {
      throw new DataError(`training.monitor ${name} is not defined on the ${results.labels.length} validation images`);
    }
    // an infinite rejection is as good as any
    return { [name]: Math.min(value, Number.MAX_VALUE) };
  }

  /** Mean distance of masses in GeV. */
  #massError(predicted: ArrayLike<number>, goal: readonly number[], weights: readonly number[]): number {
    const scale = this.#scale, inGeV = (outputs: ArrayLike<number>) => Array.from(outputs, (output) => massOf(output, scale));
    return scale.massLog
      ? meanAbsoluteError(inGeV(predicted), inGeV(goal), weights)
      : meanAbsoluteError(predicted, goal, weights) * scale.massStd;
  }

  /** What an image counts: its weight over the mean of the training images, so that learning rates mean what they do without. */
  #weightOf(image: number): number {
    return (this.#data.weights?.[image] ?? 1) / this.#meanWeight;
  }

  #total(crossEntropy: number, smoothL1: number): number {
    const { lambda_cls, lambda_reg } = this.config.training;
    return lambda_cls * crossEntropy + lambda_reg * smoothL1;
  }
}
