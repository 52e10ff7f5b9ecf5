/** @file Layer normalisation. */

import layerNormSource from "../../../kernels/layer_norm.wgsl" with { type: "text" };
import groupSource from "../../../kernels/layer_norm_group.wgsl" with { type: "text" };
import type { AdapterFacts } from "../../gpu/adapter.ts";
import { kernelOf } from "../../gpu/kernel.ts";
import type { Parameter } from "../parameters.ts";
import type { Bindings, Range } from "../launch.ts";
import type { Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import { expectColumns } from "./add.ts";
import { addPartials } from "./column_sum.ts";
import { type Draw, drawFor, dropConstants, dropDims, dropFirst, type DropRates, residual, residualGradient } from "./dropout.ts";
import { lanesFor, numbersIn, segmentsFor, segmentsOfRanges, turnsOf, workgroupsFor, workgroupsForTable } from "./grid.ts";

const BY_INVOCATION = kernelOf("layer_norm", layerNormSource);
const BY_GROUP = kernelOf("layer_norm_group", groupSource);
/** Most numbers, or quads, of a row that the registers of an invocation hold. */
const SHORT = 8;

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
  // an invocation that has a row to itself gains nothing by one kernel for both, and this is a kernel less to compile
  if (!tape.mayBind(8, x) || (options.by ?? workerFor(tape.gpu.adapter)) === "invocation") {
    const sum = residual(tape, x, branch, rates);
    return { sum, normed: layerNorm(tape, sum, weight, bias, options) };
  }
  const draw = drawFor(tape, rates);
  const sum = tape.like(x, branch.storage.label);
  residualGradient(tape, x, branch, sum, draw);
  return { sum, normed: normalise(tape, sum, weight, bias, options, { terms: { residual: x, branch }, draw }) };
}

/** What a normalised tensor is the sum of, where that is computed in the same pass. */
interface SumOf {
  readonly terms: Bindings;
  readonly draw: Draw | undefined;
}

function normalise(tape: Tape, x: Tensor, weight: Parameter, bias: Parameter, options: LayerNormOptions, sumOf?: SumOf): Tensor {
  const dim = weight.shape[0]!;
  const rows = expectColumns(x, dim, weight.name);
  const label = weight.name.replace(/\.weight$/, "");
  const y = tape.like(x, label);
  const mean = tape.tensor(`${label}.mean`, [rows]);
  const rstd = tape.tensor(`${label}.rstd`, [rows]);
  const { type, quads, count } = numbersIn(dim);
  const by = options.by ?? workerFor(tape.gpu.adapter);
  const together = by !== "invocation";
  const numbers = { Number: type, QUADS: quads };
  // in a short row, not many invocations would find a number
  const width = by === "subgroup" ? tape.gpu.adapter.subgroup[0] : together && count <= 32 ? 32 : 64;
  const short = !together && count <= SHORT;
  const worker = together
    ? { kernel: BY_GROUP, label, constants: { ...numbers, SUBGROUP: by === "subgroup", WIDTH: width } }
    : { kernel: BY_INVOCATION, label, constants: { ...numbers, ...(short && { ROW: count }) } };
  const turns = together ? 3 * (turnsOf(count / width) + turnsOf(Math.log2(width))) : 3 * turnsOf(count);
  const images = x.shape[0]!;
  const perRow = ({ count }: Range) => {
    const n = rows / images * count;
    return { workgroups: together ? n : workgroupsFor(n, width), turns };
  };
  const draw = sumOf?.draw;
  tape.dispatch({
    ...worker,
    entry: short ? "forward_short" : "forward",
    constants: {
      ...worker.constants,
      ...(sumOf && { RESIDUAL: true, DROP: draw !== undefined }),
      ...(draw && dropConstants(tape, draw, x)),
    },
    units: images,
    cut: { ...(sumOf ? { ...sumOf.terms, x_out: x } : { x }), y, mean_out: mean, rstd_out: rstd },
    bindings: { weight, bias, ...(draw && { step: tape.step }) },
    extent: (range) => ({
      // what is dropped, where the kernel does that
      dims: draw ? { drop: dropDims(draw, x), first: dropFirst(x, rows / images * count * range.first) } : {},
      ...perRow(range),
    }),
  });
  tape.derive(y, [x, weight, bias], (dy) => {
    const lanes = lanesFor(tape, count);
    const atOnce = tape.atOnce(images, [x, dy, mean, rstd]);
    const [all, segments] = segmentsOfRanges(segmentsFor(tape, rows, count), images, atOnce);
    const dweight = tape.tensor(`partials of ${label}.weight`, [all, dim]);
    const dbias = tape.tensor(`partials of ${label}.bias`, [all, dim]);
    tape.dispatch({
      kernel: BY_INVOCATION,
      entry: "backward_weight",
      label,
      constants: { ...numbers, WIDTH: lanes },
      units: images,
      cut: { x, dy, mean, rstd },
      bindings: { dweight_partials: dweight, dbias_partials: dbias },
      extent: ({ index }) => ({
        dims: { numbers: count, segments, first: index * segments },
        workgroups: workgroupsForTable(count, segments, lanes),
        turns: turnsOf(rows / images * atOnce / segments),
      }),
    });
    tape.accumulateParameter(weight, (target) => addPartials(tape, dweight, target));
    tape.accumulateParameter(bias, (target) => addPartials(tape, dbias, target));
    if (!tape.wants(x)) return;
    const before = tape.gradient(x);
    const dx = tape.like(x, `gradient of ${x.storage.label}`);
    tape.dispatch({
      ...worker,
      entry: short ? "backward_input_short" : "backward_input",
      units: images,
      cut: { x, mean, rstd, dy, dx, ...(before && { dx_before: before }) },
      bindings: { weight, ...(!before && { dx_before: tape.unused }) },
      extent: (range) => ({ dims: { accumulate: before !== undefined }, ...perRow(range) }),
    });
    tape.replaceGradient(x, dx);
  });
  return y;
}
