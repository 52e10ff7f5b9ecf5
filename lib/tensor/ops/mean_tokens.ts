/** @file Mean over tokens. */

import source from "../../../kernels/mean_tokens.wgsl" with { type: "text" };
import { kernelOf } from "../../gpu/kernel.ts";
import type { Tape } from "../tape.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import { elementwise, turnsOf, workgroupsFor } from "./grid.ts";

const KERNEL = kernelOf("mean_tokens", source);

/** (B, N, D) to (B, D). */
export function meanTokens(tape: Tape, x: Tensor): Tensor {
  const [batch, tokens, dim] = x.shape as [number, number, number];
  const constants = { N: tokens, DIM: dim };
  const y = tape.tensor("features", [batch, dim]);
  const label = y.storage.label;
  tape.dispatch({
    kernel: KERNEL,
    entry: "forward",
    label,
    constants,
    bindings: { x, y },
    workgroups: workgroupsFor(batch * dim),
    turns: turnsOf(tokens),
    split: elementwise(batch, ["x", "y"], batch * dim),
  });
  tape.derive(y, [x], (dy) => {
    const dx = tape.tensor(`gradient of ${x.storage.label}`, x.shape);
    const workgroups = workgroupsFor(sizeOf(x.shape));
    tape.dispatch({
      kernel: KERNEL,
      entry: "backward",
      label,
      constants,
      bindings: { dy, dx },
      workgroups,
      split: elementwise(batch, ["dy", "dx"], sizeOf(x.shape)),
    });
    tape.accumulate(x, dx);
  });
  return y;
}
