/** @file Sums over the rows of a matrix. */

import source from "../../../kernels/column_sum.wgsl" with { type: "text" };
import { kernelOf } from "../../gpu/kernel.ts";
import type { Tape } from "../tape.ts";
import { rowsAndColumns, sizeOf, type Tensor } from "../tensor.ts";
import { lanesFor, numbersIn, segmentsFor, segmentsOfRanges, turnsOf, workgroupsFor, workgroupsForTable } from "./grid.ts";

const KERNEL = kernelOf("column_sum", source);

/** Writes the sum over all rows of x into a tensor with as many elements as x has columns. */
export function columnSum(tape: Tape, x: Tensor, target: Tensor): void {
  const [rows, columns] = rowsAndColumns(x.shape);
  const { type, count } = numbersIn(columns);
  const lanes = lanesFor(tape, count);
  const units = x.shape[0]!;
  const atOnce = tape.atOnce(units, [x]);
  const [all, segments] = segmentsOfRanges(segmentsFor(tape, rows, count), units, atOnce);
  const partials = tape.tensor(`partials of ${target.storage.label}`, [all, columns]);
  tape.dispatch({
    kernel: KERNEL,
    entry: "sum_segments",
    label: target.storage.label,
    constants: { Number: type, WIDTH: lanes },
    units,
    cut: { x },
    bindings: { partials_out: partials },
    extent: ({ index }) => ({
      dims: { columns: count, segments, first: index * segments },
      workgroups: workgroupsForTable(count, segments, lanes),
      turns: turnsOf(rows / units * atOnce / segments),
    }),
  });
  addPartials(tape, partials, target);
}

/**
 * Adds the rows of partials, in order, into a tensor with as many elements as partials has in a row. More rows than an adapter adds in
 * one loop are summed in segments first.
 */
export function addPartials(tape: Tape, partials: Tensor, target: Tensor): void {
  const columns = sizeOf(target.shape), rows = sizeOf(partials.shape) / columns, turns = turnsOf(rows);
  if (turns > tape.gpu.mostTurns) return columnSum(tape, { ...partials, shape: [rows, columns] }, target);
  const { type, count } = numbersIn(columns);
  tape.dispatch({
    kernel: KERNEL,
    entry: "add_partials",
    label: target.storage.label,
    constants: { Number: type },
    bindings: { partials, y: target },
    // rows of both are added whole, whatever is behind the last token
    tokens: null,
    extent: () => ({ dims: { columns: count }, workgroups: workgroupsFor(count), turns }),
  });
}
