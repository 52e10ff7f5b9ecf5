/** @file What a model says about test images, beside the truth. */

import { firstNumbers } from "../arrays.ts";
import { MASS, type Target } from "../data/targets.ts";
import type { ImagePrediction } from "./predict.ts";

/** A target's true and predicted values, one for each image. */
export class TargetColumn implements Target {
  readonly name: string;
  readonly unit: string;
  /** What is true, NaN if it is not known. */
  readonly truth: Float64Array;
  /** What is predicted. */
  readonly predicted: Float64Array;

  /** Starts with zeros for so many images. */
  constructor({ name, unit }: Target, images: number) {
    [this.name, this.unit] = [name, unit];
    [this.truth, this.predicted] = [new Float64Array(images), new Float64Array(images)];
  }

  /** Whether the true values are known. */
  get isKnown(): boolean {
    return !Number.isNaN(this.truth[0]);
  }
}

/** A model's predictions of test images and their true classes and targets, column by column; rows are added as they come. */
export class TestResults {
  /** Number of classes. */
  readonly classes: number;
  /** True class of each image. */
  readonly labels: Uint32Array;
  /** Class with the largest score. */
  readonly predicted: Uint32Array;
  /** Probability of class 1. */
  readonly scores: Float64Array;
  /** What is predicted beside the class: the mass, or what the model was trained on. */
  readonly targets: readonly TargetColumn[];
  /** What each image counts. */
  readonly weights: Float64Array;
  /** Transverse momentum in GeV, NaN if it is not known. */
  readonly pt: Float64Array;
  #hasLabels = true;
  #weighted = false;
  #added = 0;
  #order: Uint32Array | undefined;

  /**
   * Starts with no image.
   *
   * @param classes that the model tells apart
   * @param images how many will be added
   * @param targets what is predicted beside the class; the mass in GeV by default
   */
  constructor(classes: number, images: number, targets: readonly Target[] = [MASS]) {
    this.classes = classes;
    this.targets = targets.map((target) => new TargetColumn(target, images));
    [this.labels, this.predicted] = [new Uint32Array(images), new Uint32Array(images)];
    [this.scores, this.weights, this.pt] = [new Float64Array(images), new Float64Array(images), new Float64Array(images)];
  }

  /** Whether the true classes are known; the labels are 0 if they are not. */
  get hasLabels(): boolean {
    return this.#hasLabels;
  }

  /** Whether any image counts otherwise than once. */
  get weighted(): boolean {
    return this.#weighted;
  }

  /** Whether the transverse momenta are known. */
  get hasPt(): boolean {
    return !Number.isNaN(this.pt[0]);
  }

  /**
   * Adds the next prediction.
   *
   * @param label true class, NaN if it is not known
   * @param truth of each target, NaN if it is not known
   * @param weight what the image counts
   * @param pt transverse momentum in GeV, NaN if it is not known
   */
  add(
    prediction: Pick<ImagePrediction, "class" | "probabilities" | "targets">,
    label: number,
    truth: ArrayLike<number>,
    weight = 1,
    pt = NaN,
  ): void {
    const row = this.#added++;
    this.labels[row] = label;
    this.weights[row] = weight;
    this.pt[row] = pt;
    if (Number.isNaN(label)) this.#hasLabels = false;
    if (weight !== 1) this.#weighted = true;
    this.predicted[row] = prediction.class;
    this.scores[row] = prediction.probabilities[1]!;
    for (const [t, column] of this.targets.entries()) {
      column.truth[row] = truth[t]!;
      column.predicted[row] = prediction.targets[t]!;
    }
  }

  /** Rows by falling score, for when all are added. */
  get order(): Uint32Array {
    const { scores } = this;
    return this.#order ??= firstNumbers(scores.length).sort((a, b) => scores[b]! - scores[a]!);
  }

  /**
   * Rows with equal scores pass a threshold together. A loop over them ends on NaN too.
   *
   * @param first place in the order
   * @returns the place after the last row whose score is the same
   */
  endOfTie(first: number): number {
    const { scores, order } = this, score = scores[order[first]!];
    let end = first + 1;
    while (end < order.length && scores[order[end]!] === score) end++;
    return end;
  }
}
