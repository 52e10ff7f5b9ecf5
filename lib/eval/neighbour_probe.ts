/**
 * @file Probe of a frozen backbone by nearest neighbours: class and targets (such as the mass) of a test image are those of the training images whose features
 * have the largest cosine with its own, standardised over the training images (Wu et al., arXiv:1805.01978).
 */

import { pauses, type WorkOptions } from "../interrupted.ts";
import { argmax } from "../arrays.ts";
import type { ProbeData } from "./linear_probe.ts";
import { dot, Matrix, standardiser } from "./regression.ts";
import { TestResults } from "./test_results.ts";

/** Test images between two pauses. */
const IMAGES = 16;

/**
 * Predicts by the nearest neighbours: the share of each class among them, and the mean of their targets.
 *
 * @param neighbours how many; no more than there are training images
 * @throws {Interrupted} if the signal was aborted
 */
export async function neighbourProbe(data: ProbeData, neighbours: number, options: WorkOptions = {}): Promise<TestResults> {
  const { labels, classes, targets, split: { train, test } } = data;
  const unit = unitVectors(data);
  const k = Math.min(neighbours, train.length);
  const results = new TestResults(classes, test.length, targets);
  const pause = pauses(options);
  for (const [n, image] of test.entries()) {
    const nearest = new Nearest(k);
    train.forEach((other, i) => nearest.offer(i, similarity(unit, image, other)));
    const probabilities = new Array<number>(classes).fill(0);
    const sums = new Array<number>(targets.length).fill(0);
    for (const i of nearest.found) {
      probabilities[labels[train[i]!]!]! += 1 / k;
      targets.forEach(({ values }, t) => sums[t]! += values[train[i]!]!);
    }
    results.add(
      { class: argmax(probabilities), probabilities, targets: sums.map((sum) => sum / k) },
      labels[image]!,
      targets.map(({ values }) => values[image]!),
      data.weights?.[image],
    );
    if (n % IMAGES === 0) await pause(n, test.length);
  }
  return results;
}

/** Features standardised over the training images, scaled to length 1. */
function unitVectors({ features, split }: Pick<ProbeData, "features" | "split">): Matrix {
  const standardise = standardiser(features, split.train);
  const row = new Float64Array(features.width);
  const unit = new Float32Array(features.values.length);
  for (let i = 0; i < features.rows; i++) {
    standardise(i, row);
    const length = Math.sqrt(dot(row, row)) || 1;
    for (let f = 0; f < row.length; f++) unit[i * row.length + f] = row[f]! / length;
  }
  return new Matrix(features.width, unit);
}

/** Scalar product of two rows, in a loop of its own for speed. */
function similarity({ values, width }: Matrix, a: number, b: number): number {
  let sum = 0;
  for (let i = a * width, j = b * width, end = i + width; i < end; i++, j++) sum += values[i]! * values[j]!;
  return sum;
}

/** The largest of many similarities, in a heap whose first is the smallest of them; of equal ones, the first that were offered. */
class Nearest {
  readonly #places: Uint32Array;
  readonly #similarities: Float64Array;
  #count = 0;

  /** Starts with none of at most so many. */
  constructor(most: number) {
    this.#places = new Uint32Array(most);
    this.#similarities = new Float64Array(most);
  }

  /** Places that were offered with the largest similarities. */
  get found(): Uint32Array {
    return this.#places.subarray(0, this.#count);
  }

  /** Takes a similarity, if it is among the largest. */
  offer(place: number, similarity: number): void {
    if (this.#count < this.#places.length) this.#rise(this.#count++, place, similarity);
    else if (similarity > this.#similarities[0]!) this.#sink(place, similarity);
  }

  #rise(at: number, place: number, similarity: number): void {
    for (let parent = (at - 1) >> 1; at > 0 && this.#isBehind(place, similarity, parent); parent = (at - 1) >> 1) {
      this.#put(at, this.#places[parent]!, this.#similarities[parent]!);
      at = parent;
    }
    this.#put(at, place, similarity);
  }

  #sink(place: number, similarity: number): void {
    let at = 0;
    for (let child = 1; child < this.#count; child = 2 * at + 1) {
      const right = child + 1;
      if (right < this.#count && this.#isBehind(this.#places[right]!, this.#similarities[right]!, child)) child = right;
      if (this.#isBehind(place, similarity, child)) break;
      this.#put(at, this.#places[child]!, this.#similarities[child]!);
      at = child;
    }
    this.#put(at, place, similarity);
  }

  /** True if it has to leave before what is at a position. */
  #isBehind(place: number, similarity: number, at: number): boolean {
    const other = this.#similarities[at]!;
    return similarity < other || (similarity === other && place > this.#places[at]!);
  }

  #put(at: number, place: number, similarity: number): void {
    this.#places[at] = place;
    this.#similarities[at] = similarity;
  }
}
