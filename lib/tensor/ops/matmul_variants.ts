/** @file Which variants of the matrix product suit an adapter and sizes. */

import { type AdapterFacts, computesByVectors, vectorOf } from "../../gpu/adapter.ts";
import { MOST_TURNS } from "../../gpu/launch_bounds.ts";
import { fitsTexels } from "../../gpu/texels.ts";

/** How a product is computed. */
export interface Variant {
  /** Entry point of kernels/matmul.wgsl or matmul_tiled.wgsl. */
  readonly entry: "general" | "vectorised" | "broadcast" | "tiled";
  /** Rows of the tile of one invocation. */
  readonly tm: number;
  /** Its columns. */
  readonly tn: number;
  /** Tiles of a workgroup, along rows and columns. */
  readonly width: readonly [number, number];
  /** Segments of a sum are multiples of it; for tiled also the rows in workgroup memory. */
  readonly kStep: number;
  /** Segments into which the sum is cut. */
  readonly segments: number;
  /** What broadcast reads from a texture (kernels/lib/texels.wgsl) and not from a buffer. */
  readonly sampled?: readonly Operand[];
}

/** What a product multiplies. */
export type Operand = "a" | "b";

/** M, N and K. */
export type Sizes = readonly [m: number, n: number, k: number];

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

/** What of an adapter decides. */
export type ProductAdapter = Pick<AdapterFacts, "software" | "subgroup" | "workgroupMemory">;

/** A variant but for the number of segments. */
type Shape = Omit<Variant, "segments">;

/** Multiplications from which on the software adapter should compile larger tiles, or several to choose from. */
const LARGE = 2 ** 28;
/** Multiplications from which on a GPU should. */
const LARGE_ON_GPU = 2 ** 22;
/** Elements of A and B that the cache of a processor's core keeps while all tiles go over them. */
const CACHED = 2 ** 18;
/** Most segments for the sake of it: each has a C of its own. */
const MOST_FOR_CACHE = 64;

/** Columns of C from which on it pays to copy A to a texture; for A^T, whose loads take longer, it always does. */
const COLUMNS_WORTH_A_COPY = 64;

/** True if the tiles of all products and segments lie in one row of workgroups, of any width. */
export function tilesInRow(entry: Variant["entry"]): boolean {
  return entry === "general" || entry === "vectorised";
}

/** How a variant is called in files and messages. */
export function nameOf({ entry, tm, tn, kStep, segments, sampled = [] }: Variant): string {
  const textures = sampled.map((operand) => `, ${operand.toUpperCase()} from a texture`).join("");
  return `${entry} ${tm} x ${tn}, ${kStep} at a time${segments > 1 ? `, in ${segments} segments` : ""}${textures}`;
}

/** How a product is called in files and messages. */
export function describeProduct([m, n, k]: Sizes, { aTransposed, bTransposed, batches, splittable }: ProductLayout): string {
  const [a, b] = [aTransposed ? "A^T" : "A", bTransposed ? "B^T" : "B"];
  return `${batches > 1 ? `${batches} times ` : ""}${m} x ${n} x ${k} ${a} ${b}${splittable ? "" : " whole"}`;
}

/**
 * The variants to choose from, the one to use by default first.
 *
 * On the software adapter loads cost most and there is no shared memory worth the name, so tiles are as large as
 * compile times allow (they grow with the tile, and pay for large products only), and the lanes of a subgroup
 * share their loads of B. On a GPU workgroups share them through their memory; products too small to fill a tile of it
 * are computed in registers alone.
 */
export function variantsFor(adapter: ProductAdapter, sizes: Sizes, layout: ProductLayout): Variant[] {
  const [m, n, k] = sizes;
  const large = layout.batches * m * n * k >= (adapter.software ? LARGE : LARGE_ON_GPU);
  const shapes = shapesFor(adapter, sizes, layout, large);
  const variants = (large ? shapes : shapes.slice(0, 1)).flatMap((shape) => {
    const wanted = segmentsFor(adapter, shape, sizes, layout);
    const others = large && !adapter.software && layout.splittable ? [Math.ceil(wanted / 2), 2 * wanted] : [];
    return [wanted, ...others].map((segments) => ({ ...shape, segments: Math.min(segments, Math.ceil(k / shape.kStep)) }));
  });
  return [...new Map(variants.map((variant) => [nameOf(variant), variant])).values()];
}

function shapesFor(adapter: ProductAdapter, sizes: Sizes, layout: ProductLayout, large: boolean): Shape[] {
  const [m, n, k] = sizes;
  const { aTransposed, bTransposed, batches } = layout;
  const { software, subgroup: [lanes] } = adapter;
  // the contiguous axes of A, B and C
  const quads = [aTransposed ? m : k, bTransposed ? k : n, n].every((size) => size % 4 === 0);
  // tiles of a workgroup lie in a row: one vector of a software adapter, two or more subgroups of a GPU
  const width: Shape["width"] = [software ? vectorOf(adapter) : 64, 1];
  if (!quads) return [{ entry: "general", tm: 2, tn: 2, width, kStep: 1 }];
  // a sum over rows alone may have any length
  const vectorised = (tm: number, tn: number): Shape => {
    return { entry: "vectorised", tm, tn, width, kStep: aTransposed && !bTransposed ? 1 : 4 };
  };
  const sampled = sampledOf(sizes, layout);
  const broadcast = (tm: number, tn: number): Shape => ({ entry: "broadcast", tm, tn, width: [lanes, 1], kStep: 4, sampled });
  const tiled = (tm: number, tn: number, kStep: number): Shape => ({ entry: "tiled", tm, tn, width: [16, 16], kStep });
  // matrices of few rows would leave most of a subgroup idle; in batches there are others to fill it
  if (computesByVectors(adapter) && (batches === 1 || m >= 2 * lanes)) {
    const of = lanes === 8 ? byEight : bySixteen;
    return of(sizes, aTransposed, large).map(([tm, tn]) => broadcast(tm, tn)).filter(({ tn }) => tn <= Math.max(n, lanes));
  }
  const small = vectorised(fit(m, [4, 8]), fit(n, [4, 8]));
  if (software || m < 64 || n < 64) return [small];
  const [tm, tn] = [m >= 128 ? 8 : 4, n >= 128 ? 8 : 4];
  const all = [tiled(tm, tn, 16), tiled(tm, tn, 8), tiled(8, 4, 16), tiled(4, 8, 16), tiled(4, 4, 16), tiled(4, 4, 32), small];
  return all.filter((shape) => shape.entry !== "tiled" || workgroupBytes(shape) <= adapter.workgroupMemory);
}

type Tile = readonly [tm: number, tn: number];

/** Tiles of a software adapter that computes eight numbers at a time. */
function byEight([m, n]: Sizes, aTransposed: boolean, large: boolean): Tile[] {
  // sums over few rows of A^T come in tiles of few rows: a larger one is another kernel to compile
  const tm = m >= 64 && (large || !aTransposed || n < 32) ? 8 : 4;
  return [[tm, fit(n, [8, 16, 32])], [8, 16], [4, 32], [16, 16]];
}

/** Tiles of one that computes sixteen: with AVX-512, and LP_NATIVE_VECTOR_WIDTH=512 in llvmpipe's environment. */
function bySixteen([m, n]: Sizes, aTransposed: boolean, large: boolean): Tile[] {
  const first: Tile = large || aTransposed || m < 128 ? [4, fit(n, [16, 32, 64])] : [8, fit(n, [16, 32])];
  return [first, [8, 32], [4, 32], [8, 16]];
}

/** The operands to copy to textures. Matrices of batches lie within larger tensors: to copy those would take longer than it saves. */
function sampledOf([m, n, k]: Sizes, { aTransposed, batches }: ProductLayout): Operand[] {
  const fits = (numbers: number) => batches === 1 && fitsTexels(4 * numbers);
  const worth = { a: (aTransposed || n >= COLUMNS_WORTH_A_COPY) && fits(m * k), b: fits(n * k) };
  return (["a", "b"] as const).filter((operand) => worth[operand]);
}

/** Two buffers of kStep rows of A and of B. */
function workgroupBytes({ tm, tn, width, kStep }: Shape): number {
  return 2 * kStep * 4 * (tm * width[1] + tn * width[0]);
}

/**
 * Enough segments for the invocations, or workgroups, that keep an adapter busy, and for the loop of each to end. On a software adapter,
 * where a tile of A^T goes down all rows of A and B, also so many that these rows are still in its cache when the next tile does.
 */
function segmentsFor(
  { software }: ProductAdapter,
  { entry, tm, tn, width, kStep }: Shape,
  [m, n, k]: Sizes,
  { aTransposed, batches, splittable }: ProductLayout,
): number {
  if (!splittable) return 1;
  const [tileRows, tileColumns] = entry === "tiled" ? [tm * width[0], tn * width[1]] : [tm, tn];
  const tiles = batches * Math.ceil(m / tileRows) * Math.ceil(n / tileColumns);
  const wanted = software ? 64 : entry === "tiled" ? 512 : 16384;
  const least = software ? Math.ceil(k / (kStep * (MOST_TURNS - 1))) : 1;
  const cached = software && aTransposed ? Math.min(MOST_FOR_CACHE, Math.ceil(k * (m + n) / CACHED)) : 1;
  return Math.max(least, Math.min(Math.max(cached, Math.floor(wanted / tiles)), Math.floor(k / 64)));
}

/** The largest of the sizes that does not exceed n; the smallest if all do. */
function fit(n: number, sizes: readonly number[]): number {
  return sizes.findLast((size) => size <= n) ?? sizes[0]!;
}
