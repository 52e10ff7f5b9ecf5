/** @file MAE: the pixels of masked tokens must follow from the visible ones (He et al., arXiv:2111.06377). */

import type { RunConfig } from "../config/keys.ts";
import { ConfigError } from "../config/parse.ts";
import { gridOf } from "../nn/config.ts";
import { declareDecoder, decode, type DecoderConfig } from "../nn/mae_decoder.ts";
import { maskedError } from "../tensor/ops/losses.ts";
import { randomMask } from "../tensor/ops/tokens.ts";
import { finetuneAugmentation } from "./augmentation.ts";
import type { Objective } from "./pretraining.ts";

/**
 * Mean squared error on masked tokens, whose pixels a small decoder predicts.
 *
 * @throws {ConfigError} if no token would be masked, or the model computes active tokens alone
 */
export function mae(config: RunConfig): Objective {
  const { model, mae: { mask_ratio, decoder_embed_dim, decoder_depth, decoder_num_heads }, augment, data } = config;
  if (model.tokens === "active") {
    throw new ConfigError("training.method mae hides patches of all, and model.tokens is active. Set training.method=active_mae");
  }
  const decoder: DecoderConfig = { dim: decoder_embed_dim, depth: decoder_depth, heads: decoder_num_heads };
  const tokens = gridOf(model) ** 2;
  const visible = visibleTokens(tokens, mask_ratio);
  return {
    metrics: ["loss"],
    views: 1,
    augmentation: finetuneAugmentation(augment, data.augment),
    batchesPerStep: 0,
    model: { extra: (declarations) => declareDecoder(declarations, model, decoder) },
    record(tape, vit, images) {
      const batch = images.shape[0];
      const mask = randomMask(tape, batch, tokens, visible);
      const prediction = decode(tape, vit, vit.encodeVisible(tape, images, mask), mask, decoder);
      const loss = maskedError(tape, prediction, images.patches, { channels: model.in_channels, patch: model.patch_size }, mask);
      return { loss, metrics: { loss: [loss, 1 / (batch * (tokens - visible))] } };
    },
  };
}

/**
 * Tokens that stay visible: the whole part of their share, at least 1.
 *
 * @throws {ConfigError} if that is all of them
 */
function visibleTokens(tokens: number, maskRatio: number): number {
  const visible = Math.max(1, Math.trunc(tokens * (1 - maskRatio)));
  if (visible < tokens) return visible;
  throw new ConfigError(`mae.mask_ratio ${maskRatio} masks none of ${tokens} tokens. Use a larger one, such as 0.75`);
}
