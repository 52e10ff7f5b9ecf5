/** @file ReLU linear attention: batched matrix products, and what is between them. */

import attentionSource from "../../../kernels/linear_attention.wgsl" with { type: "text" };
import { kernelOf } from "../../gpu/kernel.ts";
import type { Bindings } from "../launch.ts";
import type { Parameter } from "../parameters.ts";
import type { Tape } from "../tape.ts";
import { imagesAndTokens, rowsAndColumns, type Tensor } from "../tensor.ts";
import { addPartials } from "./column_sum.ts";
import { numbersIn, turnsOf, workgroupsFor } from "./grid.ts";
import type { Rectified } from "./linear.ts";
import { matmul } from "./matmul.ts";
import { denseView, type View } from "./matmul_product.ts";

const KERNEL = kernelOf("linear_attention", attentionSource);

/**
 * out = temperature q (k^T v) / max(q . sum k, floor), for each head.
 *
 * The gradient is that before the ReLU which made queries and keys.
 *
 * @param rectified (B, N, 3 * heads * headDim), or (tokens, ...) of active tokens: queries and keys, which went through ReLU, and
 * values, of all heads
 * @param temperature (heads, 1, 1)
 * @param floor smallest denominator
 * @returns (B, N, heads * headDim), or (tokens, ...)
 */
export function linearAttention(tape: Tape, rectified: Rectified, temperature: Parameter, floor: number): Tensor {
  const { values: qkv, columns } = rectified;
  const [all, width] = rowsAndColumns(qkv.shape);
  const [images, tokens] = imagesAndTokens(qkv);
  const heads = temperature.shape[0]!;
  const dim = width / 3;
  const size = dim / heads;
  if (columns !== 2 * dim) {
    throw new Error(`Linear attention takes ${2 * dim} columns after ReLU, queries and keys: they are ${columns}`);
  }
  const label = temperature.name.replace(/\.temperature$/, "");
  const { type, quads, count: numbers } = numbersIn(size);

  // all but the temperature has images as its first axis
  const launch = (entry: string, cut: Bindings, items: number, bindings: Bindings = {}) =>
    tape.dispatch({
      kernel: KERNEL,
      entry,
      label,
      constants: { Number: type, QUADS: quads, FLOOR: floor, HEADS: heads, NUMBERS: numbers, ...(!qkv.tokens && { N: tokens }) },
      units: images,
      cut,
      bindings,
      extent: (range) => ({
        workgroups: workgroupsFor(items / images * range.count),
        turns: Math.max(turnsOf(tokens), 2 * turnsOf(numbers)),
      }),
    });
  const viewOf = (which: number): View => {
    return { first: which * dim, step_row: 3 * dim, step_image: qkv.tokens ? 0 : 3 * dim * tokens, step_head: size };
  };
  const [q, k, v] = [viewOf(0), viewOf(1), viewOf(2)];
  const rows: View = { first: 0, step_row: dim, step_image: qkv.tokens ? 0 : dim * tokens, step_head: size };
  const matrices = denseView(size, size, heads);
  /** Sums over tokens, to one matrix a head. */
  const contract = (a: Tensor, b: Tensor, c: Tensor, views: [View, View], rowSums?: Tensor) =>
    matmul(tape, a, b, c, [size, size, tokens], {
      aTransposed: true,
      batches: { images, heads, views: [...views, matrices] },
      ...(rowSums && { rowSums }),
    });
  /** Multiplies every token by the matrix of its head. */
  const expand = (a: Tensor, b: Tensor, c: Tensor, from: View, to: View, bTransposed = false) =>
    matmul(tape, a, b, c, [tokens, size, size], { bTransposed, batches: { images, heads, views: [from, matrices, to] } });

  const context = tape.tensor(`${label}.context`, [images, heads, size, size]);
  const ksum = tape.tensor(`${label}.ksum`, [images, heads, size]);
  const axes = qkv.shape.slice(0, -1);
  const out = tape.like(qkv, label, [...axes, dim]);
  const mass = tape.like(qkv, `${label}.mass`, [...axes, heads]);
  const perHead = all * heads;
  contract(qkv, qkv, context, [k, v], ksum);
  expand(qkv, context, out, q, rows);
  launch("normalise", { qkv, ksum, out, mass_out: mass }, perHead, { temperature });

  // the ReLU's gradient is the last step of this one
  tape.derive(out, [qkv, temperature], (dout) => {
    const scaled = tape.like(out, `${label}.scaled`);
    const dmass = tape.like(mass, `${label}.dmass`);
    const gcontext = tape.tensor(`${label}.gcontext`, context.shape);
    const dksum = tape.tensor(`${label}.dksum`, ksum.shape);
    const tcontext = tape.tensor(`${label}.tcontext`, context.shape);
    const tgcontext = tape.tensor(`${label}.tgcontext`, context.shape);
    const dqkv = tape.like(qkv, `gradient of ${qkv.storage.label}`);
    const dtemperature = tape.tensor(`partials of ${temperature.name}`, [images * size, heads]);
    launch("backward_rows", { mass, dout, out_in: out, dmass_out: dmass, scaled }, perHead);
    contract(qkv, scaled, gcontext, [q, rows]);
    launch("backward_ksum", { qkv, dmass, dksum_out: dksum }, images * heads * numbers);
    const scales = { context, gcontext, tcontext, tgcontext, dtemperature_partials: dtemperature };
    launch("backward_matrices", scales, images * heads * size, { temperature });
    tape.accumulateParameter(temperature, (target) => addPartials(tape, dtemperature, target));
    expand(scaled, tcontext, dqkv, rows, q, true);
    expand(qkv, tgcontext, dqkv, v, k, true);
    expand(qkv, tgcontext, dqkv, k, v);
    launch("backward_relu", { qkv, dmass, ksum, dksum, dqkv }, all * 2 * heads * numbers);
    tape.accumulate(qkv, dqkv);
  });
  return out;
}
