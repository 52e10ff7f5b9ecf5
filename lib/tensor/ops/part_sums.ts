/** @file Batches that are computed in parts: means over the parts, and what the parts have to know of one another. */

import source from "../../../kernels/part_sums.wgsl" with { type: "text" };
import type { Gpu } from "../../gpu/device.ts";
import { kernelOf } from "../../gpu/kernel.ts";
import type { Plan } from "../../gpu/plan.ts";
import type { Bindings } from "../launch.ts";
import { Tape } from "../tape.ts";
import { createTensor, type PlacedTensor, rowsAndColumns, type Tensor } from "../tensor.ts";
import { elementwise, workgroupsFor } from "./grid.ts";

const KERNEL = kernelOf("part_sums", source);

/**
 * The rows of the whole batch, of which the part under way knows its own: what comes after it can be computed when all parts have
 * brought theirs.
 *
 * The gradient of a step is the mean over the parts. A loss of the whole batch is the same in each of them, and each knows the gradient
 * by way of its own rows alone: it counts as often as there are parts.
 *
 * @param x (rows, D): views of the images of the part
 * @returns x itself where the batch is computed at once, else (parts * rows, D)
 */
export function wholeBatch(tape: Tape, x: Tensor): Tensor {
  if (!tape.inParts) return x;
  const [rows, columns] = rowsAndColumns(x.shape);
  const whole = tape.join(x.storage.label, [tape.parts * rows, columns]);
  putRows(tape, x, whole);
  tape.cut();
  tape.derive(whole, [x], (dwhole) => tape.accumulate(x, takeRows(tape, dwhole, x, tape.parts)));
  return whole;
}

/** Records the copy of a part's rows to their places in the whole. */
export function putRows(tape: Tape, part: Tensor, whole: Tensor): void {
  moveRows(tape, "put_rows", part, { part, whole_out: whole }, 1);
}

/** Records the copy of rows of the whole, times a number, that belong to a part of this shape. */
export function takeRows(tape: Tape, whole: Tensor, like: Tensor, scale: number): Tensor {
  const part = tape.tensor(`gradient of ${like.storage.label}`, like.shape);
  moveRows(tape, "take_rows", part, { whole, part_out: part }, scale);
  return part;
}

function moveRows(tape: Tape, entry: string, { shape, storage: { label } }: Tensor, bindings: Bindings, scale: number): void {
  const [rows, columns] = rowsAndColumns(shape);
  tape.dispatch({
    kernel: KERNEL,
    entry,
    label,
    constants: tape.placement,
    bindings: { ...bindings, step: tape.step },
    extent: () => ({ dims: { columns, scale }, workgroups: workgroupsFor(rows * columns) }),
  });
}

/**
 * Records that what a part of a batch has written is added to what the parts before it have; after the last, it is the mean.
 *
 * @param x what the part has written
 * @param sum of the parts up to now
 * @param part number of the part
 * @param parts how many there are
 */
export function addPart(tape: Tape, x: Tensor, sum: Tensor, part: number, parts: number): void {
  const launch = elementwise(KERNEL, "mean", { x, sum }, { scale: 1 / parts });
  tape.dispatch({ ...launch, constants: { ...launch.constants, FIRST: part === 0, LAST: part === parts - 1 } });
}

/** Adds tensors up that each part of a batch writes anew, and leaves their means over the parts in them. */
export class PartMeans {
  readonly #plans: readonly Plan[];
  readonly #sums: readonly PlacedTensor[];

  /**
   * Records the sums.
   *
   * @param parts how many, at least 2
   */
  constructor(gpu: Gpu, tensors: readonly PlacedTensor[], parts: number) {
    this.#sums = tensors.map(({ storage, shape }) => createTensor(gpu, `sum of ${storage.label}`, shape));
    this.#plans = Array.from({ length: parts }, (_, part) => {
      const tape = new Tape(gpu, { training: false });
      tensors.forEach((x, i) => addPart(tape, x, this.#sums[i]!, part, parts));
      return tape.compile();
    });
  }

  /** Adds what a part has written; after the last, the means are there. */
  add(part: number): void {
    this.#plans[part]!.run();
  }

  /** Frees the buffers. */
  [Symbol.dispose](): void {
    for (const plan of this.#plans) plan[Symbol.dispose]();
    for (const { storage } of this.#sums) storage.place.buffer.destroy();
  }
}
