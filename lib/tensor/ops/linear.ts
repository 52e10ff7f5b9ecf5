/** @file Linear layers. */

import type { Parameter } from "../parameters.ts";
import type { Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import { expectColumns } from "./add.ts";
import { columnSum } from "./column_sum.ts";
import { geluBackward } from "./gelu.ts";
import { matmul } from "./matmul.ts";

/** What follows a linear layer in the same kernel. */
export interface LinearOptions {
  /** Applies the exact GELU to the result. */
  readonly gelu?: boolean;
}

/**
 * y = x W^T + b, optionally followed by GELU.
 *
 * @param x (..., in)
 * @param weight (out, in), or any shape whose last axes multiply to "in" (a convolution's weight)
 * @param bias (out)
 * @returns (..., out)
 */
export function linear(tape: Tape, x: Tensor, weight: Parameter, bias: Parameter, options: LinearOptions = {}): Tensor {
  const n = weight.shape[0]!;
  const k = weight.storage.bytes / 4 / n;
  const m = expectColumns(x, k, weight.name);
  const shape = [...x.shape.slice(0, -1), n];
  const label = weight.name.replace(/\.weight$/, "");
  const y = tape.tensor(label, shape);
  const pre = options.gelu ? tape.tensor(`${label} before GELU`, shape) : undefined;
  matmul(tape, x, weight, y, [m, n, k], { bTransposed: true, bias, ...(pre && { geluPre: pre }) });
  tape.derive(y, [x, weight, bias], (dy) => {
    const dpre = pre ? geluBackward(tape, pre, dy) : dy;
    const flat = { ...dpre, shape: [m, n] };
    tape.accumulateParameter(bias, (target) => columnSum(tape, flat, target));
    tape.accumulateParameter(weight, (target) => matmul(tape, dpre, x, target, [n, k, m], { aTransposed: true }));
    if (tape.wants(x)) {
      const dx = tape.tensor(`gradient of ${x.storage.label}`, x.shape);
      matmul(tape, dpre, weight, dx, [m, k, n]);
      tape.accumulate(x, dx);
    }
  });
  return y;
}
