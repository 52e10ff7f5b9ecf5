/** @file The patch embedding of images that are mostly zeros, from their non-zeros alone. */

import source from "../../../kernels/patch_embedding.wgsl" with { type: "text" };
import type { AdapterFacts } from "../../gpu/adapter.ts";
import type { Gpu } from "../../gpu/device.ts";
import { kernelOf } from "../../gpu/kernel.ts";
import type { Parameter } from "../parameters.ts";
import type { Tape } from "../tape.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import { columnSum, finishColumnSum } from "./column_sum.ts";
import { lanesFor, numbersIn, segmentsInParts, turnsOf, workgroupsForTable } from "./grid.ts";
import type { ImageViews } from "./images.ts";
import { transpose } from "./transpose.ts";

const KERNEL = kernelOf("patch_embedding", source);
/** Segments of rows whose gradients are summed apart: each is as large as the weight. */
const SEGMENTS = 64;

/**
 * True if the embedding of non-zeros can be used, and is faster than a matrix product: on a software adapter it is by far, unless
 * images are so full that its loops would not end; a GPU multiplies zeros faster than it goes through lists.
 */
export function embedsEntries(
  { adapter, mostTurns }: Pick<Gpu, "mostTurns"> & { readonly adapter: Pick<AdapterFacts, "software"> },
  { shape: [, , features], most }: Pick<ImageViews, "shape" | "most">,
  dim: number,
): boolean {
  return adapter.software && features % 4 === 0 && dim % 4 === 0 && most <= mostTurns / 2;
}

/**
 * y = patches W^T + b.
 *
 * @param views (rows, tokens, features) as patches; features and D are multiples of 4
 * @param weight (D, ...) with as many values for each of D as there are features
 * @param bias (D)
 * @returns (rows, tokens, D)
 */
export function patchEmbedding(tape: Tape, views: ImageViews, weight: Parameter, bias: Parameter): Tensor {
  const [rows, tokens, features] = views.shape;
  const dim = bias.shape[0]!;
  const { listed, ranges, words } = views.entries;
  const { most } = views;
  const label = weight.name.replace(/\.weight$/, "");
  const { Number, count } = numbersIn(dim);
  const lanes = lanesFor(tape, count);
  const constants = { Number, WIDTH: lanes };
  const perRow = (n: number) => workgroupsForTable(count, n, lanes);
  const dimsOf = (first: number, n: number) => ({ numbers: count, features, first_row: first, rows: n, most, words });

  const y = tape.tensor(label, [rows, tokens, dim]);
  tape.dispatch({
    kernel: KERNEL,
    entry: "forward",
    label,
    constants,
    bindings: { listed, ranges, taps: transpose(tape, weight, [dim, features]), bias, y },
    dims: dimsOf(0, rows),
    workgroups: perRow(rows),
    turns: turnsOf(tokens) + turnsOf(most),
    split: {
      units: rows,
      cut: ["listed", "y"],
      part: (first, n) => ({ dims: dimsOf(first, n), workgroups: perRow(n) }),
    },
  });
  tape.derive(y, [weight, bias], (dy) => {
    tape.accumulateParameter(bias, (target) => columnSum(tape, dy, target));
    const atOnce = tape.atOnce(rows, [listed, dy]);
    const least = Math.ceil(atOnce / rowsInLoop(tape.gpu, features, most));
    const [segments, each] = segmentsInParts(Math.min(rows, SEGMENTS), rows, atOnce, least);
    const parts = tape.tensor(`parts of ${weight.name}`, [segments, features, dim]);
    tape.dispatch({
      kernel: KERNEL,
      entry: "backward_weight",
      label,
      constants,
      bindings: { listed, ranges, dy, parts },
      dims: { ...dimsOf(0, rows), segments, first: 0 },
      workgroups: perRow(segments),
      turns: turnsOf(features) + turnsOf(Math.ceil(atOnce / each), turnsOf(most)),
      split: {
        units: rows,
        cut: ["listed", "dy"],
        part: (first, n, i) => ({ dims: { ...dimsOf(first, n), segments: each, first: i * each }, workgroups: perRow(each) }),
      },
    });
    tape.accumulateParameter(weight, (target) => {
      const dtaps = tape.tensor(`gradient of ${weight.name} transposed`, [features, dim]);
      finishColumnSum(tape, { ...parts, shape: [segments, sizeOf(dtaps.shape)] }, dtaps);
      transpose(tape, dtaps, [features, dim], target);
    });
  });
  return y;
}

/** Rows whose entries one loop of an adapter goes through. */
function rowsInLoop({ mostTurns }: Pick<Gpu, "mostTurns">, features: number, most: number): number {
  return Math.max(1, Math.floor((mostTurns - turnsOf(features) - 1) / (1 + turnsOf(most))));
}
