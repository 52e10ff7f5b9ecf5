/** @file Finetuning: cross entropy on the class and smooth L1 on the normalised mass, or on the mean over several targets. */

import type { RunConfig } from "../config/keys.ts";
import { DataError } from "../data/errors.ts";
import type { Target } from "../data/targets.ts";
import { balancedWeights } from "../data/event_weights.ts";
import { power } from "../elementary.ts";
import { headOutputs, ImageMap } from "../eval/image_map.ts";
import { measure, measuresOf } from "../eval/measures.ts";
import { imagePrediction } from "../eval/predict.ts";
import { TestResults } from "../eval/test_results.ts";
import { accuracy, crossEntropyLoss } from "../eval/validation.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Plan } from "../gpu/plan.ts";
import type { WorkOptions } from "../interrupted.ts";
import { BatchBuffers, type StagedBatch } from "../input/batches.ts";
import type { LabelledData } from "../input/input_images.ts";
import { HEADS, isHead } from "../nn/heads.ts";
import { layerOf } from "../nn/linear_vit.ts";
import { errorName, type History } from "../weights/history.ts";
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
import { LearnedTargets } from "./learned_targets.ts";
import { Method, type MethodOptions } from "./method.ts";

/** What is known of the validation images after an epoch, or can be. */
export function finetuneMeasures(targets: readonly Target[]): string[] {
  return ["loss", "acc", ...targets.map((target) => errorName(targets, target)), ...Object.keys(measuresOf(targets))];
}

/** Columns of the table of results: the last is that of the first target, those of others follow. */
const COLUMN = { crossEntropy: 0, smoothL1: 1, correct: 2, distance: 3 };

type Outputs = Record<"logits" | "targets", Float32Array>;

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
  readonly #targets: LearnedTargets;
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
  /** Whether the images have classes. */
  readonly #hasLabels: boolean;
  readonly #predictor: ImageMap<"logits" | "targets">;
  /** Of the validation images, after an epoch. */
  #outputs: Outputs | undefined;

  /**
   * Makes the model and compiles its plans.
   *
   * @param start weights to begin with; others are drawn from the seed. Undefined: there are none, for those who want the
   * plans alone
   */
  constructor(gpu: Gpu, config: RunConfig, data: LabelledData, start: StateDict | undefined, exchange: Exchange = ALONE) {
    const columns = COLUMN.distance + data.targets.length;
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
    this.#hasLabels = !Number.isNaN(data.labels[0]);
    this.#targets = new LearnedTargets(data.targets, this.images, config.training.log_target);
    this.#meanWeight = data.weights ? of(data.weights).reduce((sum, weight) => sum + weight, 0) / this.images.length : 1;
    const balanced = config.training.class_weights === "balanced" && this.#hasLabels;
    this.#classWeights = balanced
      ? balancedWeights(of(data.labels), Array.from(this.images, (i) => this.#weightOf(i)), classes)
      : new Array<number>(classes).fill(1);
    this.#classWeight = balanced ? createTensor(gpu, "class weights", [classes]) : undefined;
    if (this.#classWeight) write(gpu, this.#classWeight, Float32Array.from(this.#classWeights));
    this.#rowWeight = data.weights && createTensor(gpu, "event weights", [images]);
    this.buffers = new BatchBuffers(gpu, data.images, images, data.resident);
    this.#label = createTensor(gpu, "label", [images], "u32");
    this.#goal = createTensor(gpu, "goal", [images, this.#targets.count]);
    this.plan = this.#record();
    this.#predictor = new ImageMap(gpu, this.model, data, config.data.batch_size, pixelScale(config), headOutputs);
  }

  /**
   * Uploads a batch with its labels and targets, and what the step needs to know.
   *
   * @internal
   */
  override prepare(batch: StagedBatch, numbers: StepNumbers): void {
    const { labels } = this.#data;
    write(this.gpu, this.#label, Uint32Array.from(batch.images, (i) => labels[i]!));
    write(this.gpu, this.#goal, this.#targets.goals(batch.images));
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

  /** Means over the steps of an epoch; errors in the units of the targets. */
  summarise(sums: readonly number[], steps: number): Record<string, number> {
    const images = steps * this.division.images;
    return {
      loss: this.#total(sums[COLUMN.crossEntropy]! / steps, sums[COLUMN.smoothL1]! / steps),
      ...(this.#hasLabels && { acc: sums[COLUMN.correct]! / images }),
      ...this.#targets.errors(({ log, std }, t) => sums[COLUMN.distance + t]! / images * (log ? 1 : std)),
    };
  }

  /** The same on the validation images, without augmentation. */
  async validate(options: WorkOptions = {}): Promise<Record<string, number> & { loss: number }> {
    const { split: { val }, labels } = this.#data;
    this.#outputs = await this.#predict(val, options);
    const { logits, targets } = this.#outputs;
    const classes = this.model.config.num_classes;
    const truth = Array.from(val, (i) => labels[i]!);
    const chosen = truth.map((_, i) => argmax(logits.subarray(i * classes, (i + 1) * classes)));
    const weights = Array.from(val, (i) => this.#weightOf(i));
    const shares = weights.map((weight, i) => weight * (this.#classWeights[truth[i]!] ?? 1));
    const regression = this.#targets.judge(targets, val, weights);
    return {
      loss: this.#total(this.#hasLabels ? crossEntropyLoss(logits, truth, shares) : 0, regression.loss),
      ...(this.#hasLabels && { acc: accuracy(chosen, truth, weights) }),
      ...regression.errors,
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
    const { logits, targets } = this.#outputs, classes = this.model.config.num_classes;
    const { split: { val }, labels, weights } = this.#data, { scales, count } = this.#targets;
    const results = new TestResults(classes, val.length, scales), known = { path: "validation", targets: scales };
    val.forEach((image, i) => {
      const scores = logits.subarray(i * classes, (i + 1) * classes), outputs = targets.subarray(i * count, (i + 1) * count);
      const prediction = imagePrediction(image, scores, outputs, known);
      results.add(prediction, labels[image]!, this.#targets.truth(image), weights?.[image]);
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
      targets: this.#targets.scales,
      ...pixelScale(this.config),
      history,
      assumed: this.#targets.areKnown ? [] : MASS_SCALE,
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
    const { logits, targets } = model.heads(tape, model.features(tape, images));
    const rows = this.#rowWeight;
    const classes = crossEntropy(tape, logits, this.#label, training.lambda_cls, training.label_smoothing, {
      rows,
      classes: this.#classWeight,
    });
    const logarithms = this.#targets.scales.map(({ mean, std, log }) => log ? { mean, std } : undefined);
    const regression = smoothL1(tape, targets, this.#goal, training.lambda_reg, logarithms, rows);
    recordTotal(tape, classes.loss, this.results, COLUMN.crossEntropy, scale);
    recordTotal(tape, regression.loss, this.results, COLUMN.smoothL1, scale / this.#targets.count);
    recordTotal(tape, classes.correct, this.results, COLUMN.correct);
    regression.distances.forEach((distance, t) => recordTotal(tape, distance, this.results, COLUMN.distance + t));
    tape.backward(classes.loss, regression.loss);
    this.recordUpdate(tape);
    return tape.compile();
  }

  /** Predicts images, of which each rank takes a share. */
  async #predict(images: Uint32Array, options: WorkOptions): Promise<Outputs> {
    const { rank, ranks } = this.#exchange;
    const share = Math.ceil(images.length / ranks);
    const { logits, targets } = await this.#predictor.run(images.subarray(rank * share, (rank + 1) * share), options);
    if (ranks === 1) return { logits, targets };
    const all = async (mine: Float32Array, width: number) => {
      const padded = new Float32Array(share * width);
      padded.set(mine);
      return (await this.#exchange.gather(padded)).subarray(0, images.length * width);
    };
    return { logits: await all(logits, this.model.config.num_classes), targets: await all(targets, this.#targets.count) };
  }

  /** The measure that decides, if it is none of those that are always known. */
  #monitored(): Record<string, number> {
    const name = this.config.training.monitor;
    const results = Object.hasOwn(measuresOf(this.#targets.scales), name) && this.validated;
    if (!results) return {};
    const value = measure(results)[name] ?? null;
    if (value === null) {
      throw new DataError(`training.monitor ${name} is not defined on the ${results.labels.length} validation images`);
    }
    // an infinite rejection is as good as any
    return { [name]: Math.min(value, Number.MAX_VALUE) };
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
