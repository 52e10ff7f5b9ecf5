/** @file Dropout, drop path and the residual sum, in one pass. */

import dropoutSource from "../../../kernels/dropout.wgsl" with { type: "text" };
import philoxSource from "../../../kernels/lib/philox.wgsl" with { type: "text" };
import stepSource from "../../../kernels/lib/step.wgsl" with { type: "text" };
import type { Tape } from "../tape.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import { add } from "./add.ts";
import { linearGrid } from "./grid.ts";

const KERNEL = { name: "dropout", source: dropoutSource + philoxSource + stepSource };

/** Probabilities of leaving out. */
export interface DropRates {
  /** Of an element. */
  readonly dropout?: number;
  /** Of a whole image's branch. */
  readonly path?: number;
}

/** Leaves elements out with a probability and scales the others up; does nothing when predicting. */
export function dropout(tape: Tape, x: Tensor, rate: number): Tensor {
  if (!tape.training || rate === 0) return x;
  const apply = record(tape, { dropout: rate });
  const y = apply(x);
  tape.derive(y, [x], (dy) => tape.accumulate(x, apply(dy)));
  return y;
}

/**
 * y = x + branch, with dropout and drop path on the branch when training.
 *
 * @param x (B, ...)
 * @param branch of the same shape
 */
export function residual(tape: Tape, x: Tensor, branch: Tensor, rates: DropRates = {}): Tensor {
  const drops = tape.training && ((rates.dropout ?? 0) > 0 || (rates.path ?? 0) > 0);
  const apply = drops ? record(tape, rates) : undefined;
  const y = apply ? apply(branch, x) : add(tape, x, branch);
  tape.derive(y, [x, branch], (dy) => {
    tape.accumulate(branch, apply ? apply(dy) : dy);
    tape.accumulate(x, dy);
  });
  return y;
}

/** One use of randomness: the function it returns draws the same numbers each time it is recorded. */
function record(tape: Tape, { dropout = 0, path = 0 }: DropRates): (x: Tensor, residual?: Tensor) => Tensor {
  const stream = tape.nextStream();
  return (x, residual) => {
    const y = tape.tensor(residual ? residual.storage.label : `dropout of ${x.storage.label}`, x.shape);
    tape.dispatch({
      kernel: KERNEL,
      entry: "apply",
      label: y.storage.label,
      constants: {
        PER_IMAGE: sizeOf(x.shape) / x.shape[0]!,
        DROPOUT: dropout > 0,
        RATE: dropout,
        DROP_PATH: path > 0,
        PATH_RATE: path,
        STREAM: stream,
        RESIDUAL: residual !== undefined,
      },
      bindings: { x, y, step: tape.step, ...(residual && { residual }) },
      workgroups: linearGrid(sizeOf(x.shape) / 4),
    });
    return y;
  };
}
