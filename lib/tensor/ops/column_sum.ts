/** @file Sums over the rows of a matrix. */

import source from "../../../kernels/column_sum.wgsl" with { type: "text" };
import { kernelOf } from "../../gpu/kernel.ts";
import type { Tape } from "../tape.ts";
import { rowsAndColumns, sizeOf, type Tensor } from "../tensor.ts";
import { lanesFor, numbersIn, segmentsFor, segmentsInParts, turnsOf, workgroupsFor, workgroupsForTable } from "./grid.ts";

const KERNEL = kernelOf("column_sum", source);

/** Writes the sum over all rows of x into a tensor with as many elements as x has columns. */
export function columnSum(tape: Tape, x: Tensor, target: Tensor): void {
  const [rows, columns] = rowsAndColumns(x.shape);
  const { Number, count } = numbersIn(columns);
  const lanes = lanesFor(tape, count);
  const images = x.shape[0]!;
  const atOnce = tape.atOnce(images, [x]);
  const [segments, each] = segmentsInParts(segmentsFor(rows, count), images, atOnce);
  const parts = tape.tensor(`parts of ${target.storage.label}`, [segments, columns]);
  tape.dispatch({
    kernel: KERNEL,
    entry: "partial",
    label: target.storage.label,
    constants: { Number, WIDTH: lanes },
    bindings: { x, parts_out: parts },
    dims: { columns: count, segments, first: 0 },
    workgroups: workgroupsForTable(count, segments, lanes),
    turns: turnsOf(rows / images * atOnce / each),
    split: {
      units: images,
      cut: ["x"],
      part: (_first, _images, i) => ({
        dims: { columns: count, segments: each, first: i * each },
        workgroups: workgroupsForTable(count, each, lanes),
      }),
    },
  });
  finishColumnSum(tape, parts, target);
}

/**
 * Adds the rows of parts, in order, into a tensor with as many elements as parts has in a row. More rows than an adapter adds in
 * one loop are summed in segments first.
 */
export function finishColumnSum(tape: Tape, parts: Tensor, target: Tensor): void {
  const columns = sizeOf(target.shape), rows = sizeOf(parts.shape) / columns, turns = turnsOf(rows);
  if (turns > tape.gpu.mostTurns) return columnSum(tape, { ...parts, shape: [rows, columns] }, target);
  const { Number, count } = numbersIn(columns);
  tape.dispatch({
    kernel: KERNEL,
    entry: "finish",
    label: target.storage.label,
    constants: { Number },
    dims: { columns: count },
    bindings: { parts, y: target },
    workgroups: workgroupsFor(count),
    turns,
  });
}
