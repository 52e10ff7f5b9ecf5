/** @file Which images of a test set a model was trained on: numbers on those say nothing about new ones. */

import type { TrainedOn } from "../data/provenance.ts";
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

/**
 * Counts the images of a test set that weights were trained, validated or pretrained on.
 *
 * @param trainedOn what the weights say about themselves; weights that say nothing count as having seen nothing
 * @param data the file of the test set
 * @param labels class of each of its images
 * @param test numbers of the test images
 */
export function seenImages(
  trainedOn: readonly TrainedOn[],
  data: TrainedOn,
  labels: ArrayLike<number>,
  test: Uint32Array,
): SeenImages {
  // 1 for an image that was used
  const labelled = new Uint8Array(labels.length), unlabelled = new Uint8Array(labels.length);
  for (const known of trainedOn) {
    const same = known.fingerprint === data.fingerprint || (known.labels !== null && known.labels === data.labels);
    if (!same) continue;
    if (known.split === "random") {
      unlabelled.fill(1);
      continue;
    }
    const { train, val } = divide(labels, known);
    for (const image of train.subarray(0, known.train)) labelled[image] = 1;
    for (const image of val) labelled[image] = 1;
  }
  const among = (used: Uint8Array) => test.reduce((sum, image) => sum + used[image]!, 0);
  return { labelled: among(labelled), unlabelled: among(unlabelled) };
}
