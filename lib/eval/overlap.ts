/** @file Which images of a test set a model was trained on: numbers on those say nothing about new ones. */

import { readChecks, type TrainedOn } from "../data/provenance.ts";
import { divide } from "../data/split.ts";

/** Numbers of images of a test set that a model was trained on. */
export interface SeenImages {
  /** Trained or validated on, with their classes and masses. */
  readonly labelled: number;
  /** Pretrained on, without them. */
  readonly unlabelled: number;
}

/** True if there are any. */
export function hasSeen({ labelled, unlabelled }: SeenImages): boolean {
  return labelled + unlabelled > 0;
}

/** A test set, and what its images are known by. */
export interface TestSet {
  /** The file. */
  readonly trainedOn: TrainedOn;
  /** Check sum of each of its images. */
  readonly checks: Uint32Array;
  /** Class of each of its images. */
  readonly labels: ArrayLike<number>;
}

/** Images of another file that have the check sums of images trained on; fewer of them may have one by chance. */
const FEWEST_ALIKE = 2;

/**
 * Counts the images of a test set that weights were trained, validated or pretrained on, in its file or in another that holds the
 * same images. Of more than 65,536 that weights were trained on, not all are known in other files.
 *
 * @param trainedOn what the weights say about themselves; weights that say nothing count as having seen nothing
 * @param test numbers of the test images
 */
export function seenImages(trainedOn: readonly TrainedOn[], data: TestSet, test: Uint32Array): SeenImages {
  // 1 for an image that was used
  const labelled = new Uint8Array(data.labels.length), unlabelled = new Uint8Array(data.labels.length);
  for (const known of trainedOn) {
    const used = known.split === "random" ? unlabelled : labelled;
    for (const image of usedImages(known, data, test)) used[image] = 1;
  }
  const among = (used: Uint8Array) => test.reduce((sum, image) => sum + used[image]!, 0);
  return { labelled: among(labelled), unlabelled: among(unlabelled) };
}

/** Images of a test set's file that were trained or validated on, at least those that are tested. */
function usedImages(known: TrainedOn, { trainedOn, checks, labels }: TestSet, test: Uint32Array): Uint32Array {
  const same = known.fingerprint === trainedOn.fingerprint || (known.labels !== null && known.labels === trainedOn.labels);
  if (!same) {
    const learned = readChecks(known), alike = test.filter((image) => learned.has(checks[image]!));
    return alike.length < FEWEST_ALIKE ? alike.subarray(0, 0) : alike;
  }
  if (known.split === "random") return test;
  const { train, val } = divide(labels, known), used = new Uint32Array(known.train + val.length);
  used.set(train.subarray(0, known.train));
  used.set(val, known.train);
  return used;
}
