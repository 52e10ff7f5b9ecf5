/** @file Which seed decides what: data.seed everything, unless the split or the training has one of its own. */

import type { RunConfig } from "./keys.ts";

/** Seed of the division into training, validation and test images. */
export function splitSeed({ data }: Pick<RunConfig, "data">): number {
  return data.split_seed < 0 ? data.seed : data.split_seed;
}

/** How the images are divided into training, validation and test images. */
export function divisionOf(
  config: Pick<RunConfig, "data">,
): { seed: number; fold?: [fold: number, folds: number]; testPath?: string } {
  const { fold, folds, test_path: testPath } = config.data;
  return { seed: splitSeed(config), ...(folds > 0 && { fold: [fold, folds] }), ...(testPath !== "" && { testPath }) };
}

/** Seed of everything else: first weights, order, augmentation, dropout. */
export function trainingSeed({ data, training }: Pick<RunConfig, "data" | "training">): number {
  return training.seed < 0 ? data.seed : training.seed;
}
