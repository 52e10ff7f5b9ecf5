/** @file Dropout and drop path: what is drawn, and the pass that applies it where no other kernel does. */

import dropoutSource from "../../../kernels/dropout.wgsl" with { type: "text" };
import { kernelOf } from "../../gpu/kernel.ts";
import type { Dims } from "../../gpu/dims.ts";
import type { Constants } from "../../gpu/wgsl.ts";
import { type Work, WorkKind } from "../deferred.ts";
import type { Tape } from "../tape.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import { add } from "./add.ts";
import { numbersIn, workgroupsFor } from "./grid.ts";

const KERNEL = kernelOf("dropout", dropoutSource);

/** Probabilities of leaving out. */
export interface DropRates {
  /** Of an element. */
  readonly dropout?: number;
  /** Of a whole image's branch. */
  readonly path?: number;
}

/** One use of randomness in a step: it draws the same each time it is applied. */
export interface Draw extends Required<DropRates> {
  /** Tells it from the other uses. */
  readonly stream: number;
}

/** A use of randomness with these rates; undefined if nothing is to be left out. */
export function drawFor(tape: Tape, { dropout = 0, path = 0 }: DropRates): Draw | undefined {
  return tape.training && (dropout > 0 || path > 0) ? { dropout, path, stream: tape.nextStream() } : undefined;
}

/** Where a launch for a range of a tensor begins to count elements; those of active tokens are counted by their places. */
export function dropFirst(x: Tensor, first: number): number {
  return x.tokens ? 0 : first;
}

/** Constants of kernels that apply a draw to a tensor: what is never left out is not drawn. */
export function dropConstants(tape: Tape, { dropout, path }: Draw, x: Tensor): Constants {
  return { DROP_ELEMENTS: dropout > 0, DROP_PATHS: path > 0, ...tape.placement, ...(x.tokens && { DROP_ROW: perImage(x) }) };
}

/** The fields of `struct Drop` in kernels/lib/drop.wgsl, for a tensor. */
export function dropDims({ stream, dropout, path }: Draw, x: Tensor): Dims {
  return { stream, per_image: perImage(x), rate: dropout, path_rate: path };
}

/** Elements of an image, or of an active token. */
function perImage({ shape }: Tensor): number {
  return sizeOf(shape) / shape[0]!;
}

/** What was left out of the output has to be left out of the gradient. */
export const DROP: WorkKind<Draw> = new WorkKind("dropout");

/** What is left to do to the gradient of what a draw was applied to. */
export function dropWork(tape: Tape, draw: Draw): Work<Draw> {
  return DROP.of(draw, (dy) => applyDrop(tape, draw, dy));
}

/** Leaves elements out with a probability and scales the others up; does nothing when predicting. */
export function dropout(tape: Tape, x: Tensor, rate: number): Tensor {
  const draw = drawFor(tape, { dropout: rate });
  if (!draw) return x;
  const y = applyDrop(tape, draw, x);
  tape.derive(y, [x], (dy) => tape.accumulate(x, applyDrop(tape, draw, dy)));
  return y;
}

/**
 * y = x + branch, with dropout and drop path on the branch when training.
 *
 * @param x (B, ...)
 * @param branch of the same shape
 */
export function residual(tape: Tape, x: Tensor, branch: Tensor, rates: DropRates = {}): Tensor {
  const draw = drawFor(tape, rates);
  const y = draw ? applyDrop(tape, draw, branch, x) : add(tape, x, branch);
  residualGradient(tape, x, branch, y, draw);
  return y;
}

/** Registers the gradients of y = x + branch, however it is computed. */
export function residualGradient(tape: Tape, x: Tensor, branch: Tensor, y: Tensor, draw: Draw | undefined): void {
  tape.derive(y, [x, branch], (dy) => {
    tape.accumulate(branch, draw ? applyDrop(tape, draw, dy) : dy);
    tape.accumulate(x, dy);
  });
}

/** Records residual + drop(x), or drop(x) alone. */
export function applyDrop(tape: Tape, draw: Draw, x: Tensor, residual?: Tensor): Tensor {
  const y = tape.like(x, residual ? residual.storage.label : `dropout of ${x.storage.label}`);
  // four elements drawn together are of one image
  const { type, quads, count } = numbersIn(sizeOf(x.shape.slice(1)));
  tape.dispatch({
    kernel: KERNEL,
    entry: "apply",
    label: y.storage.label,
    constants: { Number: type, QUADS: quads, RESIDUAL: residual !== undefined, ...dropConstants(tape, draw, x) },
    units: x.shape[0]!,
    cut: residual ? { x, residual, y } : { x, y },
    bindings: { step: tape.step },
    extent: (range) => ({
      dims: { drop: dropDims(draw, x), first: dropFirst(x, range.first * count) },
      workgroups: workgroupsFor(count * range.count),
    }),
  });
  return y;
}
