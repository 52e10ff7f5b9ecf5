/** @file Mean over tokens. */

import source from "../../../kernels/mean_tokens.wgsl" with { type: "text" };
import { kernelOf } from "../../gpu/kernel.ts";
import type { Bindings } from "../launch.ts";
import type { Tape } from "../tape.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import { turnsOf, workgroupsFor } from "./grid.ts";

const KERNEL = kernelOf("mean_tokens", source);

/** (B, N, D) to (B, D). */
export function meanTokens(tape: Tape, x: Tensor): Tensor {
  const [batch, tokens, dim] = x.shape as [number, number, number];
  const y = tape.tensor("features", [batch, dim]);
  const launch = (entry: string, cut: Bindings, items: number) =>
    tape.dispatch({
      kernel: KERNEL,
      entry,
      label: y.storage.label,
      constants: { N: tokens, DIM: dim },
      units: batch,
      cut,
      extent: (range) => ({ workgroups: workgroupsFor(items / batch * range.count), turns: turnsOf(tokens) }),
    });
  launch("forward", { x, y }, batch * dim);
  tape.derive(y, [x], (dy) => {
    const dx = tape.tensor(`gradient of ${x.storage.label}`, x.shape);
    launch("backward", { dy, dx }, sizeOf(x.shape));
    tape.accumulate(x, dx);
  });
  return y;
}
