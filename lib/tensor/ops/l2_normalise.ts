/** @file Rows of length 1. */

import source from "../../../kernels/l2_normalise.wgsl" with { type: "text" };
import { kernelOf } from "../../gpu/kernel.ts";
import type { Tape } from "../tape.ts";
import { rowsAndColumns, type Tensor } from "../tensor.ts";
import { turnsOf, workgroupsFor } from "./grid.ts";

const KERNEL = kernelOf("l2_normalise", source);

/** y = x / max(|x|, 1e-12) for each row. */
export function l2Normalise(tape: Tape, x: Tensor): Tensor {
  const [rows, dim] = rowsAndColumns(x.shape);
  const constants = { DIM: dim };
  const extent = () => ({ workgroups: workgroupsFor(rows), turns: 2 * turnsOf(dim) });
  const y = tape.tensor("unit vectors", x.shape);
  const norm = tape.tensor("lengths", [rows]);
  const label = y.storage.label;
  tape.dispatch({ kernel: KERNEL, entry: "forward", label, constants, bindings: { x, y, norm_out: norm }, extent });
  tape.derive(y, [x], (dy) => {
    const dx = tape.tensor(`gradient of ${x.storage.label}`, x.shape);
    tape.dispatch({ kernel: KERNEL, entry: "backward", label, constants, bindings: { norm, y_in: y, dy, dx }, extent });
    tape.accumulate(x, dx);
  });
  return y;
}
