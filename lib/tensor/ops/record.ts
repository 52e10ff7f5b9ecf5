/** @file Results that the host reads later: sums into a table, rows into an output. */

import recordSource from "../../../kernels/record.wgsl" with { type: "text" };
import { kernelOf } from "../../gpu/kernel.ts";
import type { Tape } from "../tape.ts";
import { type PlacedTensor, sizeOf, type Tensor } from "../tensor.ts";
import { columnSum } from "./column_sum.ts";
import { turnsOf, workgroupsFor } from "./grid.ts";

const KERNEL = kernelOf("record", recordSource);

/** Invocations that add a total; then theirs are added in a tree. */
const WIDTH = 64;

/**
 * Writes scale * sum of x into a column of the step's row of a table. Active tokens, and more elements than an adapter adds in one loop,
 * are summed in segments before.
 */
export function recordTotal(tape: Tape, x: Tensor, table: PlacedTensor, column: number, scale = 1): void {
  const turns = turnsOf(sizeOf(x.shape) / WIDTH) + turnsOf(Math.log2(WIDTH));
  if (x.tokens || turns > tape.gpu.mostTurns) {
    const sum = tape.tensor(`sum of ${x.storage.label}`, [1]);
    columnSum(tape, { ...x, shape: [sizeOf(x.shape), 1] }, sum);
    return recordTotal(tape, sum, table, column, scale);
  }
  tape.dispatch({
    kernel: KERNEL,
    entry: "total",
    label: x.storage.label,
    bindings: { x, table, step: tape.step },
    extent: () => ({ dims: { columns: table.shape[1]!, column, scale }, workgroups: 1, turns }),
  });
}

/** Writes the rows of x into an output from the step's first row on; rows beyond its end are dropped. */
export function storeRows(tape: Tape, x: Tensor, output: PlacedTensor): void {
  tape.dispatch({
    kernel: KERNEL,
    entry: "store_rows",
    label: x.storage.label,
    bindings: { x, table: output, step: tape.step },
    extent: () => ({ dims: { columns: output.shape[1]! }, workgroups: workgroupsFor(sizeOf(x.shape)) }),
  });
}
