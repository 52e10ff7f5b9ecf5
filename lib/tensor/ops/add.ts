/** @file Sums and copies of whole tensors. */

import type { Tape } from "../tape.ts";
import { createTensor, type PlacedTensor, rowsAndColumns, sizeOf, type Tensor } from "../tensor.ts";
import type { Parameter } from "../parameters.ts";
import { ADD, sumLaunch } from "../sum.ts";
import { addUpPlaces } from "./active_tokens.ts";
import { columnSum } from "./column_sum.ts";
import { numbersIn, workgroupsFor } from "./grid.ts";

/** A copy of a tensor of a plan that outlives the plan, to be read after a run. */
export function keep(tape: Tape, x: Tensor): PlacedTensor {
  const copy = createTensor(tape.gpu, x.storage.label, x.shape);
  add(tape, x, undefined, copy);
  return copy;
}

/**
 * y = a + b, or a copy of a if b is left out. Its gradient is not recorded.
 *
 * @param target where to write; a new tensor by default
 */
export function add(tape: Tape, a: Tensor, b?: Tensor, target?: Tensor): Tensor {
  const y = target ?? tape.like(a, a.storage.label);
  tape.dispatch(sumLaunch(a, b, y));
  return y;
}

/**
 * y[i] = x[i] + p for each repetition of the parameter along the first axis; an active token takes the row of its place.
 *
 * @param x (B, N, D), or active tokens (tokens, D)
 * @param p (1, N, D)
 */
export function addRepeated(tape: Tape, x: Tensor, p: Parameter): Tensor {
  const y = tape.like(x, p.name);
  const units = x.shape[0]!;
  const { type, count } = numbersIn(p.shape.at(-1)!);
  const perUnit = sizeOf(x.shape) / units / p.shape.at(-1)! * count;
  tape.dispatch({
    kernel: ADD,
    entry: "add_repeated",
    label: p.name,
    constants: { Number: type },
    units,
    cut: { a: x, y },
    bindings: { b: p },
    extent: (range) => ({ workgroups: workgroupsFor(perUnit * range.count) }),
  });
  tape.derive(y, [x, p], (dy) => {
    tape.accumulate(x, dy);
    const repetitions = { ...dy, shape: [units, sizeOf(p.shape)] };
    tape.accumulateParameter(p, (target) => x.tokens ? addUpPlaces(tape, dy, target) : columnSum(tape, repetitions, target));
  });
  return y;
}

/** Checks that a tensor is a matrix of so many columns; leading axes count as rows. */
export function expectColumns(x: Tensor, columns: number, what: string): number {
  const [rows, found] = rowsAndColumns(x.shape);
  if (found !== columns) {
    throw new Error(`${what} expects ${columns} columns: "${x.storage.label}" has shape (${x.shape.join(", ")})`);
  }
  return rows;
}
