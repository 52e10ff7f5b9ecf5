/** @file Transposes, for kernels that read a matrix along one axis only. */

import source from "../../../kernels/transpose.wgsl" with { type: "text" };
import { kernelOf } from "../../gpu/kernel.ts";
import type { Tape } from "../tape.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import { workgroupsFor } from "./grid.ts";

const KERNEL = kernelOf("transpose", source);

/**
 * The last two axes exchanged. Its gradient is not recorded.
 *
 * @param x (..., rows, columns), both multiples of 4, or a tensor that is taken for such a matrix
 * @param shape that shape, where the tensor has another
 * @param target where to write; a new tensor by default
 * @returns (..., columns, rows)
 */
export function transpose(tape: Tape, x: Tensor, shape: readonly number[] = x.shape, target?: Tensor): Tensor {
  const [rows, columns] = shape.slice(-2) as [number, number];
  const y = target ?? tape.tensor(`${x.storage.label} transposed`, [...shape.slice(0, -2), columns, rows]);
  const units = shape.length > 2 ? shape[0]! : 1, matrices = sizeOf(shape) / rows / columns / units;
  tape.dispatch({
    kernel: KERNEL,
    entry: "main",
    label: y.storage.label,
    units,
    cut: { x, y },
    extent: ({ count }) => ({
      dims: { rows4: rows / 4, columns4: columns / 4, count: matrices * count },
      workgroups: workgroupsFor(matrices * count * rows * columns / 16),
    }),
  });
  return y;
}
