/** @file Depthwise convolution on the token grid. */

import convSource from "../../../kernels/depthwise_conv.wgsl" with { type: "text" };
import { kernelOf } from "../../gpu/kernel.ts";
import type { Parameter } from "../parameters.ts";
import type { Launch, LaunchSplit } from "../launch.ts";
import type { Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import { columnSum } from "./column_sum.ts";
import { expectColumns } from "./add.ts";
import { gelu, geluWork } from "./gelu.ts";
import { lanesFor, numbersIn, segmentsInParts, turnsOf, workgroupsFor, workgroupsForTable } from "./grid.ts";

const KERNEL = kernelOf("depthwise_conv", convSource);

/** A convolution under GELU. */
export interface ConvolvedGelu {
  /** gelu(conv(x)), of the shape of x. */
  readonly y: Tensor;
  /** (B, 2, D): mean and sum of squared deviations of each image's y, where they come at no cost. */
  readonly moments: Tensor | undefined;
}

/**
 * Convolves each channel with its own kernel, zero padding, stride 1, odd kernel sizes.
 *
 * @param x (B, N, D), the N tokens being a square grid in row-major order
 * @param weight (D, 1, k, k)
 * @param bias (D)
 */
export function depthwiseConv(tape: Tape, x: Tensor, weight: Parameter, bias: Parameter): Tensor {
  return convolve(tape, x, weight, bias, false).y;
}

/**
 * The same under the exact GELU: in one pass on a GPU, with the moments that a batch normalisation needs.
 *
 * @param fused whether it is one pass, instead of as suits the adapter: a software adapter would compile the convolution twice
 */
export function depthwiseConvGelu(
  tape: Tape,
  x: Tensor,
  weight: Parameter,
  bias: Parameter,
  fused: boolean = !tape.gpu.adapter.software,
): ConvolvedGelu {
  if (fused) return convolve(tape, x, weight, bias, true);
  return { y: gelu(tape, depthwiseConv(tape, x, weight, bias)), moments: undefined };
}

function convolve(tape: Tape, x: Tensor, weight: Parameter, bias: Parameter, fused: boolean): ConvolvedGelu {
  const [batch, tokens] = x.shape as [number, number];
  const [dim, , size] = weight.shape as [number, number, number];
  expectColumns(x, dim, weight.name);
  const grid = Math.round(Math.sqrt(tokens));
  const label = weight.name.replace(/\.weight$/, "");
  const { Number, count } = numbersIn(dim);
  const lanes = lanesFor(tape, count);
  const constants = { Number, GRID: grid, CHANNELS: dim, DIM: count, KERNEL: size, WIDTH: lanes };
  const perRow = (images: number) => workgroupsForTable(count, images * grid, lanes);
  const perElement = workgroupsFor(dim * size * size, lanes);

  const launch = (
    entry: string,
    bindings: Record<string, Tensor>,
    workgroups: number,
    more: Partial<Pick<Launch, "constants" | "dims" | "turns" | "split">> = {},
  ) => tape.dispatch({ kernel: KERNEL, entry, label, constants, bindings, workgroups, ...more });
  const byImage: LaunchSplit = {
    units: batch,
    cut: ["x", "y"],
    part: (_, images) => ({ workgroups: perRow(images) }),
  };

  const taps = tape.tensor(`${label}.taps`, [size, size, dim]);
  const y = tape.tensor(label, x.shape);
  launch("reorder", { weight, taps_out: taps }, perElement);
  const pre = fused ? tape.tensor(`${label} before GELU`, x.shape) : undefined;
  const moments = fused ? tape.tensor(`${label}.moments`, [batch, 2, dim]) : undefined;
  if (pre && moments) {
    const rows = tape.tensor(`${label}.row_moments`, [batch, grid, 2, dim]);
    launch("forward", { x, taps, bias, y, pre_out: pre, row_moments_out: rows }, perRow(batch), {
      constants: { ...constants, FUSED: true },
      dims: { flip: false },
      split: { ...byImage, cut: ["x", "y", "pre_out", "row_moments_out"] },
    });
    launch("combine", { row_moments: rows, moments_out: moments }, workgroupsForTable(count, batch, lanes));
    tape.defer(y, [geluWork(tape, pre)]);
  } else launch("forward", { x, taps, bias, y }, perRow(batch), { dims: { flip: false }, split: byImage });

  tape.derive(y, [x, weight, bias], (dy) => {
    tape.accumulateParameter(bias, (target) => columnSum(tape, { ...dy, shape: [batch, tokens, dim] }, target));
    const atOnce = tape.atOnce(batch, [x, dy]);
    const [segments, each] = segmentsInParts(Math.min(batch, 32), batch, atOnce);
    const dtaps = tape.tensor(`parts of ${weight.name}`, [segments, size, size, dim]);
    const perKernelRow = (n: number) => workgroupsForTable(count, n * size, lanes);
    launch("backward_weight", { x, dy, dtaps_out: dtaps }, perKernelRow(segments), {
      dims: { segments, first: 0 },
      turns: turnsOf(atOnce / each, turnsOf(grid, turnsOf(grid))),
      split: {
        units: batch,
        cut: ["x", "dy"],
        part: (_first, _images, i) => ({ dims: { segments: each, first: i * each }, workgroups: perKernelRow(each) }),
      },
    });
    tape.accumulateParameter(weight, (dweight) => launch("finish_weight", { dtaps, dweight }, perElement));
    if (!tape.wants(x)) return;
    const dx = tape.tensor(`gradient of ${x.storage.label}`, x.shape);
    launch("forward", { x: dy, taps, bias, y: dx }, perRow(batch), { dims: { flip: true }, split: byImage });
    tape.accumulate(x, dx);
  });
  return { y, moments };
}
