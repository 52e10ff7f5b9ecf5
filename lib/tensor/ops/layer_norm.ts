/** @file Layer normalisation. */

import layerNormSource from "../../../kernels/layer_norm.wgsl" with { type: "text" };
import type { AdapterFacts } from "../../gpu/adapter.ts";
import { kernelOf } from "../../gpu/kernel.ts";
import type { Parameter } from "../parameters.ts";
import type { LaunchSplit } from "../launch.ts";
import type { Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import { expectColumns } from "./add.ts";
import { finishColumnSum } from "./column_sum.ts";
import { type Draw, drawFor, dropDims, type DropRates, residual, residualGradient } from "./dropout.ts";
import { lanesFor, numbersIn, segmentsFor, segmentsInParts, turnsOf, workgroupsFor, workgroupsForTable } from "./grid.ts";

const KERNEL = kernelOf("layer_norm", layerNormSource);

/**
 * What works on a row: one invocation, as suits software adapters, or on GPUs a workgroup, or a workgroup that is one subgroup. The
 * last two add a branch in the same pass.
 */
export type RowWorker = "invocation" | "workgroup" | "subgroup";

/** How a layer normalisation is computed. */
export interface LayerNormOptions {
  /** What works on a row. */
  readonly by?: RowWorker;
}

function workerFor({ software, subgroup: [least, most] }: AdapterFacts): RowWorker {
  if (software) return "invocation";
  return least === most && least >= 16 ? "subgroup" : "workgroup";
}

/**
 * Normalises the last axis to mean 0 and variance 1, then scales and shifts it; eps is 1e-5 as in PyTorch.
 *
 * @param x (..., D)
 * @param weight (D)
 * @param bias (D)
 * @param options how it is computed, instead of as suits the adapter
 */
export function layerNorm(tape: Tape, x: Tensor, weight: Parameter, bias: Parameter, options: LayerNormOptions = {}): Tensor {
  return normalise(tape, x, weight, bias, options);
}

/**
 * The sum of a tensor and a branch, with dropout and drop path on the branch when training, and its layer normalisation.
 *
 * @param x (B, ..., D)
 * @param branch of the same shape
 * @param options how it is computed, instead of as suits the adapter
 */
export function residualNorm(
  tape: Tape,
  x: Tensor,
  branch: Tensor,
  rates: DropRates,
  weight: Parameter,
  bias: Parameter,
  options: LayerNormOptions = {},
): { sum: Tensor; normed: Tensor } {
  // an invocation that has a row to itself gains nothing by it, and this is a kernel less to compile
  if ((options.by ?? workerFor(tape.gpu.adapter)) === "invocation") {
    const sum = residual(tape, x, branch, rates);
    return { sum, normed: layerNorm(tape, sum, weight, bias, options) };
  }
  const draw = drawFor(tape, rates);
  const sum = tape.tensor(branch.storage.label, x.shape);
  residualGradient(tape, x, branch, sum, draw);
  return { sum, normed: normalise(tape, sum, weight, bias, options, { residual: x, branch, draw }) };
}

/** What a normalised tensor is the sum of, where that is computed in the same pass. */
interface SumOf {
  readonly residual: Tensor;
  readonly branch: Tensor;
  readonly draw: Draw | undefined;
}

function normalise(tape: Tape, x: Tensor, weight: Parameter, bias: Parameter, options: LayerNormOptions, sumOf?: SumOf): Tensor {
  const dim = weight.shape[0]!;
  const rows = expectColumns(x, dim, weight.name);
  const label = weight.name.replace(/\.weight$/, "");
  const y = tape.tensor(label, x.shape);
  const mean = tape.tensor(`${label}.mean`, [rows]);
  const rstd = tape.tensor(`${label}.rstd`, [rows]);
  const { Number, QUADS, count } = numbersIn(dim);
  const by = options.by ?? workerFor(tape.gpu.adapter);
  const together = by !== "invocation";
  const numbers = { Number, QUADS };
  // of a short row, not many invocations would have a part
  const width = by === "subgroup" ? tape.gpu.adapter.subgroup[0] : together && count <= 32 ? 32 : 64;
  const constants = { ...numbers, TOGETHER: together, SUBGROUP: by === "subgroup", WIDTH: width };
  const turns = together ? 3 * (turnsOf(count / width) + turnsOf(Math.log2(width))) : 3 * turnsOf(count);
  const perRow = (n: number) => together ? n : workgroupsFor(n, width);
  const images = x.shape[0]!;
  const byImage = (cut: readonly string[]): LaunchSplit => {
    return { units: images, cut, part: (_, n) => ({ workgroups: perRow(rows / images * n) }) };
  };
  const outputs = { y, mean_out: mean, rstd_out: rstd };
  const { draw, ...terms } = sumOf ?? {};
  const inputs = sumOf ? { ...terms, x_out: x } as Record<string, Tensor> : { x };
  const drawn = draw && dropDims(draw, x.shape);
  tape.dispatch({
    kernel: KERNEL,
    entry: "forward",
    label,
    constants: { ...constants, RESIDUAL: sumOf !== undefined, DROP: draw !== undefined },
    bindings: { ...inputs, weight, bias, ...outputs, ...(draw && { step: tape.step }) },
    dims: { drop: drawn, first: 0 },
    workgroups: perRow(rows),
    turns,
    split: {
      units: images,
      cut: [...Object.keys(inputs), "y", "mean_out", "rstd_out"],
      part: (first, n) => ({ dims: { drop: drawn, first: rows / images * count * first }, workgroups: perRow(rows / images * n) }),
    },
  });
  tape.derive(y, [x, weight, bias], (dy) => {
    const lanes = lanesFor(tape, count);
    const atOnce = tape.atOnce(images, [x, dy, mean, rstd]);
    const [segments, each] = segmentsInParts(segmentsFor(rows, count), images, atOnce);
    const dweight = tape.tensor(`parts of ${label}.weight`, [segments, dim]);
    const dbias = tape.tensor(`parts of ${label}.bias`, [segments, dim]);
    tape.dispatch({
      kernel: KERNEL,
      entry: "backward_weight",
      label,
      constants: { ...numbers, WIDTH: lanes },
      bindings: { x, dy, mean, rstd, dweight_parts: dweight, dbias_parts: dbias },
      dims: { numbers: count, segments, first: 0 },
      workgroups: workgroupsForTable(count, segments, lanes),
      turns: turnsOf(rows / images * atOnce / each),
      split: {
        units: images,
        cut: ["x", "dy", "mean", "rstd"],
        part: (_first, _images, i) => ({
          dims: { numbers: count, segments: each, first: i * each },
          workgroups: workgroupsForTable(count, each, lanes),
        }),
      },
    });
    tape.accumulateParameter(weight, (target) => finishColumnSum(tape, dweight, target));
    tape.accumulateParameter(bias, (target) => finishColumnSum(tape, dbias, target));
    if (!tape.wants(x)) return;
    const before = tape.gradient(x);
    const dx = tape.tensor(`gradient of ${x.storage.label}`, x.shape);
    tape.dispatch({
      kernel: KERNEL,
      entry: "backward_input",
      label,
      constants,
      bindings: { x, weight, mean, rstd, dy, dx, dx_before: before ?? tape.unused },
      dims: { accumulate: before !== undefined },
      workgroups: perRow(rows),
      turns,
      split: byImage(["x", "mean", "rstd", "dy", "dx", ...(before ? ["dx_before"] : [])]),
    });
    tape.replaceGradient(x, dx);
  });
  return y;
}
