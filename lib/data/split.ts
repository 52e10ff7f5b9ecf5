/**
 * @file The split of a labelled data set, index for index the one scikit-learn makes.
 *
 * Published checkpoints were trained on `train_test_split(..., stratify=labels, random_state=42)`, taken twice:
 * 20 % for testing, then an eighth of the rest for validation. A model must be tested on images it has never
 * seen, so the same random numbers are drawn in the same order here. Lists of images are typed arrays throughout:
 * ten million images take seconds, and a few words of memory each.
 */

import { firstNumbers, pick } from "../arrays.ts";
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
 * @throws {RangeError} if a class has too few images, or if a part would have fewer images than there are classes
 */
export function stratifiedSplit(labels: ArrayLike<number>, seed: number, shares: SplitShares = PUBLISHED_SHARES): Split {
  const [rest, test] = trainTestSplit(firstNumbers(labels.length), labels, shares.test, seed);
  const [train, val] = trainTestSplit(rest, pick(labels, rest), shares.val / (1 - shares.test), seed, labels);
  return { train, val, test };
}

/** How a labelled data set is divided. */
export interface Division {
  /** random_state of scikit-learn. */
  readonly seed: number;
  /** Which of how many parts is for testing, counted from 0; 20 % of the images are if not given. */
  readonly fold?: readonly [fold: number, folds: number] | undefined;
  /** Where the images for testing are, if none of these are. */
  readonly testPath?: string | undefined;
}

/**
 * Divides images by a seed, or by the part of a cross-validation that is for testing. Of what is not for testing an eighth is for
 * validation.
 *
 * @throws {RangeError} if there are too few images
 */
export function divide(labels: ArrayLike<number>, { seed, fold, testPath }: Division): Split {
  const all = firstNumbers(labels.length);
  if (testPath !== undefined) return validated(all, new Uint32Array(), labels, seed);
  if (fold === undefined) return stratifiedSplit(labels, seed);
  const folds = stratifiedFolds(labels, fold[1], seed);
  const of = (part: boolean) => all.filter((image) => (folds[image] === fold[0]) === part);
  return validated(of(false), of(true), labels, seed);
}

function validated(rest: Uint32Array, test: Uint32Array, labels: ArrayLike<number>, seed: number): Split {
  const { val: valShare, test: testShare } = PUBLISHED_SHARES;
  const [train, val] = trainTestSplit(rest, pick(labels, rest), valShare / (1 - testShare), seed, labels);
  return { train, val, test };
}

/**
 * `StratifiedKFold(folds, shuffle=True, random_state=seed)`: the part in which each image is for testing.
 *
 * @throws {RangeError} if a class has fewer images than there are parts
 */
export function stratifiedFolds(labels: ArrayLike<number>, folds: number, seed: number): Uint32Array {
  const members = membersOf(labels), rare = members.find(({ places }) => places.length < folds);
  if (rare) {
    throw new RangeError(`Cannot make ${folds} parts: class ${rare.label} has ${rare.places.length} images. Use fewer parts`);
  }
  // scikit-learn deals all images out by class, class after class in the order in which they first occur
  members.sort((a, b) => a.places[0]! - b.places[0]!);
  const random = new RandomState(seed), parts = new Uint32Array(labels.length);
  let dealt = 0;
  for (const { places } of members) {
    const counts = Array.from({ length: folds }, (_, fold) => countOf(dealt, dealt + places.length, fold, folds));
    dealt += places.length;
    const ofClass = Uint32Array.from(counts.flatMap((count, fold) => new Array<number>(count).fill(fold)));
    random.shuffle(ofClass).forEach((fold, i) => parts[places[i]!] = fold);
  }
  return parts;
}

/** Numbers from first to end that leave a remainder. */
function countOf(first: number, end: number, remainder: number, divisor: number): number {
  const below = (n: number) => Math.ceil((n - remainder) / divisor);
  return below(end) - below(first);
}

/**
 * `train_test_split(indices, test_size=share, stratify=labels, random_state=seed)`.
 *
 * @param indices what to divide
 * @param labels class of each of them
 * @param whole classes of the whole data set, for what is said if a class has too few images
 * @throws {RangeError} if a class has fewer than two images, or if a part would have fewer images than there are classes
 */
export function trainTestSplit(
  indices: Uint32Array,
  labels: ArrayLike<number>,
  share: number,
  seed: number,
  whole: ArrayLike<number> = labels,
): [train: Uint32Array, test: Uint32Array] {
  const nTest = Math.ceil(share * indices.length);
  const nTrain = indices.length - nTest;
  const members = membersOf(labels);
  const counts = members.map(({ places }) => places.length);
  const rare = members.find(({ places }) => places.length < 2);
  if (rare) throw new RangeError(tooFew(rare.label, whole));
  if (Math.min(nTest, nTrain) < Math.max(1, members.length)) {
    throw new RangeError(
      `Cannot divide ${whole.length} images of ${members.length} classes: a part would have fewer images than there are classes. ` +
        "Add images",
    );
  }
  const random = new RandomState(seed);
  const trainCounts = approximateMode(counts, nTrain, random);
  const testCounts = approximateMode(counts.map((count, i) => count - trainCounts[i]!), nTest, random);
  const train = new Uint32Array(nTrain), test = new Uint32Array(nTest);
  let trained = 0, tested = 0;
  members.forEach(({ places }, i) => {
    const order = pick(places, random.permutation(places.length));
    const cut = trainCounts[i]!, end = cut + testCounts[i]!;
    train.set(order.subarray(0, cut), trained);
    test.set(order.subarray(cut, end), tested);
    trained += cut;
    tested += end - cut;
  });
  // scikit-learn's `rng.permutation(train)`: the list itself is shuffled
  const shuffled = (list: Uint32Array) => Uint32Array.from(pick(indices, random.shuffle(list)));
  const trainPart = shuffled(train);
  return [trainPart, shuffled(test)];
}

function tooFew(label: number, whole: ArrayLike<number>): string {
  let images = 0;
  for (let i = 0; i < whole.length; i++) if (whole[i] === label) images++;
  const count = images === 1 ? "1 image" : `${images} images, of which 1 is left for training and validation`;
  return `Cannot divide the images: class ${label} has ${count}; a class needs 2 to be divided. ` +
    `Add images of class ${label}, or remove it`;
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

/** For each class that occurs, rising: where it occurs, rising. */
function membersOf(labels: ArrayLike<number>): { readonly label: number; readonly places: Uint32Array }[] {
  const counts = new Map<number, { images: number }>();
  for (let i = 0; i < labels.length; i++) {
    const known = counts.get(labels[i]!);
    if (known) known.images++;
    else counts.set(labels[i]!, { images: 1 });
  }
  const open = new Map([...counts].map(([label, { images }]) => [label, { places: new Uint32Array(images), at: 0 }]));
  for (let i = 0; i < labels.length; i++) {
    const found = open.get(labels[i]!)!;
    found.places[found.at++] = i;
  }
  return [...open].sort(([a], [b]) => a - b).map(([label, { places }]) => ({ label, places }));
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
