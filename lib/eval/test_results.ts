/** @file What a model says about test images, beside the truth. */

import { firstNumbers } from "../arrays.ts";
import type { ImagePrediction } from "./predict.ts";

/** A model's predictions of test images and their true classes and masses, column by column; rows are added as they come. */
export class TestResults {
  /** Number of classes. */
  readonly classes: number;
  /** True class of each image. */
  readonly labels: Uint32Array;
  /** Class with the largest score. */
  readonly predicted: Uint32Array;
  /** Probability of class 1. */
  readonly scores: Float64Array;
  /** True mass in GeV, NaN if it is not known. */
  readonly trueMass: Float64Array;
  /** Predicted mass in GeV. */
  readonly mass: Float64Array;
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
   */
  constructor(classes: number, images: number) {
    this.classes = classes;
    [this.labels, this.predicted] = [new Uint32Array(images), new Uint32Array(images)];
    [this.scores, this.trueMass, this.mass] = [new Float64Array(images), new Float64Array(images), new Float64Array(images)];
    [this.weights, this.pt] = [new Float64Array(images), new Float64Array(images)];
  }

  /** Whether the true classes are known; the labels are 0 if they are not. */
  get hasLabels(): boolean {
    return this.#hasLabels;
  }

  /** Whether any image counts otherwise than once. */
  get weighted(): boolean {
    return this.#weighted;
  }

  /** Whether the true masses are known. */
  get hasMass(): boolean {
    return !Number.isNaN(this.trueMass[0]);
  }

  /** Whether the transverse momenta are known. */
  get hasPt(): boolean {
    return !Number.isNaN(this.pt[0]);
  }

  /**
   * Adds the next prediction.
   *
   * @param label true class, NaN if it is not known
   * @param trueMass in GeV, NaN if it is not known
   * @param weight what the image counts
   * @param pt transverse momentum in GeV, NaN if it is not known
   */
  add(
    prediction: Pick<ImagePrediction, "class" | "probabilities" | "mass">,
    label: number,
    trueMass: number,
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
    this.trueMass[row] = trueMass;
    this.mass[row] = prediction.mass;
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
