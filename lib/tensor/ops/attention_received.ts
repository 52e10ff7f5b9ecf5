/** @file How much of the linear attention each token receives. */

import source from "../../../kernels/attention_received.wgsl" with { type: "text" };
import { kernelOf } from "../../gpu/kernel.ts";
import type { Tape } from "../tape.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import { turnsOf, workgroupsFor } from "./grid.ts";

const KERNEL = kernelOf("attention_received", source);

/**
 * Attention that each token receives from all tokens of its image, averaged over heads: 1 is an even share.
 *
 * @param qkv (B, N, 3 * heads * headDim), as for {@linkcode linearAttention}
 * @param floor smallest denominator of the attention
 * @returns (B, N)
 */
export function attentionReceived(tape: Tape, qkv: Tensor, heads: number, floor: number): Tensor {
  const [batch, tokens, width] = qkv.shape as [number, number, number];
  const headDim = width / 3 / heads;
  const constants = { N: tokens, HEADS: heads, HEAD_DIM: headDim, FLOOR: floor };
  const ksum = tape.tensor("ksum", [batch, heads, headDim]);
  const mass = tape.tensor("mass", [batch, heads, tokens]);
  const qsum = tape.tensor("qsum", [batch, heads, headDim]);
  const received = tape.tensor("received attention", [batch, tokens]);
  const launch = (entry: string, bindings: Record<string, Tensor>, output: Tensor) =>
    tape.dispatch({
      kernel: KERNEL,
      entry,
      label: output.storage.label,
      constants,
      bindings,
      extent: () => ({
        workgroups: workgroupsFor(sizeOf(output.shape)),
        turns: Math.max(turnsOf(tokens), turnsOf(heads, turnsOf(headDim))),
      }),
    });
  launch("sum_keys", { qkv, ksum_out: ksum }, ksum);
  launch("masses", { qkv, ksum, mass_out: mass }, mass);
  launch("sum_queries", { qkv, mass, qsum_out: qsum }, qsum);
  launch("receive", { qkv, qsum, received }, received);
  return received;
}
