/** @file Layer normalisation. */

import source from "../../../kernels/layer_norm.wgsl" with { type: "text" };
import type { Parameter } from "../parameters.ts";
import type { Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import { expectColumns } from "./add.ts";
import { finishColumnSum } from "./column_sum.ts";
import { lanesFor, numbersIn, segmentsFor } from "./grid.ts";

const KERNEL = { name: "layer_norm", source };

/**
 * Normalises the last axis to mean 0 and variance 1, then scales and shifts it; eps is 1e-5 as in PyTorch.
 *
 * @param x (..., D)
 * @param weight (D)
 * @param bias (D)
 */
export function layerNorm(tape: Tape, x: Tensor, weight: Parameter, bias: Parameter): Tensor {
  const dim = weight.shape[0]!;
  const rows = expectColumns(x, dim, weight.name);
  const label = weight.name.replace(/\.weight$/, "");
  const y = tape.tensor(label, x.shape);
  const mean = tape.tensor(`${label}.mean`, [rows]);
  const rstd = tape.tensor(`${label}.rstd`, [rows]);
  const { Number, count } = numbersIn(dim);
  const constants = { Number, DIM: dim, NUMBERS: count };
  const perRow = [Math.ceil(rows / 64), 1, 1] as const;
  const outputs = { y, mean_out: mean, rstd_out: rstd };
  tape.dispatch({
    kernel: KERNEL,
    entry: "forward",
    label,
    constants,
    bindings: { x, weight, bias, ...outputs },
    workgroups: perRow,
  });
  tape.derive(y, [x, weight, bias], (dy) => {
    const lanes = lanesFor(tape, count);
    const segments = segmentsFor(rows, count);
    const dweight = tape.tensor(`parts of ${label}.weight`, [segments, dim]);
    const dbias = tape.tensor(`parts of ${label}.bias`, [segments, dim]);
    tape.dispatch({
      kernel: KERNEL,
      entry: "backward_weight",
      label,
      constants: { ...constants, LANES: lanes },
      bindings: { x, dy, mean, rstd, dweight_parts: dweight, dbias_parts: dbias },
      workgroups: [Math.ceil(count / lanes), segments, 1],
    });
    tape.accumulateParameter(weight, (target) => finishColumnSum(tape, dweight, target));
    tape.accumulateParameter(bias, (target) => finishColumnSum(tape, dbias, target));
    if (!tape.wants(x)) return;
    const before = tape.gradient(x);
    const dx = tape.tensor(`gradient of ${x.storage.label}`, x.shape);
    tape.dispatch({
      kernel: KERNEL,
      entry: "backward_input",
      label,
      constants,
      bindings: { x, weight, mean, rstd, dy, dx, dx_before: before ?? tape.unused },
      dims: [before ? 1 : 0],
      workgroups: perRow,
    });
    tape.replaceGradient(x, dx);
  });
  return y;
}
