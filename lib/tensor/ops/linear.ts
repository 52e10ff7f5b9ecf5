/** @file Linear layers, with what precedes and follows them in the same kernel. */

import type { Parameter } from "../parameters.ts";
import type { GradientWork, Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import { expectColumns } from "./add.ts";
import { applyDrop, drawFor, type DropRates } from "./dropout.ts";
import { geluBackward } from "./gelu.ts";
import { matmul } from "./matmul.ts";

/** What follows a linear layer in the same kernel. */
export interface LinearOptions {
  /**
   * Applies ReLU to so many columns of the result, the first ones. Whoever computes the gradient of the result has to give it
   * as that before ReLU, as linearAttention does.
   */
  readonly relu?: number;
  /** Applies the exact GELU to the result. */
  readonly gelu?: boolean;
  /** Probability of leaving out an element of the result, when training. */
  readonly dropout?: number;
  /** The layer ends a branch: its result, with dropout and drop path, is added to this. */
  readonly residual?: Residual;
}

/** Where a branch ends. */
export interface Residual extends DropRates {
  /** (..., out) what the branch is added to. */
  readonly to: Tensor;
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
  const n = weight.shape[0]!;
  const k = weight.storage.bytes / 4 / n;
  const m = expectColumns(x, k, weight.name);
  const shape = [...x.shape.slice(0, -1), n];
  const label = weight.name.replace(/\.weight$/, "");
  const { relu, gelu, residual } = options;
  const drop = drawFor(tape, residual ?? options);
  const y = tape.tensor(label, shape);
  const geluPre = gelu ? tape.tensor(`${label} before GELU`, shape) : undefined;
  matmul(tape, x, weight, y, [m, n, k], { bTransposed: true, bias, relu, geluPre, drop, residual: residual?.to });
  // the gradient of the residual sum goes on unchanged, so only without one may it come with this work done
  if (!residual && (relu || geluPre || drop)) tape.leaveWork(y, { relu, geluBackward: geluPre, drop });
  tape.derive(y, [x, weight, bias, residual?.to], (dy) => {
    const dpre = doWork(tape, residual ? { drop } : tape.remainingWork(y), dy);
    tape.accumulateParameter(bias, (rowSums) => {
      tape.accumulateParameter(weight, (dw) => matmul(tape, dpre, x, dw, [n, k, m], { aTransposed: true, rowSums }));
    });
    if (tape.wants(x)) {
      const dx = tape.tensor(`gradient of ${x.storage.label}`, x.shape);
      matmul(tape, dpre, weight, dx, [m, k, n], tape.takeWork(x, ["geluBackward", "drop"]));
      tape.accumulate(x, dx);
    }
    if (residual) tape.accumulate(residual.to, dy);
  });
  return y;
}

/** Elementwise work on a gradient, in passes of its own. */
function doWork(tape: Tape, { relu, geluBackward: pre, drop }: GradientWork = {}, dy: Tensor): Tensor {
  if (relu) throw new Error(`The gradient "${dy.storage.label}" has to be given as that before ReLU`);
  const kept = drop ? applyDrop(tape, drop, dy) : dy;
  return pre ? geluBackward(tape, pre, kept) : kept;
}
