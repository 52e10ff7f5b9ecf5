/** @file The exact GELU as an operation of its own. */

import geluSource from "../../../kernels/gelu.wgsl" with { type: "text" };
import { kernelOf } from "../../gpu/kernel.ts";
import { type Work, WorkKind } from "../deferred.ts";
import type { Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import { elementwise } from "./grid.ts";

const KERNEL = kernelOf("gelu", geluSource);

/** y = x Phi(x), elementwise. */
export function gelu(tape: Tape, x: Tensor): Tensor {
  const y = tape.like(x, `gelu(${x.storage.label})`);
  tape.dispatch(elementwise(KERNEL, "forward", { x, y }));
  tape.defer(y, [geluWork(tape, x)]);
  tape.derive(y, [x], (dx) => tape.accumulate(x, dx));
  return y;
}

/** A gradient has to be multiplied by GELU's derivative at these. */
export const GELU_DERIVATIVE: WorkKind<Tensor> = new WorkKind("GELU's derivative");

/** What is left to do to the gradient of gelu(x), to be that of x. */
export function geluWork(tape: Tape, x: Tensor): Work<Tensor> {
  return GELU_DERIVATIVE.of(x, (dy) => geluBackward(tape, x, dy));
}

/** dx = dy gelu'(x), elementwise. */
function geluBackward(tape: Tape, x: Tensor, dy: Tensor): Tensor {
  const dx = tape.like(x, `gradient of ${x.storage.label}`);
  tape.dispatch(elementwise(KERNEL, "backward", { x, dy, dx }));
  return dx;
}
