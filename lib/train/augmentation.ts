/** @file What a run does to its images: their scale, and which augmentations. */

import type { RunConfig } from "../config/keys.ts";
import { ConfigError } from "../config/parse.ts";
import { type Augmentation, NO_AUGMENTATION, type PixelScale } from "../tensor/ops/images.ts";

/** What becomes of the values of images. */
export function pixelScale({ data: { norm_scale: normScale, transform } }: Pick<RunConfig, "data">): Required<PixelScale> {
  return { normScale, transform };
}

/** Flips and roll, if finetuning augments at all. */
export function finetuneAugmentation(config: RunConfig["augment"], enabled: boolean): Augmentation {
  if (!enabled) return NO_AUGMENTATION;
  const { flip_eta: flipEta, flip_phi: flipPhi, roll, max_towers: maxTowers } = config;
  return { ...NO_AUGMENTATION, flipEta, flipPhi, roll, maxTowers };
}

/**
 * Everything, for the views of SimCLR.
 *
 * @throws {ConfigError} if more channels are to be left out than there are, all of them, or if nothing is done to a view
 */
export function contrastiveAugmentation({ augment, model }: Pick<RunConfig, "augment" | "model">): Augmentation {
  const most = Math.min(model.in_channels, 32);
  if (augment.drop_channels_max > most) {
    throw new ConfigError(
      `augment.drop_channels_max must be at most ${most}, model.in_channels being ${model.in_channels}: it is ${augment.drop_channels_max}`,
    );
  }
  if (augment.drop_channels_min >= model.in_channels) {
    throw new ConfigError(
      `augment.drop_channels_min is ${augment.drop_channels_min} and the images have ${model.in_channels} channels: nothing would be left of a view. ` +
        "Use a smaller number",
    );
  }
  const { flip_eta, flip_phi, roll, max_towers, drop_channels_max, noise_probability, noise_sigma } = augment;
  const moves = flip_eta || flip_phi || roll === "phi" || (roll === "towers" && max_towers > 0);
  if (!moves && drop_channels_max === 0 && noise_probability * noise_sigma === 0) {
    throw new ConfigError(
      "every key under augment is off: the two views of an image would be the same, and there is nothing to learn",
    );
  }
  return {
    ...finetuneAugmentation(augment, true),
    dropChannels: [augment.drop_channels_min, augment.drop_channels_max],
    noiseProbability: augment.noise_probability,
    noiseSigma: augment.noise_sigma,
  };
}
