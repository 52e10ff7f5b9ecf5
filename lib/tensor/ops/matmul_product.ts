/** @file What a matrix product is, and what each launch computes of it. */

import type { Dims } from "../../gpu/dims.ts";
import type { Extent, Launch, Range } from "../launch.ts";
import type { Tensor } from "../tensor.ts";
import { type Draw, dropDims, dropFirst } from "./dropout.ts";
import { turnsOf, workgroupsForTable } from "./grid.ts";
import { type Sizes, tilesInRow, type Variant } from "./matmul_variants.ts";

/** What happens to a product before it is stored, in this order. It needs the whole sum of each element. */
export interface Epilogue {
  /** (N), added to each row. */
  readonly bias?: Tensor | undefined;
  /** Columns before this one go through ReLU. */
  readonly relu?: number | undefined;
  /** Receives the value before GELU, which is then applied. */
  readonly geluPre?: Tensor | undefined;
  /** The value is multiplied by GELU's derivative at these. */
  readonly geluBackward?: Tensor | undefined;
  /** Dropout and drop path. */
  readonly drop?: Draw | undefined;
  /** Added at last. */
  readonly residual?: Tensor | undefined;
}

/** Where the matrices of a batch lie in a tensor, in elements: `struct View` in kernels/lib/product.wgsl. */
export interface View {
  /** The first element of the first. */
  readonly first: number;
  /** From a row to the next. */
  readonly step_row: number;
  /** From an image to the next. */
  readonly step_image: number;
  /** From a head to the next. */
  readonly step_head: number;
}

/** Where the operands and the result of a product lie. */
export type Views = readonly [a: View, b: View, c: View];

/** The view of matrices that fill their tensor (images, heads, rows, columns). */
export function denseView(rows: number, columns: number, heads = 1): View {
  return { first: 0, step_row: columns, step_image: heads * rows * columns, step_head: rows * columns };
}

/** Many products of one size: for each head of each image. */
export interface Batches {
  /** How many images. */
  readonly images: number;
  /** Heads of an image. */
  readonly heads: number;
  /** Where A, B and C lie, if they do not fill their tensors. */
  readonly views?: Views;
}

/** How B lies, and what any product may have. */
export interface AnyProduct {
  /** B is given as (N, K). */
  readonly bTransposed?: boolean;
  /** Factor of the product. */
  readonly alpha?: number;
  /** How it is computed, instead of as suits the adapter. */
  readonly variant?: Variant;
}

/** One product of A as it is, with an epilogue. */
export interface FinishedProduct extends AnyProduct, Epilogue {
  /** The sums of A^T are over rows that may not be bound at once. */
  readonly aTransposed?: false;
  /** There is one. */
  readonly batches?: undefined;
  /** They are those of A^T. */
  readonly rowSums?: undefined;
}

/** Products without an epilogue: their sums may be cut, and there may be many. */
export interface PlainProduct extends AnyProduct, Readonly<Partial<Record<keyof Epilogue, undefined>>> {
  /** A is given as (K, M). */
  readonly aTransposed?: boolean;
  /** Computes many products. */
  readonly batches?: Batches;
  /** They are those of A^T: {@linkcode ProductWithSums}. */
  readonly rowSums?: undefined;
}

/** The same of A^T, with sums. */
export interface ProductWithSums extends Omit<PlainProduct, "aTransposed" | "rowSums"> {
  /** A is given as (K, M). */
  readonly aTransposed: true;
  /** Receives the sums over K of the rows of op(A): (M), in batches (images, heads, M). */
  readonly rowSums: Tensor;
}

/** How the matrices lie, and what a product does besides multiplying. */
export type MatmulOptions = FinishedProduct | PlainProduct | ProductWithSums;

/** A product with all that was decided about it. */
export interface Product {
  /** M, N and K. */
  readonly sizes: Sizes;
  /** What was asked for. */
  readonly options: MatmulOptions;
  /** Receives the result. */
  readonly c: Tensor;
  /** How it is computed. */
  readonly variant: Variant;
  /** Where A, B and C lie. */
  readonly views: Views;
  /** A is given as (K, M). */
  readonly aTransposed: boolean;
  /** B is given as (N, K); it may have been transposed for the variant. */
  readonly bTransposed: boolean;
  /** Segments of the sum, and of what a launch takes of it. */
  readonly segments: { readonly all: number; readonly each: number };
  /** What the first launch reads and writes: C, its partials or what comes before GELU, and the sums of rows or their partials. */
  readonly operands: Readonly<Record<"a" | "b" | "c", Tensor>> & { readonly row_sums?: Tensor };
  /** Switches and tensors of the epilogue beyond bias and ReLU. */
  readonly rest: Required<Pick<Launch, "constants" | "bindings">> | undefined;
}

/** What a launch computes of a product. */
interface Share {
  /** Rows. */
  readonly m: number;
  /** Terms of the sum. */
  readonly k: number;
  /** Products. */
  readonly batches: number;
  /** Elements of C before those that are bound. */
  readonly first: number;
  /** Segments of the sum before those of the launch. */
  readonly firstSegment: number;
}

/** How many products. */
export function countOf(batches: Batches | undefined): number {
  return batches ? batches.images * batches.heads : 1;
}

/** Units that a product is cut into: images of its batches, of the rows that are summed over, or of the rows of C. */
export function unitsOf({ sizes: [m], options: { batches }, aTransposed, operands: { a }, c }: Product): number {
  if (batches) return batches.images;
  if (aTransposed) return a.shape[0]!;
  return m % c.shape[0]! === 0 ? c.shape[0]! : 1;
}

function shareOf(product: Product, { first, count, index }: Range): Share {
  const { sizes: [m, n, k], options: { batches }, aTransposed, segments: { each } } = product;
  const units = unitsOf(product);
  const all = { m, k, batches: countOf(batches), first: 0, firstSegment: 0 };
  if (batches) return { ...all, batches: count * batches.heads };
  if (aTransposed) return { ...all, k: k * count / units, firstSegment: index * each };
  return { ...all, m: m * count / units, first: m * first / units * n };
}

/** What a launch takes to compute a range of a product's units. */
export function extentOf(product: Product, range: Range): Required<Extent> {
  const share = shareOf(product, range);
  return { dims: dimsOf(product, share), workgroups: workgroupsOf(product, share), turns: termTurns(product, share) };
}

function workgroupsOf({ sizes: [, n], variant, segments: { each } }: Product, { m, batches }: Share): number {
  const { entry, tm, tn, width } = variant;
  const products = batches * each;
  const inRow = tilesInRow(entry);
  const tiles = Math.ceil(m / tm), columns = Math.ceil(n / (tn * width[1]));
  return inRow ? workgroupsForTable(tiles * products, columns, width[0]) : Math.ceil(tiles / width[0]) * columns * products;
}

/** Turns of the loop over terms, of which tiled does one more. */
function termTurns({ variant: { entry, kStep }, segments: { each } }: Product, { k }: Share): number {
  return turnsOf(k / each / kStep + (entry === "tiled" ? 1 : 0));
}

/** The fields of `struct Dims` in kernels/lib/product.wgsl. */
function dimsOf(product: Product, { m, k, batches, first, firstSegment }: Share): Dims {
  const { sizes: [fullM, n], variant: { tm, kStep }, views: [a, b, c], aTransposed, bTransposed, options } = product;
  const { alpha = 1, bias, relu = 0, drop } = options;
  const { each } = product.segments;
  return {
    m,
    n,
    k,
    k_per_segment: roundUp(k / each, kStep),
    batches,
    heads: options.batches?.heads ?? 1,
    bias: bias !== undefined,
    relu,
    a: { ...a },
    b: { ...b },
    c: { ...c },
    a_strides: aTransposed ? [1, a.step_row] : [a.step_row, 1],
    b_strides: bTransposed ? [b.step_row, 1] : [1, b.step_row],
    alpha,
    segment_stride: fullM * n,
    row_tiles: Math.ceil(m / tm),
    segments: each,
    drop: drop && dropDims(drop, product.c),
    first: dropFirst(product.c, first),
    first_segment: firstSegment,
  };
}

/** The next multiple of a step. */
export function roundUp(x: number, step: number): number {
  return Math.ceil(x / step) * step;
}
