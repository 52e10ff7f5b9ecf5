/** @file Depthwise convolution on the token grid. */

import source from "../../../kernels/depthwise_conv.wgsl" with { type: "text" };
import type { Parameter } from "../parameters.ts";
import type { Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import { columnSum, finishColumnSum } from "./column_sum.ts";
import { expectColumns } from "./add.ts";

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
  const rows = expectColumns(x, dim, weight.name);
  const grid = Math.round(Math.sqrt(tokens));
  const label = weight.name.replace(/\.weight$/, "");
  const constants = { GRID: grid, DIM: dim, KERNEL: size };
  const perRow = [Math.ceil(dim / 64), grid, batch] as const;
  const y = tape.tensor(label, x.shape);
  tape.dispatch({
    kernel: KERNEL,
    entry: "forward",
    label,
    constants,
    bindings: { x, weight, bias, y },
    workgroups: perRow,
  });
  tape.derive(y, [x, weight, bias], (dy) => {
    tape.accumulateParameter(bias, (target) => columnSum(tape, { ...dy, shape: [rows, dim] }, target));
    const segments = Math.min(batch, 32);
    const parts = tape.tensor(`parts of ${weight.name}`, [segments, ...weight.shape]);
    tape.dispatch({
      kernel: KERNEL,
      entry: "backward_weight",
      label,
      constants,
      bindings: { x, dy, dweight_parts: parts },
      workgroups: [Math.ceil(dim / 64), size, segments],
    });
    tape.accumulateParameter(weight, (target) => finishColumnSum(tape, parts, target));
    if (!tape.wants(x)) return;
    const dx = tape.tensor(`gradient of ${x.storage.label}`, x.shape);
    tape.dispatch({
      kernel: KERNEL,
      entry: "forward",
      label: dx.storage.label,
      constants: { ...constants, FLIP: true },
      bindings: { x: dy, weight, y: dx },
      workgroups: perRow,
    });
    tape.accumulate(x, dx);
  });
  return y;
}
