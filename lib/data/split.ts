/**
 * @file The split of a labelled data set, index for index the one scikit-learn makes.
 *
 * Published checkpoints were trained on `train_test_split(..., stratify=labels, random_state=42)`, taken twice:
 * 20 % for testing, then an eighth of the rest for validation. A model must be judged on images it has never
 * seen, so the same random numbers are drawn in the same order here.
 */

import { RandomState } from "./mersenne_twister.ts";

/** Numbers of the images in each part, in scikit-learn's order. */
export interface Split {
  /** Images to train on. */
  readonly train: Uint32Array;
  /** Validation: decides when to stop. */
  readonly val: Uint32Array;
  /** Test: looked at once, at the end. */
  readonly test: Uint32Array;
}

/** Shares of the data set that are held out. */
export interface SplitShares {
  /** Validation: decides when to stop. */
  readonly val: number;
  /** Test: looked at once, at the end. */
  readonly test: number;
}

/** 70 % training, 10 % validation, 20 % testing. */
export const PUBLISHED_SHARES: SplitShares = { val: 0.1, test: 0.2 };

/**
 * Divides images so that every part has the same share of each class.
 *
 * @param labels class of each image
 * @param seed random_state of scikit-learn
 * @throws {RangeError} if a class has fewer than two images or a part would be empty
 */
export function stratifiedSplit(labels: ArrayLike<number>, seed: number, shares: SplitShares = PUBLISHED_SHARES): Split {
  const all = Uint32Array.from({ length: labels.length }, (_, i) => i);
  const [rest, test] = trainTestSplit(all, labels, shares.test, seed);
  const [train, val] = trainTestSplit(rest, Array.from(rest, (i) => labels[i]!), shares.val / (1 - shares.test), seed);
  return { train, val, test };
}

/**
 * `train_test_split(indices, test_size=share, stratify=labels, random_state=seed)`.
 *
 * @param indices what to divide
 * @param labels class of each of them
 */
export function trainTestSplit(
  indices: Uint32Array,
  labels: ArrayLike<number>,
  share: number,
  seed: number,
): [train: Uint32Array, test: Uint32Array] {
  const nTest = Math.ceil(share * indices.length);
  const nTrain = indices.length - nTest;
  const classes = [...new Set(Array.from(labels))].sort((a, b) => a - b);
  const members = classes.map((c) => indicesWhere(labels, c));
  const counts = members.map((list) => list.length);
  const small = counts.findIndex((count) => count < 2);
  if (small >= 0) throw new RangeError(`Cannot split: class ${classes[small]} has ${counts[small]} image, at least 2 are needed`);
  if (nTest < classes.length || nTrain < classes.length) {
    throw new RangeError(
      `Cannot split ${indices.length} images of ${classes.length} classes: a part would have fewer images than classes`,
    );
  }
  const random = new RandomState(seed);
  const trainCounts = approximateMode(counts, nTrain, random);
  const testCounts = approximateMode(counts.map((count, i) => count - trainCounts[i]!), nTest, random);
  const train: number[] = [], test: number[] = [];
  members.forEach((list, i) => {
    const order = Array.from(random.permutation(list.length), (at) => list[at]!);
    train.push(...order.slice(0, trainCounts[i]));
    test.push(...order.slice(trainCounts[i], trainCounts[i]! + testCounts[i]!));
  });
  // scikit-learn's `rng.permutation(train)`: the list itself is shuffled
  const shuffled = (list: number[]) => Uint32Array.from(random.shuffle(list), (at) => indices[at]!);
  const trainPart = shuffled(train);
  return [trainPart, shuffled(test)];
}

/** `sklearn.utils.extmath._approximate_mode`: how many of n draws fall on each class, ties broken at random. */
function approximateMode(counts: readonly number[], n: number, random: RandomState): number[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const exact = counts.map((count) => count / total * n);
  const floored = exact.map(Math.floor);
  let missing = Math.trunc(n - floored.reduce((sum, count) => sum + count, 0));
  const remainder = exact.map((value, i) => value - floored[i]!);
  const values = [...new Set(remainder)].sort((a, b) => b - a);
  for (const value of values) {
    if (missing <= 0) break;
    let tied = remainder.flatMap((r, i) => r === value ? [i] : []);
    const take = Math.min(tied.length, missing);
    // `rng.choice(tied, size=take, replace=False)` is the start of a permutation
    tied = Array.from(random.permutation(tied.length).slice(0, take), (at) => tied[at]!);
    for (const i of tied) floored[i] = floored[i]! + 1;
    missing -= take;
  }
  return floored;
}

function indicesWhere(labels: ArrayLike<number>, value: number): number[] {
  const found: number[] = [];
  for (let i = 0; i < labels.length; i++) if (labels[i] === value) found.push(i);
  return found;
}

/**
 * Divides unlabelled images at random into training and validation.
 *
 * @param count number of images
 * @param share of the validation images; at least two are taken, since a loss on pairs needs them
 */
export function randomSplit(count: number, seed: number, share = 0.05): { train: Uint32Array; val: Uint32Array } {
  const order = new RandomState(seed).permutation(count);
  const nVal = Math.min(count - 1, Math.max(2, Math.round(share * count)));
  return { val: order.slice(0, nVal).sort(), train: order.slice(nVal).sort() };
}
