/** @file Linear layers, with what precedes and follows them in the same kernel. */

import { applyAll } from "../deferred.ts";
import type { Parameter } from "../parameters.ts";
import type { Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import { expectColumns } from "./add.ts";
import { drawFor, DROP, type DropRates, dropWork } from "./dropout.ts";
import { GELU_DERIVATIVE, geluWork } from "./gelu.ts";
import { matmul } from "./matmul.ts";
import type { Sizes } from "./matmul_variants.ts";

/** What follows a linear layer in the same kernel: GELU, then dropout, then the sum with what the layer ends a branch of. */
export type LinearOptions =
  & {
    /** Applies the exact GELU to the result. */
    readonly gelu?: boolean;
  }
  & ({
    /** Probability of leaving out an element of the result, when training. */
    readonly dropout?: number;
    readonly residual?: undefined;
  } | {
    readonly dropout?: undefined;
    /** The layer ends a branch: its result, with dropout and drop path, is added to this. */
    readonly residual: Residual;
  });

/** Where a branch ends. */
export interface Residual extends DropRates {
  /** (..., out) what the branch is added to. */
  readonly to: Tensor;
}

/**
 * A tensor whose first columns went through ReLU. It is no {@linkcode Tensor}: whoever takes it gives the gradient before ReLU.
 */
export interface Rectified {
  /** The tensor after ReLU. */
  readonly values: Tensor;
  /** How many columns went through it. */
  readonly columns: number;
}

/**
 * y = x W^T + b, optionally followed by GELU, dropout, or the sum with what it is a branch of.
 *
 * @param x (..., in)
 * @param weight (out, in), or any shape whose last axes multiply to "in" (a convolution's weight)
 * @param bias (out)
 * @returns (..., out)
 */
export function linear(tape: Tape, x: Tensor, weight: Parameter, bias: Parameter, options: LinearOptions = {}): Tensor {
  const { gelu, residual } = options;
  const { y, sizes } = outputOf(tape, x, weight);
  const drop = drawFor(tape, residual ?? options);
  const geluPre = gelu ? tape.like(y, `${y.storage.label} before GELU`) : undefined;
  matmul(tape, x, weight, y, sizes, { bTransposed: true, bias, geluPre, drop, residual: residual?.to });
  const work = [...(drop ? [dropWork(tape, drop)] : []), ...(geluPre ? [geluWork(tape, geluPre)] : [])];
  // the gradient of a sum goes on unchanged to what the branch was added to, so only without one may it come with this work done
  if (!residual) tape.defer(y, work);
  tape.derive(y, [x, weight, bias, residual?.to], (dy) => {
    linearGradients(tape, x, weight, bias, sizes, residual ? applyAll(work, dy) : dy);
    if (residual) tape.accumulate(residual.to, dy);
  });
  return y;
}

/**
 * y = x W^T + b, the first columns of it under ReLU.
 *
 * @param x (..., in)
 * @param weight (out, in)
 * @param bias (out)
 * @param columns how many go through ReLU
 * @returns (..., out)
 */
export function rectifiedLinear(tape: Tape, x: Tensor, weight: Parameter, bias: Parameter, columns: number): Rectified {
  const { y, sizes } = outputOf(tape, x, weight);
  matmul(tape, x, weight, y, sizes, { bTransposed: true, bias, relu: columns });
  tape.derive(y, [x, weight, bias], (dpre) => linearGradients(tape, x, weight, bias, sizes, dpre));
  return { values: y, columns };
}

function outputOf(tape: Tape, x: Tensor, weight: Parameter): { y: Tensor; sizes: Sizes } {
  const n = weight.shape[0]!;
  const k = weight.storage.bytes / 4 / n;
  const m = expectColumns(x, k, weight.name);
  return { y: tape.like(x, weight.name.replace(/\.weight$/, ""), [...x.shape.slice(0, -1), n]), sizes: [m, n, k] };
}

/** Gradients of x, W and b from that of x W^T + b. */
function linearGradients(tape: Tape, x: Tensor, weight: Parameter, bias: Parameter, [m, n, k]: Sizes, dy: Tensor): void {
  tape.accumulateParameter(bias, (rowSums) => {
    tape.accumulateParameter(weight, (dw) => matmul(tape, dy, x, dw, [n, k, m], { aTransposed: true, rowSums }));
  });
  if (!tape.wants(x)) return;
  const dx = tape.like(x, `gradient of ${x.storage.label}`);
  const work = tape.take(x, [GELU_DERIVATIVE, DROP]);
  matmul(tape, dy, weight, dx, [m, k, n], { geluBackward: GELU_DERIVATIVE.valueIn(work), drop: DROP.valueIn(work) });
  tape.accumulate(x, dx);
}
