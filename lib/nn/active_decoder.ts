/**
 * @file The decoder of masked pretraining on active tokens: encoded tokens where they are visible, a learned vector where they are
 * hidden, blocks like the model's own over all of them, and a prediction for each hidden one.
 *
 *     x = decoder_embed(encoded) at visible tokens, mask_token at hidden ones, + decoder_pos_embed
 *     x = block(x)                                                       attention, local concentration and MLP
 *     prediction = decoder_pred(decoder_norm(x)) at hidden tokens
 *
 * Empty patches are no tokens, as for the model: their place says enough. It is thrown away after pretraining.
 */

import { otherTokens } from "../tensor/ops/active_tokens.ts";
import { addRepeated } from "../tensor/ops/add.ts";
import type { HiddenTokens } from "../tensor/ops/hidden_tokens.ts";
import type { Tape } from "../tensor/tape.ts";
import type { Tensor, Tokens } from "../tensor/tensor.ts";
import { gridOf, type ModelConfig } from "./config.ts";
import type { Declarations } from "./layers.ts";
import { declareBlock, type LinearViT } from "./linear_vit.ts";
import { DECODER, type DecoderConfig } from "./mae_decoder.ts";

/**
 * Declares the decoder's parameters beside a model's.
 *
 * @param outputs numbers that are predicted of a token
 */
export function declareActiveDecoder(
  d: Declarations,
  model: ModelConfig,
  { dim, depth, heads }: DecoderConfig,
  outputs: number,
): void {
  d.linear(`${DECODER}.decoder_embed`, dim, model.embed_dim);
  d.normal(`${DECODER}.mask_token`, [1, 1, dim]);
  d.normal(`${DECODER}.decoder_pos_embed`, [1, gridOf(model) ** 2, dim]);
  for (let i = 0; i < depth; i++) {
    declareBlock(d, `${DECODER}.decoder_blocks.${i}`, { dim, heads, hidden: 4 * dim, kernel: model.lcm_kernel });
  }
  d.norm(`${DECODER}.decoder_norm`, dim);
  d.linear(`${DECODER}.decoder_pred`, outputs, dim);
}

/**
 * Predicts hidden tokens.
 *
 * @param encoded (visible, embed_dim)
 * @param tokens visible and hidden ones together
 * @returns (hidden, outputs)
 */
export function decodeActive(
  tape: Tape,
  model: LinearViT,
  encoded: Tensor,
  tokens: Tokens,
  { hidden }: Pick<HiddenTokens, "hidden">,
  { depth }: Pick<DecoderConfig, "depth">,
): Tensor {
  const { parameters } = model;
  const embedded = model.linear(tape, encoded, `${DECODER}.decoder_embed`);
  let x = otherTokens(tape, embedded, tokens, parameters.get(`${DECODER}.mask_token`));
  x = addRepeated(tape, x, parameters.get(`${DECODER}.decoder_pos_embed`));
  for (let i = 0; i < depth; i++) x = model.block(tape, x, `${DECODER}.decoder_blocks.${i}`);
  const normed = model.norm(tape, otherTokens(tape, x, hidden), `${DECODER}.decoder_norm`);
  return model.linear(tape, normed, `${DECODER}.decoder_pred`);
}
