/** @file ReLU linear attention. */

import source from "../../../kernels/linear_attention.wgsl" with { type: "text" };
import type { Parameter } from "../parameters.ts";
import type { Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import { finishColumnSum } from "./column_sum.ts";
import { linearGrid } from "./grid.ts";
import { transpose } from "./transpose.ts";

const KERNEL = { name: "linear_attention", source };

/** Tensors that contract and expand move four values at a time, if the head's size allows. */
const QUADS = ["qkv", "dout", "context", "context_out", "gcontext", "ksum", "dksum", "out", "dqkv"];

/** Their bindings for {@linkcode QUADS}. */
function inQuads(bindings: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(bindings).map(([name, x]) => [QUADS.includes(name) ? `${name}4` : name, x]));
}

/** Which result an entry point computes. */
const NO_RESULT = { CONTEXT: false, GCONTEXT: false, OUT: false, DQ: false, DK: false, DV: false };

/**
 * out = temperature relu(q) (relu(k)^T v) / max(relu(q) . sum relu(k), floor), for each head.
 *
 * @param qkv (B, N, 3 * heads * headDim): queries, keys and values of all heads
 * @param temperature (heads, 1, 1)
 * @param floor smallest denominator
 * @returns (B, N, heads * headDim)
 */
export function linearAttention(tape: Tape, qkv: Tensor, temperature: Parameter, floor: number): Tensor {
  const [batch, tokens, width] = qkv.shape as [number, number, number];
  const heads = temperature.shape[0]!;
  const headDim = width / 3 / heads;
  const pairs = batch * heads;
  const vector = headDim % 4 === 0;
  const tile = headDim >= 8 ? 8 : 4;
  const sizes = { N: tokens, HEADS: heads, HEAD_DIM: headDim, FLOOR: floor, T: tile, VECTOR: vector };
  const tiles = Math.ceil(headDim / tile);
  const label = temperature.name.replace(/\.temperature$/, "");

  const launch = (entry: string, result: string | undefined, bindings: Record<string, Tensor>, items: number) =>
    tape.dispatch({
      kernel: KERNEL,
      entry,
      label: `${label} ${result ?? entry}`,
      constants: {
        ...sizes,
        ...NO_RESULT,
        ...(result && { [result]: true }),
        OUT_OR_DQ: result === "OUT" || result === "DQ",
        TRANSPOSED: !vector && (result === "DQ" || result === "DK"),
      },
      bindings: vector && result ? inQuads(bindings) : bindings,
      ...(entry === "expand" && { dims: [batch] }),
      workgroups: linearGrid(items),
    });
  // dq and dk multiply by the transpose of a matrix; a transposed copy is small beside what is multiplied
  const forTransposed = (matrix: Tensor) => vector ? transpose(tape, matrix) : matrix;
  const contracted = pairs * tiles * tiles;
  const expanded = pairs * tiles * Math.ceil(tokens / tile);

  const context = tape.tensor(`${label}.context`, [batch, heads, headDim, headDim]);
  const ksum = tape.tensor(`${label}.ksum`, [batch, heads, headDim]);
  const out = tape.tensor(label, [batch, tokens, heads * headDim]);
  const mass = tape.tensor(`${label}.mass`, [batch, heads, tokens]);
  launch("contract", "CONTEXT", { qkv, context_out: context, ksum_out: ksum }, contracted);
  launch("expand", "OUT", { qkv, temperature, context, ksum, out, mass_out: mass }, expanded);

  tape.derive(out, [qkv, temperature], (dout) => {
    const dmass = tape.tensor(`${label}.dmass`, mass.shape);
    const gcontext = tape.tensor(`${label}.gcontext`, context.shape);
    const dksum = tape.tensor(`${label}.dksum`, ksum.shape);
    const dqkv = tape.tensor(`gradient of ${qkv.storage.label}`, qkv.shape);
    const dtemperature = tape.tensor(`parts of ${temperature.name}`, [batch, heads]);
    launch("backward_mass", undefined, { mass, dout, out_in: out, dmass_out: dmass }, pairs * tokens);
    launch("contract", "GCONTEXT", { qkv, mass, dout, dmass, context_out: gcontext, ksum_out: dksum }, contracted);
    launch("backward_temperature", undefined, { context, gcontext, dtemperature_parts: dtemperature }, pairs);
    tape.accumulateParameter(temperature, (target) => finishColumnSum(tape, dtemperature, target));
    launch("expand", "DQ", { qkv, temperature, context: forTransposed(context), ksum, mass, dout, dmass, dqkv }, expanded);
    launch("expand", "DK", { qkv, temperature, gcontext: forTransposed(gcontext), dksum, dqkv }, expanded);
    launch("expand", "DV", { qkv, temperature, gcontext, dqkv }, expanded);
    tape.accumulate(qkv, dqkv);
  });
  return out;
}
