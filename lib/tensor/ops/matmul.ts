/** @file Matrix products: the launch of kernels/matmul.wgsl, for layers and losses. */

import matmulSource from "../../../kernels/matmul.wgsl" with { type: "text" };
import geluSource from "../../../kernels/lib/gelu.wgsl" with { type: "text" };
import type { Tape } from "../tape.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import { linearGrid } from "./grid.ts";

const KERNEL = { name: "matmul", source: matmulSource + geluSource };

/** What a product does besides multiplying. */
export interface MatmulOptions {
  /** A is given as (K, M). */
  readonly aTransposed?: boolean;
  /** B is given as (N, K). */
  readonly bTransposed?: boolean;
  /** Factor of the product. */
  readonly alpha?: number;
  /** (N), added to each row. */
  readonly bias?: Tensor;
  /** Receives the value before GELU, which is then applied. */
  readonly geluPre?: Tensor;
  /** (M, N): the product is multiplied by the derivative of GELU there. */
  readonly geluGrad?: Tensor;
  /** (M, N), added at the end. */
  readonly residual?: Tensor;
}

/**
 * Records C = op(A) op(B) with its epilogue.
 *
 * @param c receives the (M, N) result
 * @param sizes M, N and K
 */
export function matmul(
  tape: Tape,
  a: Tensor,
  b: Tensor,
  c: Tensor,
  sizes: [number, number, number],
  options: MatmulOptions = {},
): void {
  const [m, n, k] = sizes;
  const { aTransposed = false, bTransposed = false, alpha = 1 } = options;
  // the contiguous axes of A, B and C
  const vectorised = [aTransposed ? m : k, bTransposed ? k : n, n].every((size) => size % 4 === 0);
  const { bias, geluPre, geluGrad, residual } = options;
  const splittable = !bias && !geluPre && !geluGrad && !residual;
  const tile = chooseTile(tape, m, n, splittable ? k : 0, vectorised);
  const kStep = vectorised && !(aTransposed && !bTransposed) ? 4 : 1;
  const kPerSplit = Math.ceil(k / tile.splits / kStep) * kStep;
  const splits = Math.ceil(k / kPerSplit);
  const parts = splits > 1 ? tape.tensor(`parts of ${c.storage.label}`, [splits, m, n]) : c;
  const tensors = Object.entries({ a, b, c: parts, bias, pre_out: geluPre, pre: geluGrad, residual });
  const bound = tensors.filter((entry): entry is [string, Tensor] => entry[1] !== undefined);
  const bindings = Object.fromEntries(bound.map(([name, tensor]) => [vectorised ? `${name}4` : name, tensor]));
  tape.dispatch({
    kernel: KERNEL,
    entry: vectorised ? "vectorised" : "general",
    label: c.storage.label,
    constants: {
      TM: tile.tm,
      TN: tile.tn,
      KSTEP: kStep,
      A_TRANSPOSED: aTransposed,
      B_TRANSPOSED: bTransposed,
      ALPHA: alpha,
      BIAS: bias !== undefined,
      GELU: geluPre !== undefined,
      GELU_GRAD: geluGrad !== undefined,
      RESIDUAL: residual !== undefined,
    },
    bindings,
    dims: [m, n, k, kPerSplit],
    workgroups: [Math.ceil(m / (tile.tm * 8)), Math.ceil(n / tile.tn), splits],
  });
  if (splits > 1) {
    tape.dispatch({
      kernel: KERNEL,
      entry: "sum_parts",
      label: c.storage.label,
      constants: {},
      bindings: { parts, c },
      workgroups: linearGrid(sizeOf([m, n])),
    });
  }
}

/** Tile of one invocation, and splits of a sum over k (0 if it may not be split: an epilogue needs the whole sum). */
function chooseTile(tape: Tape, m: number, n: number, k: number, vectorised: boolean): { tm: number; tn: number; splits: number } {
  const most = tape.gpu.adapter.software ? 16 : 8;
  const fit = (size: number) => [4, 8, 16].filter((t) => t <= most).findLast((t) => t <= size) ?? 4;
  const [tm, tn] = vectorised ? [fit(m), fit(n)] : [4, 4];
  const invocations = Math.ceil(m / tm) * Math.ceil(n / tn);
  const wanted = tape.gpu.adapter.software ? 64 : 16384;
  const splits = Math.max(1, Math.min(Math.floor(wanted / invocations), Math.floor(k / 64)));
  return { tm, tn, splits };
}
