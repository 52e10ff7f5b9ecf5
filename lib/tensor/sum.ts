/** @file The sum of two tensors as a launch: the tape adds gradients by it, and ops/add.ts is the operation. */

import source from "../../kernels/add.wgsl" with { type: "text" };
import { kernelOf } from "../gpu/kernel.ts";
import type { Launch } from "./launch.ts";
import { elementwise } from "./ops/grid.ts";
import type { Tensor } from "./tensor.ts";

/** Sums and copies. */
export const ADD = kernelOf("add", source);

/** The launch that writes a + b, or a copy of a if b is left out, into y. */
export function sumLaunch(a: Tensor, b: Tensor | undefined, y: Tensor): Launch {
  return b ? elementwise(ADD, "add", { a, b, y }) : elementwise(ADD, "copy", { a, y });
}
