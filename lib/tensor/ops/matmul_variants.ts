/** @file Which variant of the matrix product suits an adapter and sizes. */

import type { AdapterFacts } from "../../gpu/device.ts";

/** How a product is computed. */
export interface Variant {
  /** Entry point of kernels/matmul.wgsl. */
  readonly entry: "general" | "vectorised" | "broadcast" | "tiled";
  /** Rows of the tile of one invocation. */
  readonly tm: number;
  /** Its columns. */
  readonly tn: number;
  /** Tiles of a workgroup, along rows and columns. */
  readonly width: readonly [number, number];
  /** The parts of a sum that is cut are multiples of it. */
  readonly kStep: number;
  /** Parts into which the sum is cut. */
  readonly splits: number;
}

/** What a variant has to suit beside the sizes. */
export interface ProductLayout {
  /** A is given as (K, M). */
  readonly aTransposed: boolean;
  /** B is given as (N, K). */
  readonly bTransposed: boolean;
  /** Products of these sizes that are computed at once. */
  readonly batches: number;
  /** The sum may be cut: no epilogue needs the whole of it. */
  readonly splittable: boolean;
}

/** Multiplications from which on a larger tile is worth its compile time. */
const LARGE = 2 ** 28;
/** Rows of the parts in workgroup memory. */
const KTILE = 16;

/**
 * The variant for an adapter and sizes.
 *
 * On the software adapter loads cost most and there is no shared memory worth the name, so tiles are as large as
 * compile times allow (they grow with the tile, and pay for large products only), and the eight lanes of a subgroup
 * share their loads of B. On a GPU workgroups share them through their memory; products too small to fill a tile of it
 * are computed in registers alone.
 */
export function chooseVariant(
  { software, subgroup }: Pick<AdapterFacts, "software" | "subgroup">,
  [m, n, k]: readonly [number, number, number],
  { aTransposed, bTransposed, batches, splittable }: ProductLayout,
): Variant {
  // the contiguous axes of A, B and C
  const quads = [aTransposed ? m : k, bTransposed ? k : n, n].every((size) => size % 4 === 0);
  const splitsFor = (workgroups: number, wanted: number) =>
    splittable ? Math.max(1, Math.min(Math.floor(wanted / workgroups), Math.floor(k / 64))) : 1;
  if (!quads) {
    const groups = batches * Math.ceil(m / 2) * Math.ceil(n / 2);
    return { entry: "general", tm: 2, tn: 2, width: [8, 1], kStep: 1, splits: splitsFor(groups, software ? 64 : 16384) };
  }
  // matrices of few rows would leave most of a subgroup idle; in batches there are others to fill it
  if (software && subgroup[0] === 8 && subgroup[1] === 8 && (batches === 1 || m >= 64)) {
    const tn = fit(n, m * n * k >= LARGE ? [8, 16, 32] : [8, 16]);
    const groups = Math.ceil(m / 8) * Math.ceil(n / tn);
    return { entry: "broadcast", tm: 8, tn, width: [8, 1], kStep: 4, splits: splitsFor(groups, 64) };
  }
  if (!software && m >= 64 && n >= 64) {
    const tm = m >= 128 ? 8 : 4, tn = n >= 128 ? 8 : 4;
    const groups = batches * Math.ceil(m / (16 * tm)) * Math.ceil(n / (16 * tn));
    return { entry: "tiled", tm, tn, width: [16, 16], kStep: KTILE, splits: splitsFor(groups, 512) };
  }
  const [tm, tn] = [fit(m, [4, 8]), fit(n, [4, 8])];
  const groups = batches * Math.ceil(m / tm) * Math.ceil(n / tn);
  // a sum over rows alone may have any length
  const kStep = aTransposed && !bTransposed ? 1 : 4;
  return { entry: "vectorised", tm, tn, width: [8, 1], kStep, splits: splitsFor(groups, software ? 64 : 16384) };
}

/** The largest of the sizes that does not exceed n; the smallest if all do. */
function fit(n: number, sizes: readonly number[]): number {
  return sizes.findLast((size) => size <= n) ?? sizes[0]!;
}
