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
  const { bias, geluPre } = options;
  const splittable = !bias && !geluPre;
  const { entry, tm, tn, kStep, splits: wanted } = chooseVariant(tape, sizes, vectorised, {
    splittable,
    anyLength: aTransposed && !bTransposed,
  });
  const kPerSplit = Math.ceil(k / wanted / kStep) * kStep;
  const splits = Math.ceil(k / kPerSplit);
  const parts = splits > 1 ? tape.tensor(`parts of ${c.storage.label}`, [splits, m, n]) : c;
  const tensors = Object.entries({ a, b, c: parts, bias, pre_out: geluPre });
  const bound = tensors.filter((entry): entry is [string, Tensor] => entry[1] !== undefined);
  const bindings = Object.fromEntries(bound.map(([name, tensor]) => [vectorised ? `${name}4` : name, tensor]));
  tape.dispatch({
    kernel: KERNEL,
    entry,
    label: c.storage.label,
    constants: {
      TM: tm,
      TN: tn,
      KSTEP: Math.min(kStep, 4),
      A_TRANSPOSED: aTransposed,
      B_TRANSPOSED: bTransposed,
      ALPHA: alpha,
      BIAS: bias !== undefined,
      GELU: geluPre !== undefined,
    },
    bindings,
    dims: [m, n, k, kPerSplit],
    workgroups: [Math.ceil(m / (tm * 8)), Math.ceil(n / tn), splits],
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

/** How a product is computed. */
interface Variant {
  readonly entry: "general" | "vectorised" | "broadcast";
  /** Tile of one invocation. */
  readonly tm: number;
  readonly tn: number;
  /** Steps of the sum between two loads. */
  readonly kStep: number;
  /** Parts into which the sum is cut. */
  readonly splits: number;
}

/**
 * The variant for an adapter and sizes.
 *
 * On the software adapter loads cost most and there is no shared memory worth the name, so tiles are as large as
 * compile times allow (they grow with the tile, and pay for large products only), and the eight lanes of a subgroup
 * share their loads of B.
 *
 * @param splittable the sum may be cut: no epilogue needs the whole of it
 * @param anyLength the sum runs over no contiguous axis, so its length need not be a multiple of 4
 */
function chooseVariant(
  tape: Tape,
  [m, n, k]: readonly [number, number, number],
  vectorised: boolean,
  { splittable, anyLength }: { readonly splittable: boolean; readonly anyLength: boolean },
): Variant {
  const { software, subgroup } = tape.gpu.adapter;
  const broadcast = vectorised && software && subgroup[0] === 8 && subgroup[1] === 8;
  const entry = !vectorised ? "general" : broadcast ? "broadcast" : "vectorised";
  const large = m * n * k >= LARGE;
  const [tm, tn] = !vectorised ? [4, 4] : broadcast ? [8, fit(n, large ? [8, 16, 32] : [8, 16])] : [fit(m, [4, 8]), fit(n, [4, 8])];
  const invocations = Math.ceil(m / tm) * Math.ceil(n / tn);
  const wanted = software ? 64 : 16384;
  const most = splittable ? Math.min(Math.floor(wanted / invocations), Math.floor(k / 64)) : 1;
  return { entry, tm, tn, kStep: broadcast ? 8 : vectorised && !anyLength ? 4 : 1, splits: Math.max(1, most) };
}

/** Multiplications from which on a larger tile is worth its compile time. */
const LARGE = 2 ** 28;

/** The largest of the sizes that does not exceed n; the smallest if all do. */
function fit(n: number, sizes: readonly number[]): number {
  return sizes.findLast((size) => size <= n) ?? sizes[0]!;
}
