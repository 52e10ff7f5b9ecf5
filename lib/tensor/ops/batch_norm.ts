/** @file Batch normalisation with running statistics. */

import batchNormSource from "../../../kernels/batch_norm.wgsl" with { type: "text" };
import { kernelOf } from "../../gpu/kernel.ts";
import type { Parameter } from "../parameters.ts";
import type { Launch } from "../launch.ts";
import type { Tape } from "../tape.ts";
import type { PlacedTensor, Tensor } from "../tensor.ts";
import { expectColumns } from "./add.ts";
import { GELU_DERIVATIVE } from "./gelu.ts";
import { lanesFor, numbersIn, segmentsFor, turnsOf, workgroupsFor, workgroupsForTable } from "./grid.ts";

const KERNEL = kernelOf("batch_norm", batchNormSource);

/** The tensors of a batch normalisation. */
export interface BatchNormTensors {
  /** (D) */
  readonly weight: Parameter;
  /** (D) */
  readonly bias: Parameter;
  /** (D), moved by a training step, used for predicting. */
  readonly runningMean: PlacedTensor;
  /** (D), as runningMean. */
  readonly runningVar: PlacedTensor;
}

/** How much a launch computes. */
type LaunchSize = Pick<Launch, "workgroups"> & Partial<Launch>;

/**
 * Normalises each column over all rows: by the batch when training, by the running statistics otherwise.
 * eps is 1e-5 and momentum 0.1, as in PyTorch.
 *
 * @param x (..., D)
 * @param groups equal parts of the first axis that are normalised each by itself
 * @param moments (B, 2, D): mean and sum of squared deviations of each image, if they are known
 */
export function batchNorm(tape: Tape, x: Tensor, tensors: BatchNormTensors, groups = 1, moments?: Tensor): Tensor {
  const { weight, bias, runningMean, runningVar } = tensors;
  const dim = weight.shape[0]!;
  const allRows = expectColumns(x, dim, weight.name);
  const images = x.shape[0]!;
  const parts = tape.training ? groups : 1;
  if (images % parts !== 0) throw new Error(`Cannot split ${images} images of "${x.storage.label}" into ${groups} equal groups`);
  const rows = allRows / parts;
  const label = weight.name.replace(/\.weight$/, "");
  const { Number, count } = numbersIn(dim);
  // what cannot be bound at once is summed image by image
  const byImages = moments !== undefined || tape.atOnce(images, [x]) < images;
  const segments = byImages ? images / parts : segmentsFor(rows, count * parts);
  const lanes = lanesFor(tape, count);
  const constants = { Number, DIM: count, GROUPS: parts, RUNNING: !tape.training };
  const perColumn = {
    constants: { ...constants, WIDTH: lanes },
    workgroups: workgroupsFor(count, lanes),
    turns: turnsOf(parts, turnsOf(segments)),
  };
  const perSegment = (cut: readonly string[]): LaunchSize => {
    const part = (first: number, n: number) => ({
      dims: { rows, first_row: allRows / images * first, first, segments: n },
      workgroups: workgroupsForTable(count, n, lanes),
    });
    return {
      ...perColumn,
      ...part(0, parts * segments),
      turns: 2 * turnsOf(rows / segments),
      split: { units: images, cut, part },
    };
  };
  const perElement = (cut: readonly string[]): LaunchSize => {
    const part = (first: number, n: number) => ({
      dims: { rows, first_row: allRows / images * first },
      workgroups: workgroupsFor(allRows / images * n * count),
    });
    return { ...part(0, images), split: { units: images, cut, part } };
  };

  const launch = (entry: string, bindings: Record<string, Tensor>, extent: LaunchSize) =>
    tape.dispatch({ kernel: KERNEL, entry, label, constants, bindings, dims: { rows }, ...extent });

  const mean = tape.tensor(`${label}.mean`, [parts, dim]);
  const rstd = tape.tensor(`${label}.rstd`, [parts, dim]);
  const normalisers = { mean_out: mean, rstd_out: rstd };
  if (tape.training) {
    const ofSegments = moments ?? tape.tensor(`${label}.moments`, [parts, segments, 2, dim]);
    if (!moments) launch("statistics", { x, parts_out: ofSegments }, perSegment(["x"]));
    launch("merge", { parts: ofSegments, ...normalisers }, perColumn);
    launch("update_running", { parts: ofSegments, running_mean_out: runningMean, running_var_out: runningVar }, {
      ...perColumn,
      commit: true,
    });
  } else {
    launch("from_running", { running_mean: runningMean, running_var: runningVar, ...normalisers }, perColumn);
  }
  const y = tape.tensor(label, x.shape);
  launch("normalise", { x, mean, rstd, weight, bias, y }, perElement(["x", "y"]));

  tape.derive(y, [x, weight, bias], (dy) => {
    const partial = tape.tensor(`parts of ${label}`, [parts, segments, 2, dim]);
    const sums = tape.tensor(`sums of ${label}`, [parts, 2, dim]);
    launch("backward_sums", { x, mean, rstd, dy, parts_out: partial }, perSegment(["x", "dy"]));
    tape.accumulateParameter(
      weight,
      (dweight) =>
        tape.accumulateParameter(
          bias,
          (dbias) => launch("backward_merge", { parts: partial, sums_out: sums, dweight, dbias }, perColumn),
        ),
    );
    if (!tape.wants(x)) return;
    const dx = tape.tensor(`gradient of ${x.storage.label}`, x.shape);
    const pre = GELU_DERIVATIVE.valueIn(tape.take(x, [GELU_DERIVATIVE]));
    launch("backward_input", { x, mean, rstd, weight, dy, sums, dx, ...(pre && { pre }) }, {
      ...perElement(["x", "dy", "dx", ...(pre ? ["pre"] : [])]),
      constants: { ...constants, GELU_BACKWARD: pre !== undefined },
    });
    tape.accumulate(x, dx);
  });
  return y;
}
