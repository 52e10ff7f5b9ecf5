/** @file Methods small enough for a test to make several of them: 16 tokens, a block or a few, images of noise. */

import { MASS } from "../../lib/data/targets.ts";
import { defaultConfig, type RunConfig } from "../../lib/config/keys.ts";
import { PackedImages } from "../../lib/data/packed.ts";
import type { ModelConfig } from "../../lib/nn/config.ts";
import type { LabelledData } from "../../lib/input/input_images.ts";
import { randoms } from "./ops.ts";

const SIZE = { channels: 2, size: 12 };

/**
 * Images, all of them for training and for validation.
 *
 * @param value makes a pixel of a normal number
 */
export function noiseData(count: number, value: (normal: number) => number = Math.abs): LabelledData {
  const { channels, size } = SIZE;
  const numbers = Uint32Array.from({ length: count }, (_, i) => i);
  return {
    images: PackedImages.fromDense(randoms(count * size * size * channels, 1).map(value), SIZE),
    labels: Array.from(numbers, (i) => i % 2),
    targets: [{ ...MASS, values: Array.from(numbers, (i) => 50 + i) }],
    split: { train: numbers, val: numbers, test: numbers },
  };
}

/** A configuration for {@linkcode noiseData}. */
export function smallConfig(batch_size: number, model: Partial<ModelConfig> = {}): RunConfig {
  const config = defaultConfig();
  const sizes = { in_channels: SIZE.channels, img_size: SIZE.size, patch_size: 3, embed_dim: 16, depth: 1, num_heads: 2 };
  Object.assign(config.model, { ...sizes, lcm_kernel: 3, dropout: 0.2, drop_path_rate: 0.3, projection_dim: 8, ...model });
  Object.assign(config.data, { batch_size, norm_scale: 1 });
  Object.assign(config.augment, { drop_channels_min: 0, drop_channels_max: 1 });
  for (const mae of [config.mae, config.active_mae]) {
    Object.assign(mae, { decoder_embed_dim: 16, decoder_depth: 1, decoder_num_heads: 2 });
  }
  return config;
}
