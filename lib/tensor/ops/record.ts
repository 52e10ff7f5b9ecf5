/** @file Results that the host reads later: sums into a table, rows into an output. */

import recordSource from "../../../kernels/record.wgsl" with { type: "text" };
import { kernelOf } from "../../gpu/kernel.ts";
import type { Tape } from "../tape.ts";
import { type PlacedTensor, sizeOf, type Tensor } from "../tensor.ts";
import { columnSum } from "./column_sum.ts";
import { floatBits } from "./dims.ts";
import { workgroupsFor } from "./grid.ts";

const KERNEL = kernelOf("record", recordSource);

/** Invocations that add a total, and turns of the loop that adds theirs. */
const WIDTH = 64, TREE = Math.log2(WIDTH);

/**
 * Writes scale * sum of x into a column of the step's row of a table. More elements than an adapter adds in one loop are summed
 * over the first axis before.
 */
export function recordTotal(tape: Tape, x: Tensor, table: PlacedTensor, column: number, scale = 1): void {
  const turns = Math.ceil(sizeOf(x.shape) / WIDTH) + TREE;
  if (turns > tape.gpu.mostTurns) {
    const [images] = x.shape as [number];
    const sums = tape.tensor(`sums of ${x.storage.label}`, [sizeOf(x.shape) / images]);
    columnSum(tape, { ...x, shape: [images, ...sums.shape] }, sums);
    return recordTotal(tape, sums, table, column, scale);
  }
  tape.dispatch({
    kernel: KERNEL,
    entry: "total",
    label: x.storage.label,
    constants: {},
    bindings: { x, table, step: tape.step },
    dims: [table.shape[1]!, column, floatBits(scale)],
    workgroups: 1,
    turns,
  });
}

/** Writes the rows of x into an output from the step's first row on; rows beyond its end are dropped. */
export function storeRows(tape: Tape, x: Tensor, output: PlacedTensor): void {
  tape.dispatch({
    kernel: KERNEL,
    entry: "store_rows",
    label: x.storage.label,
    constants: {},
    bindings: { x, table: output, step: tape.step },
    dims: [output.shape[1]!],
    workgroups: workgroupsFor(sizeOf(x.shape)),
  });
}
