/**
 * @file The decoder of masked pretraining (He et al., arXiv:2111.06377): visible tokens back in their places, a learned
 * vector in all others, softmax-attention blocks, and the pixels of every patch.
 *
 *     x = decoder_embed(visible), mask_token where a token is masked, + decoder_pos_embed
 *     x = x + out_proj(attention(norm1(x)))
 *     x = x + linear2(gelu(linear1(norm2(x))))                          for each block
 *     pixels = decoder_pred(decoder_norm(x))
 *
 * It is trained with the backbone and thrown away after pretraining. Blocks are PyTorch's TransformerEncoderLayer
 * (norm_first, GELU, no dropout), with its names.
 */

import { addRepeated } from "../tensor/ops/add.ts";
import { linear } from "../tensor/ops/linear.ts";
import { softmaxAttention } from "../tensor/ops/softmax_attention.ts";
import { fillMasked, type TokenMask } from "../tensor/ops/tokens.ts";
import type { Tape } from "../tensor/tape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { gridOf, type ModelConfig } from "./config.ts";
import type { Declarations } from "./layers.ts";
import type { LinearViT } from "./linear_vit.ts";

/** First part of the names of the decoder's tensors. */
export const DECODER = "decoder";

/** Sizes of the decoder. */
export interface DecoderConfig {
  /** Width of a token. */
  readonly dim: number;
  /** Number of blocks. */
  readonly depth: number;
  /** Attention heads; divides dim. */
  readonly heads: number;
}

/** Declares the decoder's parameters beside a model's. */
export function declareDecoder(d: Declarations, model: ModelConfig, { dim, depth }: DecoderConfig): void {
  d.linear(`${DECODER}.decoder_embed`, dim, model.embed_dim);
  d.normal(`${DECODER}.mask_token`, [1, 1, dim]);
  d.normal(`${DECODER}.decoder_pos_embed`, [1, gridOf(model) ** 2, dim]);
  for (let i = 0; i < depth; i++) {
    const name = `${DECODER}.decoder_blocks.${i}`;
    d.norm(`${name}.norm1`, dim);
    d.normal(`${name}.self_attn.in_proj_weight`, [3 * dim, dim]);
    d.constant(`${name}.self_attn.in_proj_bias`, [3 * dim], 0);
    d.linear(`${name}.self_attn.out_proj`, dim, dim);
    d.norm(`${name}.norm2`, dim);
    d.linear(`${name}.linear1`, 4 * dim, dim);
    d.linear(`${name}.linear2`, dim, 4 * dim);
  }
  d.norm(`${DECODER}.decoder_norm`, dim);
  d.linear(`${DECODER}.decoder_pred`, model.in_channels * model.patch_size ** 2, dim);
}

/**
 * Predicts the pixels of all patches.
 *
 * @param visible (B, visible, embed_dim), encoded
 * @returns (B, tokens, patch_size^2 * in_channels), pixels in the order (row, column, channel)
 */
export function decode(tape: Tape, model: LinearViT, visible: Tensor, mask: TokenMask, { depth, heads }: DecoderConfig): Tensor {
  const { parameters } = model;
  const embedded = model.linear(tape, visible, `${DECODER}.decoder_embed`);
  let x = fillMasked(tape, embedded, parameters.get(`${DECODER}.mask_token`), mask);
  x = addRepeated(tape, x, parameters.get(`${DECODER}.decoder_pos_embed`));
  for (let i = 0; i < depth; i++) x = block(tape, model, x, `${DECODER}.decoder_blocks.${i}`, heads);
  return model.linear(tape, model.norm(tape, x, `${DECODER}.decoder_norm`), `${DECODER}.decoder_pred`);
}

function block(tape: Tape, model: LinearViT, x: Tensor, name: string, heads: number): Tensor {
  const attention = `${name}.self_attn`;
  const [weight, bias] = [model.parameters.get(`${attention}.in_proj_weight`), model.parameters.get(`${attention}.in_proj_bias`)];
  const qkv = linear(tape, model.norm(tape, x, `${name}.norm1`), weight, bias);
  x = model.linear(tape, softmaxAttention(tape, qkv, heads, attention), `${attention}.out_proj`, { residual: { to: x } });
  const hidden = model.linear(tape, model.norm(tape, x, `${name}.norm2`), `${name}.linear1`, { gelu: true });
  return model.linear(tape, hidden, `${name}.linear2`, { residual: { to: x } });
}
