/**
 * @file Active MAE: what hidden active patches hold must follow from the visible ones (the idea of SparK, Tian et al., arXiv:2301.03580,
 * for convolutions). The encoder sees visible tokens alone, local concentration included.
 */

import type { RunConfig } from "../config/keys.ts";
import { ConfigError } from "../config/parse.ts";
import { declareActiveDecoder, decodeActive } from "../nn/active_decoder.ts";
import { DECODER, type DecoderConfig } from "../nn/mae_decoder.ts";
import { fromPlaces } from "../tensor/ops/active_tokens.ts";
import { hideTokens, tokenError } from "../tensor/ops/hidden_tokens.ts";
import { finetuneAugmentation } from "./augmentation.ts";
import type { Objective } from "./pretraining.ts";

/** What sums are divided by: no parameter, but kept beside them. */
const DEVIATIONS = `${DECODER}.sum_deviations`;

/**
 * Mean squared error on hidden active tokens.
 *
 * @throws {ConfigError} if the model computes all tokens
 */
export function activeMae(config: RunConfig): Objective {
  const { model, active_mae: { mask_ratio, target, decoder_embed_dim, decoder_depth, decoder_num_heads }, augment, data } = config;
  if (model.tokens !== "active") {
    throw new ConfigError(
      `training.method active_mae hides active tokens, and model.tokens is ${model.tokens}. Set model.tokens=active`,
    );
  }
  if (data.transform !== "linear") {
    throw new ConfigError(
      `training.method active_mae predicts sums and pixels as they are, and data.transform is ${data.transform}. Set data.transform=linear`,
    );
  }
  const decoder: DecoderConfig = { dim: decoder_embed_dim, depth: decoder_depth, heads: decoder_num_heads };
  const patch = model.patch_size, channels = model.in_channels;
  const outputs = target === "sums" ? channels : channels * patch ** 2;
  return {
    metrics: ["loss"],
    views: 1,
    augmentation: finetuneAugmentation(augment, data.augment),
    batchesPerStep: 1,
    model: {
      extra: (declarations) => {
        declareActiveDecoder(declarations, model, decoder, outputs);
        if (target === "sums") declarations.constant(DEVIATIONS, [channels], 1, true);
      },
    },
    record(tape, vit, images, { sumDeviations }) {
      const tokens = images.tokens(Math.max(vit.widest, 4 * decoder.dim));
      const { visible, hidden } = hideTokens(tape, tokens, 1 - mask_ratio);
      const prediction = decodeActive(tape, vit, vit.encode(tape, images, visible), tokens, { hidden }, decoder);
      const { parameters } = vit, sums = target === "sums";
      if (sums) parameters.load(new Map([[DEVIATIONS, { shape: [channels], values: Float32Array.from(sumDeviations!) }]]));
      const deviation = sums ? parameters.running(DEVIATIONS) : undefined;
      const goal = { channels, patch, unit: data.norm_scale, deviation, groups: vit.groups(tape) };
      const loss = tokenError(tape, prediction, fromPlaces(tape, images.patches, hidden), goal);
      return { loss, metrics: { loss: [loss, 1] } };
    },
  };
}
