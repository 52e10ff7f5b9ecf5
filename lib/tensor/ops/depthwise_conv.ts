/** @file Depthwise convolution on the token grid. */

import source from "../../../kernels/depthwise_conv.wgsl" with { type: "text" };
import type { Parameter } from "../parameters.ts";
import type { Launch, LaunchSplit, Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import { columnSum } from "./column_sum.ts";
import { expectColumns } from "./add.ts";
import { lanesFor, linearGrid, numbersIn, segmentsInParts } from "./grid.ts";

const KERNEL = { name: "depthwise_conv", source };

/**
 * Convolves each channel with its own kernel, zero padding, stride 1, odd kernel sizes.
 *
 * @param x (B, N, D), the N tokens being a square grid in row-major order
 * @param weight (D, 1, k, k)
 * @param bias (D)
 */
export function depthwiseConv(tape: Tape, x: Tensor, weight: Parameter, bias: Parameter): Tensor {
  const [batch, tokens] = x.shape as [number, number];
  const [dim, , size] = weight.shape as [number, number, number];
  expectColumns(x, dim, weight.name);
  const grid = Math.round(Math.sqrt(tokens));
  const label = weight.name.replace(/\.weight$/, "");
  const { Number, count } = numbersIn(dim);
  const lanes = lanesFor(tape, count);
  const constants = { Number, GRID: grid, CHANNELS: dim, DIM: count, KERNEL: size, LANES: lanes };
  const perRow = [Math.ceil(count / lanes), grid, batch] as const;
  const perElement = linearGrid(dim * size * size);

  const launch = (
    entry: string,
    bindings: Record<string, Tensor>,
    workgroups: readonly [number, number, number],
    more: Pick<Launch, "dims" | "split"> = {},
  ) => tape.dispatch({ kernel: KERNEL, entry, label, constants, bindings, workgroups, ...more });
  const byImage: LaunchSplit = {
    units: batch,
    cut: ["x", "y"],
    part: (_, images) => ({ workgroups: [perRow[0], perRow[1], images] }),
  };

  const taps = tape.tensor(`${label}.taps`, [size, size, dim]);
  const y = tape.tensor(label, x.shape);
  launch("reorder", { weight, taps_out: taps }, perElement);
  launch("forward", { x, taps, bias, y }, perRow, { dims: [0], split: byImage });

  tape.derive(y, [x, weight, bias], (dy) => {
    tape.accumulateParameter(bias, (target) => columnSum(tape, { ...dy, shape: [batch, tokens, dim] }, target));
    const [segments, each] = segmentsInParts(Math.min(batch, 32), batch, tape.atOnce(batch, [x, dy]));
    const dtaps = tape.tensor(`parts of ${weight.name}`, [segments, size, size, dim]);
    launch("backward_weight", { x, dy, dtaps_out: dtaps }, [Math.ceil(count / lanes), size, segments], {
      dims: [0, 0],
      split: {
        units: batch,
        cut: ["x", "dy"],
        part: (_first, _images, i) => ({ dims: [0, i * each], workgroups: [Math.ceil(count / lanes), size, each] }),
      },
    });
    tape.accumulateParameter(weight, (dweight) => launch("finish_weight", { dtaps, dweight }, perElement));
    if (!tape.wants(x)) return;
    const dx = tape.tensor(`gradient of ${x.storage.label}`, x.shape);
    launch("forward", { x: dy, taps, bias, y: dx }, perRow, { dims: [1], split: byImage });
    tape.accumulate(x, dx);
  });
  return y;
}
