/** @file The patch embedding of images that are mostly zeros, from their non-zeros alone. */

import source from "../../../kernels/patch_embedding.wgsl" with { type: "text" };
import type { AdapterFacts } from "../../gpu/adapter.ts";
import type { Gpu } from "../../gpu/device.ts";
import { kernelOf } from "../../gpu/kernel.ts";
import type { Range } from "../launch.ts";
import type { Parameter } from "../parameters.ts";
import type { Tape } from "../tape.ts";
import { sizeOf, type Tensor, type Tokens } from "../tensor.ts";
import { addPartials, columnSum } from "./column_sum.ts";
import { lanesFor, numbersIn, segmentsOfRanges, turnsOf, workgroupsForTable } from "./grid.ts";
import { tokenTensor } from "./active_tokens.ts";
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
 * @param tokens of the views, if they alone are embedded
 * @returns (rows, tokens, D), or (tokens, D) of these
 */
export function patchEmbedding(tape: Tape, views: ImageViews, weight: Parameter, bias: Parameter, tokens?: Tokens): Tensor {
  const [rows, places, features] = views.shape;
  const dim = bias.shape[0]!;
  const { listed, ranges, words } = views.entries(tokens);
  const { most } = views;
  const label = weight.name.replace(/\.weight$/, "");
  const { type, count } = numbersIn(dim);
  const lanes = lanesFor(tape, count);
  const constants = { Number: type, FEATURES: features, WIDTH: lanes };
  const dimsOf = (range: Range) => ({ numbers: count, first_row: range.first, rows: range.count, most, words });

  const y = tokens ? tokenTensor(tape, label, tokens, dim) : tape.tensor(label, [rows, places, dim]);
  tape.dispatch({
    kernel: KERNEL,
    entry: "forward",
    label,
    constants,
    units: rows,
    cut: { listed, y },
    bindings: { ranges, taps: transpose(tape, weight, [dim, features]), bias },
    extent: (range) => ({
      dims: dimsOf(range),
      workgroups: workgroupsForTable(count, range.count, lanes),
      turns: turnsOf(places) + turnsOf(most),
    }),
  });
  tape.derive(y, [weight, bias], (dy) => {
    tape.accumulateParameter(bias, (target) => columnSum(tape, dy, target));
    const atOnce = tape.atOnce(rows, [listed, dy]);
    const least = Math.ceil(atOnce / rowsInLoop(tape.gpu, features, most));
    const [all, segments] = segmentsOfRanges(Math.min(rows, SEGMENTS), rows, atOnce, least);
    const partials = tape.tensor(`partials of ${weight.name}`, [all, features, dim]);
    tape.dispatch({
      kernel: KERNEL,
      entry: "backward_weight",
      label,
      constants,
      units: rows,
      cut: { listed, dy },
      bindings: { ranges, partials },
      extent: (range) => ({
        dims: { ...dimsOf(range), segments, first: range.index * segments },
        workgroups: workgroupsForTable(count, segments, lanes),
        turns: turnsOf(features) + turnsOf(Math.ceil(atOnce / segments), turnsOf(most)),
      }),
    });
    tape.accumulateParameter(weight, (target) => {
      const dtaps = tape.tensor(`gradient of ${weight.name} transposed`, [features, dim]);
      addPartials(tape, { ...partials, shape: [all, sizeOf(dtaps.shape)] }, dtaps);
      transpose(tape, dtaps, [features, dim], target);
    });
  });
  return y;
}

/** Rows whose entries one loop of an adapter goes through. */
function rowsInLoop({ mostTurns }: Pick<Gpu, "mostTurns">, features: number, most: number): number {
  return Math.max(1, Math.floor((mostTurns - turnsOf(features) - 1) / (1 + turnsOf(most))));
}
