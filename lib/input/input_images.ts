/** @file What is computed on: the images of a file, with what is known of them. */

import type { ImageSource } from "../data/packed.ts";
import type { Split } from "../data/split.ts";
import type { TargetValues } from "../data/targets.ts";
import type { ActivePatches } from "../tensor/ops/images.ts";
import type { ResidentImages } from "./batches.ts";

/** Images, and the same on the adapter if they fit. */
export interface InputImages {
  /** All images of a file. */
  readonly images: ImageSource;
  /**
   * The same on the adapter.
   *
   * @internal
   */
  readonly resident?: ResidentImages | undefined;
  /** Their patches that hold something, where a model computes those alone. */
  readonly active?: ActivePatches | undefined;
}

/** Images to train on. */
export interface TrainingImages extends InputImages {
  /** Numbers of the images to train and to validate on. */
  readonly split: Pick<Split, "train" | "val">;
}

/** Images to train on without labels. */
export interface UnlabelledData extends TrainingImages {
  /** Deviation of the log of each channel's sum in a patch that holds something, if the method asks for it. */
  readonly sumDeviations?: readonly number[] | undefined;
}

/** Images with their labels. */
export interface LabelledData extends TrainingImages {
  /** Class of each image; NaN if they are not known. */
  readonly labels: ArrayLike<number>;
  /** What is learned of each image beside its class, such as the mass, at least one; NaN if they are not known. */
  readonly targets: readonly TargetValues[];
  /** How much each image counts, if they have weights; those to train, validate and test on are above 0. */
  readonly weights?: ArrayLike<number> | undefined;
  /** Transverse momentum of each image in GeV, if it is known. */
  readonly pt?: ArrayLike<number> | undefined;
  /** Numbers of the images to train, validate and test on. */
  readonly split: Split;
}
