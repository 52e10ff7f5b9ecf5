/** @file Depthwise convolution on the token grid. */

import convSource from "../../../kernels/depthwise_conv.wgsl" with { type: "text" };
import { computesByVectors } from "../../gpu/adapter.ts";
import { kernelOf } from "../../gpu/kernel.ts";
import { fitsTexels } from "../../gpu/texels.ts";
import type { Parameter } from "../parameters.ts";
import type { Bindings, Launch } from "../launch.ts";
import type { Tape } from "../tape.ts";
import type { Tensor, Tokens } from "../tensor.ts";
import { tokenTensor } from "./active_tokens.ts";
import { columnSum } from "./column_sum.ts";
import { expectColumns } from "./add.ts";
import { gelu, geluWork } from "./gelu.ts";
import { lanesFor, numbersIn, segmentsOfRanges, turnsOf, workgroupsFor, workgroupsForTable } from "./grid.ts";

const KERNEL = kernelOf("depthwise_conv", convSource);

/** Where a convolution is computed, and how. */
export interface ConvolutionOptions {
  /** The active tokens at whose places it is computed; all places by default. */
  readonly tokens?: Tokens | undefined;
}

/** A convolution under GELU. */
export interface ConvolvedGelu {
  /** gelu(conv(x)), as {@linkcode depthwiseConv} returns conv(x). */
  readonly y: Tensor;
  /** (B, 2, D): mean and sum of squared deviations of each image's y, where they come at no cost. */
  readonly moments: Tensor | undefined;
}

/**
 * Convolves each channel with its own kernel, zero padding, stride 1, odd kernel sizes.
 *
 * @param x (B, N, D), the N places being a square grid in row-major order, or active tokens (tokens, D) with zeros elsewhere
 * @param weight (D, 1, k, k)
 * @param bias (D)
 * @returns (B, N, D), or (tokens, D) of those at whose places it is computed
 */
export function depthwiseConv(
  tape: Tape,
  x: Tensor,
  weight: Parameter,
  bias: Parameter,
  { tokens }: ConvolutionOptions = {},
): Tensor {
  return convolve(tape, x, weight, bias, tokens, false).y;
}

/**
 * The same under the exact GELU: on a GPU, and at all places, in one pass, with the moments that a batch normalisation needs.
 *
 * @param fused whether it is one pass, instead of as suits the adapter: a software adapter would compile the convolution twice
 */
export function depthwiseConvGelu(
  tape: Tape,
  x: Tensor,
  weight: Parameter,
  bias: Parameter,
  { tokens, fused = !tape.gpu.adapter.software }: ConvolutionOptions & { readonly fused?: boolean } = {},
): ConvolvedGelu {
  if (fused && !tokens) return convolve(tape, x, weight, bias, tokens, true);
  return { y: gelu(tape, depthwiseConv(tape, x, weight, bias, { tokens })), moments: undefined };
}

function convolve(
  tape: Tape,
  x: Tensor,
  weight: Parameter,
  bias: Parameter,
  at: Tokens | undefined,
  fused: boolean,
): ConvolvedGelu {
  const tokens = x.tokens ?? at;
  const [batch, places] = tokens ? [tokens.images, tokens.places] : x.shape as [number, number];
  const [dim, , size] = weight.shape as [number, number, number];
  expectColumns(x, dim, weight.name);
  const grid = Math.round(Math.sqrt(places));
  const label = weight.name.replace(/\.weight$/, "");
  const { type, count } = numbersIn(dim);
  const lanes = lanesFor(tape, count);
  const sampled = count < dim && computesByVectors(tape.gpu.adapter) &&
    [batch * places * dim, dim * size * size].every((n) => fitsTexels(4 * n));
  /** What is read many times, by the names of its bindings. */
  const read = (tensors: Bindings) =>
    sampled ? Object.fromEntries(Object.entries(tensors).map(([name, x]) => [`${name}_texels`, x])) : tensors;
  const constants = { Number: type, GRID: grid, CHANNELS: dim, DIM: count, KERNEL: size, WIDTH: lanes, SAMPLED: sampled };
  const launch = (entry: string, more: Partial<Launch> & Pick<Launch, "extent">) =>
    tape.dispatch({ kernel: KERNEL, entry, label, constants, tokens: null, ...more });
  /** Reads or writes the weight, an element an invocation. */
  const perElement = (entry: string, bindings: Bindings) =>
    launch(entry, { bindings, extent: () => ({ workgroups: workgroupsFor(dim * size * size, lanes) }) });
  /** Where tokens are, for a launch over images that binds some of them alone. */
  const onTokens = (x: Tensor, y: Tensor) => ({
    constants: { ...constants, X_TOKENS: x.tokens !== undefined, Y_TOKENS: y.tokens !== undefined },
    lines: (x.tokens ?? y.tokens) && { lines: tokens!.lines },
  });
  /** Convolves, a row of the grid an invocation. */
  const perRow = (x: Tensor, written: { readonly y: Tensor } & Bindings, flip: boolean, fused: boolean) => {
    const { constants, lines } = onTokens(x, written.y);
    launch("forward", {
      constants: { ...constants, FUSED: fused },
      units: batch,
      cut: { ...read({ x }), ...written, ...lines },
      bindings: { ...read({ taps }), bias },
      extent: (range) => ({
        dims: { images: range.count, flip },
        workgroups: workgroupsForTable(count, range.count * grid, lanes),
      }),
    });
  };

  const taps = tape.tensor(`${label}.taps`, [size, size, dim]);
  const y = at ? tokenTensor(tape, label, at, dim) : tape.tensor(label, [batch, places, dim]);
  perElement("reorder", { weight, taps_out: taps });
  const pre = fused ? tape.like(y, `${label} before GELU`) : undefined;
  const moments = fused ? tape.tensor(`${label}.moments`, [batch, 2, dim]) : undefined;
  if (pre && moments) {
    const rows = tape.tensor(`${label}.row_moments`, [batch, grid, 2, dim]);
    perRow(x, { y, pre_out: pre, row_moments_out: rows }, false, true);
    const workgroups = workgroupsForTable(count, batch, lanes);
    launch("combine", { bindings: { row_moments: rows, moments_out: moments }, extent: () => ({ workgroups }) });
    tape.defer(y, [geluWork(tape, pre)]);
  } else perRow(x, { y }, false, false);

  tape.derive(y, [x, weight, bias], (dy) => {
    tape.accumulateParameter(bias, (target) => columnSum(tape, { ...dy, shape: y.shape }, target));
    const atOnce = tape.atOnce(batch, [x, dy]);
    const [all, segments] = segmentsOfRanges(Math.min(batch, tape.gpu.adapter.software ? 32 : 256), batch, atOnce);
    const dtaps = tape.tensor(`partials of ${weight.name}`, [all, size, size, dim]);
    const { constants, lines } = onTokens(x, y);
    launch("backward_weight", {
      constants,
      units: batch,
      cut: { ...read({ x, dy }), ...lines },
      bindings: { dtaps_out: dtaps },
      extent: ({ index, count: images }) => ({
        dims: { images, segments, first: index * segments },
        workgroups: workgroupsForTable(count, segments * size, lanes),
        turns: turnsOf(atOnce / segments, turnsOf(grid, turnsOf(grid))),
      }),
    });
    tape.accumulateParameter(weight, (dweight) => perElement("finish_weight", { dtaps, dweight }));
    if (!tape.wants(x)) return;
    const dx = tape.like(x, `gradient of ${x.storage.label}`);
    perRow(dy, { y: dx }, true, false);
    tape.accumulate(x, dx);
  });
  return { y, moments };
}
