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
  /** True mass in GeV. */
  readonly trueMass: Float64Array;
  /** Predicted mass in GeV. */
  readonly mass: Float64Array;
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
  }

  /** Adds the next prediction, with the image's class and its mass in GeV. */
  add(prediction: Pick<ImagePrediction, "class" | "probabilities" | "mass">, label: number, trueMass: number): void {
    const row = this.#added++;
    this.labels[row] = label;
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
