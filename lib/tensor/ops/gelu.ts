/** @file The exact GELU as an operation of its own. */

import geluSource from "../../../kernels/gelu.wgsl" with { type: "text" };
import libSource from "../../../kernels/lib/gelu.wgsl" with { type: "text" };
import type { Tape } from "../tape.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import { linearGrid } from "./grid.ts";

const KERNEL = { name: "gelu", source: geluSource + libSource };

/** y = x Phi(x), elementwise. */
export function gelu(tape: Tape, x: Tensor): Tensor {
  const y = tape.tensor(`gelu(${x.storage.label})`, x.shape);
  const workgroups = linearGrid(sizeOf(x.shape));
  tape.dispatch({ kernel: KERNEL, entry: "forward", label: y.storage.label, constants: {}, bindings: { x, y }, workgroups });
  tape.derive(y, [x], (dy) => tape.accumulate(x, geluBackward(tape, x, dy)));
  return y;
}

/** dx = dy gelu'(x), elementwise. */
export function geluBackward(tape: Tape, x: Tensor, dy: Tensor): Tensor {
  const dx = tape.tensor(`gradient of ${x.storage.label}`, x.shape);
  const workgroups = linearGrid(sizeOf(x.shape));
  tape.dispatch({ kernel: KERNEL, entry: "backward", label: dx.storage.label, constants: {}, bindings: { x, dy, dx }, workgroups });
  return dx;
}
