/**
 * @file The projection head of SimCLR: Linear, BatchNorm, GELU, Linear, then rows of length 1.
 *
 * It is trained with the backbone and thrown away after pretraining (Chen et al., arXiv:2002.05709).
 */

import { gelu } from "../tensor/ops/gelu.ts";
import { l2Normalise } from "../tensor/ops/l2_normalise.ts";
import type { Tape } from "../tensor/tape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Declarations } from "./layers.ts";
import type { LinearViT } from "./linear_vit.ts";

/** First part of the names of the projection head's tensors. */
export const PROJECTION = "projection.net";

/** Declares the head's parameters beside a model's. */
export function declareProjection(declarations: Declarations, dim: number, out: number): void {
  declarations.linear(`${PROJECTION}.0`, dim, dim);
  declarations.batchNorm(`${PROJECTION}.1`, dim);
  declarations.linear(`${PROJECTION}.3`, out, dim);
}

/** (B, embed_dim) features to (B, out) unit vectors. */
export function project(tape: Tape, model: LinearViT, features: Tensor): Tensor {
  // What is added to all rows alike before a batch normalisation changes nothing. Its gradient is what rounding leaves of 0, and AdamW
  // makes steps of full size of it: harmless, but other ones for each way to divide a batch
  if (model.dividesBatch(tape)) { for (const name of [`${PROJECTION}.0.bias`, "norm.bias"]) tape.hold(model.parameters.get(name)); }
  const hidden = model.batchNorm(tape, model.linear(tape, features, `${PROJECTION}.0`), `${PROJECTION}.1`);
  return l2Normalise(tape, model.linear(tape, gelu(tape, hidden), `${PROJECTION}.3`));
}
