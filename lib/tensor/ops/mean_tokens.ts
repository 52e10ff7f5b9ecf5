/** @file Mean over tokens. */

import source from "../../../kernels/mean_tokens.wgsl" with { type: "text" };
import { kernelOf } from "../../gpu/kernel.ts";
import type { Bindings } from "../launch.ts";
import type { Tape } from "../tape.ts";
import { imagesAndTokens, sizeOf, type Tensor } from "../tensor.ts";
import { numbersIn, turnsOf, workgroupsFor } from "./grid.ts";

const KERNEL = kernelOf("mean_tokens", source);

/** The mean over the tokens of each image: (B, N, D), or active tokens (tokens, D), to (B, D). That of none is 0. */
export function meanTokens(tape: Tape, x: Tensor): Tensor {
  const [batch, tokens] = imagesAndTokens(x), dim = x.shape.at(-1)!;
  const y = tape.tensor("features", [batch, dim]);
  const { type, count } = numbersIn(dim);
  const launch = (entry: string, cut: Bindings, items: number) =>
    tape.dispatch({
      kernel: KERNEL,
      entry,
      label: y.storage.label,
      constants: { Number: type, DIM: count, ...(!x.tokens && { N: tokens }) },
      units: batch,
      cut,
      extent: (range) => ({ workgroups: workgroupsFor(items / batch * range.count), turns: turnsOf(tokens) }),
    });
  launch("forward", { x, y }, batch * count);
  tape.derive(y, [x], (dy) => {
    const dx = tape.like(x, `gradient of ${x.storage.label}`);
    launch("backward", { dy, dx }, sizeOf(x.shape) / dim * count);
    tape.accumulate(x, dx);
  });
  return y;
}
