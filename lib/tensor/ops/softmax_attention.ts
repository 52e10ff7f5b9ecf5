/** @file Softmax attention, for the decoder of masked pretraining. */

import attentionSource from "../../../kernels/softmax_attention.wgsl" with { type: "text" };
import { kernelOf } from "../../gpu/kernel.ts";
import type { Bindings } from "../launch.ts";
import type { Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import { numbersIn, turnsOf, workgroupsFor } from "./grid.ts";

const KERNEL = kernelOf("softmax_attention", attentionSource);

/** Numbers of a tile of queries or keys that an invocation keeps, of each of its arrays. */
const KEPT = { software: 32, gpu: 8 };

/**
 * out = softmax(q k^T / sqrt(headDim)) v, for each head.
 *
 * @param qkv (B, N, 3 * heads * headDim): queries, keys and values of all heads
 * @param heads number of heads
 * @param label name of the layer
 * @returns (B, N, heads * headDim)
 */
export function softmaxAttention(tape: Tape, qkv: Tensor, heads: number, label: string): Tensor {
  const [batch, tokens, width] = qkv.shape as [number, number, number];
  const headDim = width / 3 / heads;
  const { type, quads, count } = numbersIn(headDim);
  const tile = Math.max(1, Math.min(4, Math.floor((tape.gpu.adapter.software ? KEPT.software : KEPT.gpu) / count)));
  const constants = {
    Number: type,
    QUADS: quads,
    N: tokens,
    HEADS: heads,
    HEAD_DIM: headDim,
    NUMBERS: count,
    SCALE: 1 / Math.sqrt(headDim),
    T: tile,
  };
  const launch = (entry: string, bindings: Bindings, items = batch * heads * Math.ceil(tokens / tile)) =>
    tape.dispatch({
      kernel: KERNEL,
      entry,
      label: `${label} ${entry}`,
      constants,
      bindings,
      extent: () => ({ dims: { images: batch }, workgroups: workgroupsFor(items), turns: turnsOf(tokens) }),
    });

  const out = tape.tensor(label, [batch, tokens, heads * headDim]);
  const lse = tape.tensor(`${label}.lse`, [batch, heads, tokens]);
  launch("forward", { qkv, out, lse_out: lse });
  tape.derive(out, [qkv], (dout) => {
    const delta = tape.tensor(`${label}.delta`, lse.shape);
    const dqkv = tape.tensor(`gradient of ${qkv.storage.label}`, qkv.shape);
    launch("backward_delta", { out_in: out, dout, delta_out: delta }, batch * heads * tokens);
    launch("backward_query", { qkv, dout, lse, delta, dqkv });
    launch("backward_key", { qkv, dout, lse, delta, dqkv });
    tape.accumulate(qkv, dqkv);
  });
  return out;
}
