/** @file What is computed on: the images of a file, with what is known of them. */

import type { ImageSource } from "../data/packed.ts";
import type { Split } from "../data/split.ts";
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
  /** Class of each image. */
  readonly labels: ArrayLike<number>;
  /** Mass of each image in GeV. */
  readonly mass: ArrayLike<number>;
  /** Numbers of the images to train, validate and test on. */
  readonly split: Split;
}
