/** @file Which augmentations a run uses. */

import type { RunConfig } from "../config.ts";
import { type Augmentation, NO_AUGMENTATION } from "../tensor/ops/images.ts";

/** Flips and roll, if finetuning augments at all. */
export function finetuneAugmentation(config: RunConfig["augment"], enabled: boolean): Augmentation {
  if (!enabled) return NO_AUGMENTATION;
  const { flip_eta: flipEta, flip_phi: flipPhi, roll, max_towers: maxTowers } = config;
  return { ...NO_AUGMENTATION, flipEta, flipPhi, roll, maxTowers };
}

/** Everything, for the views of SimCLR. */
export function contrastiveAugmentation(config: RunConfig["augment"]): Augmentation {
  return {
    ...finetuneAugmentation(config, true),
    dropChannels: [config.drop_channels_min, config.drop_channels_max],
    noiseProbability: config.noise_probability,
    noiseSigma: config.noise_sigma,
  };
}
