/** @file Batch normalisation with running statistics. */

import batchNormSource from "../../../kernels/batch_norm.wgsl" with { type: "text" };
import { kernelOf } from "../../gpu/kernel.ts";
import type { Parameter } from "../parameters.ts";
import type { Bindings, Extent, Launch, Range } from "../launch.ts";
import type { Tape } from "../tape.ts";
import { imagesAndTokens, type PlacedTensor, type Tensor } from "../tensor.ts";
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

/** How a batch is divided for its normalisation. */
export interface BatchGroups {
  /** Equal ranges of the first axis that are batches of their own (2 for the views of SimCLR); 1 by default. */
  readonly views?: number;
  /** Equal groups of each of them that are normalised by themselves; the running statistics move by their mean. 1 by default. */
  readonly groups?: number;
}

/**
 * Normalises each column over all rows: by the batch when training, by the running statistics otherwise.
 * eps is 1e-5 and momentum 0.1, as in PyTorch.
 *
 * @param x (..., D), or active tokens
 * @param division equal ranges of the first axis, or of the images of active tokens, that are normalised each by itself
 * @param moments (B, 2, D): mean and sum of squared deviations of each image, if they are known
 */
export function batchNorm(tape: Tape, x: Tensor, tensors: BatchNormTensors, division: BatchGroups = {}, moments?: Tensor): Tensor {
  const { weight, bias, runningMean, runningVar } = tensors;
  const dim = weight.shape[0]!;
  const allRows = expectColumns(x, dim, weight.name);
  const [images] = imagesAndTokens(x);
  const { views = 1, groups = 1 } = division;
  const batches = tape.training ? views * groups : 1;
  if (images % batches !== 0) throw new Error(`Cannot split ${images} images of "${x.storage.label}" into ${batches} equal groups`);
  const rows = allRows / batches;
  const label = weight.name.replace(/\.weight$/, "");
  const { type, count } = numbersIn(dim);
  // what cannot be bound at once is summed image by image
  const inRanges = tape.atOnce(images, [x]) < images, byImages = moments !== undefined || inRanges;
  const segments = byImages ? images / batches : segmentsFor(tape, rows, count * batches);
  const lanes = lanesFor(tape, count);
  const constants = {
    Number: type,
    DIM: count,
    GROUPS: batches,
    AVERAGED: groups,
    RUNNING: !tape.training,
    BY_IMAGE: inRanges && x.tokens !== undefined,
  };
  const rowsOf = (units: number) => allRows / images * units;
  const launch = (entry: string, more: Partial<Launch> & Pick<Launch, "extent">) =>
    tape.dispatch({ kernel: KERNEL, entry, label, tokens: x.tokens, ...more, constants: { ...constants, ...more.constants } });

  const perColumn = (entry: string, bindings: Bindings, commit = false) => {
    const extent = {
      dims: { rows, first_row: 0 },
      workgroups: workgroupsFor(count, lanes),
      turns: turnsOf(views, turnsOf(groups, turnsOf(segments))),
    };
    launch(entry, { constants: { WIDTH: lanes }, bindings, extent: () => extent, commit });
  };
  const perSegment = (entry: string, cut: Bindings, bindings: Bindings) => {
    const segmentsOf = (units: number) => batches * segments * units / images;
    const extent = (range: Range): Extent => ({
      dims: { rows, first_row: rowsOf(range.first), first: segmentsOf(range.first), segments: segmentsOf(range.count) },
      workgroups: workgroupsForTable(count, segmentsOf(range.count), lanes),
      turns: 2 * turnsOf(rows / segments),
    });
    launch(entry, { constants: { WIDTH: lanes }, units: images, cut, bindings, extent });
  };
  const perElement = (entry: string, cut: Bindings, bindings: Bindings, constants: Launch["constants"] = {}) => {
    const extent = (range: Range): Extent => {
      return { dims: { rows, first_row: rowsOf(range.first) }, workgroups: workgroupsFor(rowsOf(range.count) * count) };
    };
    launch(entry, { constants, units: images, cut, bindings, extent });
  };

  const mean = tape.tensor(`${label}.mean`, [batches, dim]);
  const rstd = tape.tensor(`${label}.rstd`, [batches, dim]);
  const normalisers = { mean_out: mean, rstd_out: rstd };
  if (tape.training) {
    const partials = moments ?? tape.tensor(`${label}.moments`, [batches, segments, 2, dim]);
    if (!moments) perSegment("statistics", { x }, { partials_out: partials });
    perColumn("merge", { partials, ...normalisers });
    perColumn("update_running", { partials, running_mean_out: runningMean, running_var_out: runningVar }, true);
  } else {
    perColumn("from_running", { running_mean: runningMean, running_var: runningVar, ...normalisers });
  }
  const y = tape.like(x, label);
  perElement("normalise", { x, y }, { mean, rstd, weight, bias });

  tape.derive(y, [x, weight, bias], (dy) => {
    const partials = tape.tensor(`partials of ${label}`, [batches, segments, 2, dim]);
    const sums = tape.tensor(`sums of ${label}`, [batches, 2, dim]);
    perSegment("backward_sums", { x, dy }, { mean, rstd, partials_out: partials });
    tape.accumulateParameter(
      weight,
      (dweight) =>
        tape.accumulateParameter(bias, (dbias) => perColumn("backward_merge", { partials, sums_out: sums, dweight, dbias })),
    );
    if (!tape.wants(x)) return;
    const dx = tape.like(x, `gradient of ${x.storage.label}`);
    const pre = GELU_DERIVATIVE.valueIn(tape.take(x, tape.mayBind(8, x) ? [GELU_DERIVATIVE] : []));
    perElement("backward_input", { x, dy, dx, ...(pre && { pre }) }, { mean, rstd, weight, sums }, {
      GELU_BACKWARD: pre !== undefined,
    });
    tape.accumulate(x, dx);
  });
  return y;
}
