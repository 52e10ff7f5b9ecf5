/** @file Matrix products: the launch of kernels/matmul.wgsl and matmul_tiled.wgsl, for layers and losses. */

import matmulSource from "../../../kernels/matmul.wgsl" with { type: "text" };
import tiledSource from "../../../kernels/matmul_tiled.wgsl" with { type: "text" };
import type { Gpu } from "../../gpu/device.ts";
import { kernelOf } from "../../gpu/kernel.ts";
import type { Launch, LaunchSplit } from "../launch.ts";
import type { Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import { finishColumnSum } from "./column_sum.ts";
import { turnsOf, workgroupsFor } from "./grid.ts";
import {
  byRows,
  countOf,
  denseView,
  type Epilogue,
  type Extent,
  extentOf,
  type MatmulOptions,
  type Product,
  roundUp,
  type Views,
} from "./matmul_product.ts";
import {
  describeProduct,
  nameOf,
  type ProductLayout,
  type Sizes,
  tilesInRow,
  type Variant,
  variantsFor,
} from "./matmul_variants.ts";
import { transpose } from "./transpose.ts";

const KERNEL = kernelOf("matmul", matmulSource);
const TILED = kernelOf("matmul_tiled", tiledSource);

/** Text of all variants: what was measured of them holds as long as it does not change. */
export const PRODUCT_SOURCES: string = KERNEL.source + TILED.source;

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
  sizes: Sizes,
  options: MatmulOptions = {},
): void {
  const product = prepare(tape, a, b, c, sizes, options);
  multiply(tape, product);
  if (product.rest && product.variant.entry !== "tiled") finishInPlace(tape, product);
  if (product.splits > 1) sumSplits(tape, product);
}

function prepare(tape: Tape, a: Tensor, b: Tensor, c: Tensor, sizes: Sizes, options: MatmulOptions): Product {
  const [m, n, k] = sizes;
  const { aTransposed = false, batches } = options;
  let { bTransposed = false } = options;
  const rest = epilogueOf(tape, options);
  const count = countOf(batches), heads = batches?.heads ?? 1;
  const splittable = !options.bias && !options.relu && !rest && !batches;
  const layout = { aTransposed, bTransposed, batches: count, splittable };
  const variant = options.variant ?? chooseVariant(tape.gpu, sizes, layout);
  let views = batches?.views ?? denseViews(sizes, aTransposed, bTransposed, heads);
  if (variant.entry === "broadcast" && bTransposed) {
    b = transpose(tape, b, [batches?.images ?? 1, heads, n, k]);
    views = [views[0], denseView(k, n, heads), views[2]];
    bTransposed = false;
  }
  // a sum over rows that cannot be bound at once has a part for each piece
  const images = a.shape[0]!;
  const pieces = aTransposed && !batches ? Math.ceil(images / tape.atOnce(images, [a, b])) : 1;
  const wanted = splittable ? Math.ceil(k / roundUp(k / variant.splits, variant.kStep)) : 1;
  const splits = pieces > 1 ? pieces : wanted;
  const parts = splits > 1 ? tape.tensor(`parts of ${c.storage.label}`, [splits, m, n]) : c;
  const sums = rowSumsFor(tape, options.rowSums, aTransposed || variant.entry === "general", [splits, count * m]);
  const operands = { a, b, c: parts, ...(sums && { row_sums: sums }) };
  return { sizes, options, c, variant, views, aTransposed, bTransposed, splits, operands, rest };
}

/** The product, and all of its epilogue that the variant does in line. */
function multiply(tape: Tape, product: Product): void {
  const { options: { batches, bias }, variant: { entry, tm, tn, width, kStep }, aTransposed, bTransposed, operands, rest } =
    product;
  const { sizes: [, , k] } = product;
  const vectorised = entry !== "general";
  const inLine = entry === "tiled";
  const bindings = { ...operands, bias: bias ?? tape.unused, ...(inLine && rest?.bindings) };
  const images = operands.a.shape[0]!;
  const split: LaunchSplit = batches
    ? { units: batches.images, cut: Object.keys(operands), part: (_, n) => extentOf(product, { batches: n * batches.heads }) }
    : aTransposed
    ? { units: images, cut: ["a", "b"], part: (_, n, i) => extentOf(product, { k: k / images * n, splits: 1, firstSplit: i }) }
    : byRows(product, operands.c, Object.keys(bindings).filter((name) => name !== "b"), (extent) => extentOf(product, extent));
  tape.dispatch({
    kernel: inLine ? TILED : KERNEL,
    entry,
    label: product.c.storage.label,
    constants: {
      TM: tm,
      TN: tn,
      ...(vectorised && { A_TRANSPOSED: aTransposed, B_TRANSPOSED: bTransposed }),
      ...(entry === "vectorised" && { KSTEP: kStep }),
      ...(tilesInRow(entry) && { WIDTH: width[0] }),
      ...(inLine && { KTILE: kStep, ...rest?.constants }),
    },
    bindings: inQuads(bindings, vectorised),
    ...extentOf(product, {}),
    split: inQuadNames(split, vectorised),
  });
}

/** The rest of the epilogue, as a pass of its own. */
function finishInPlace(tape: Tape, product: Product): void {
  const { c, sizes: [m, n], rest } = product;
  const quads = n % 4 === 0;
  const bindings = { c, ...rest!.bindings };
  const part = ({ m: rows = m, first = 0 }: Partial<Extent>) => {
    return { ...extentOf(product, { first }), workgroups: workgroupsFor(quads ? rows * n / 4 : rows * n), turns: 0 };
  };
  tape.dispatch({
    kernel: KERNEL,
    entry: quads ? "epilogue4" : "epilogue",
    label: c.storage.label,
    constants: rest!.constants,
    bindings: inQuads(bindings, quads),
    ...part({}),
    split: inQuadNames(byRows(product, c, Object.keys(bindings), part), quads),
  });
}

/** Adds the parts of a sum, in order. */
function sumSplits(tape: Tape, { c, sizes: [m, n], operands, options: { rowSums } }: Product): void {
  tape.dispatch({
    kernel: KERNEL,
    entry: "sum_parts",
    label: c.storage.label,
    constants: {},
    bindings: { parts: operands.c, c },
    workgroups: workgroupsFor(m * n),
    turns: turnsOf(operands.c.shape[0]!),
  });
  if (rowSums) finishColumnSum(tape, operands.row_sums!, rowSums);
}

/** What is known of a product whose variants are to be measured. */
export interface ProductQuestion {
  /** M, N and K. */
  readonly sizes: Sizes;
  /** How the matrices lie. */
  readonly layout: ProductLayout;
}

function chooseVariant({ adapter, choices }: Gpu, sizes: Sizes, layout: ProductLayout): Variant {
  const variants = variantsFor(adapter, sizes, layout);
  if (variants.length === 1) return variants[0]!;
  return choices.choose(describeProduct(sizes, layout), variants, nameOf, { sizes, layout } satisfies ProductQuestion);
}

/** Views of matrices that fill their tensors. */
function denseViews([m, n, k]: Sizes, aTransposed: boolean, bTransposed: boolean, heads: number): Views {
  const stored = (rows: number, columns: number, transposed = false) => {
    return transposed ? denseView(columns, rows, heads) : denseView(rows, columns, heads);
  };
  return [stored(m, k, aTransposed), stored(k, n, bTransposed), stored(m, n)];
}

/** Where the kernel writes its row sums: parts, a tensor that nobody reads where it computes them unasked, or nowhere. */
function rowSumsFor(tape: Tape, wanted: Tensor | undefined, always: boolean, shape: [number, number]): Tensor | undefined {
  if (!wanted && !always) return undefined;
  return wanted && shape[0] === 1 ? wanted : tape.tensor(`row sums${wanted ? ` of ${wanted.storage.label}` : ""}`, shape);
}

/** Switches and tensors of the epilogue beyond the bias; undefined if there is nothing else. */
function epilogueOf(
  tape: Tape,
  { geluPre, geluBackward, drop, residual }: Epilogue,
): Pick<Launch, "constants" | "bindings"> | undefined {
  if (!geluPre && !geluBackward && !drop && !residual) return undefined;
  const tensors = Object.entries({ pre_out: geluPre, pre: geluBackward, residual, step: drop && tape.step });
  return {
    constants: { GELU: !!geluPre, GELU_BACKWARD: !!geluBackward, DROP: !!drop, RESIDUAL: !!residual },
    bindings: Object.fromEntries(tensors.filter((entry): entry is [string, Tensor] => entry[1] !== undefined)),
  };
}

/** Bindings of kernels that move four values at a time have names that end in 4. */
function quadName(name: string, quads: boolean): string {
  return quads && name !== "step" ? `${name}4` : name;
}

function inQuads(bindings: Readonly<Record<string, Tensor>>, quads: boolean): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(bindings).map(([name, x]) => [quadName(name, quads), x]));
}

function inQuadNames(split: LaunchSplit, quads: boolean): LaunchSplit {
  return { ...split, cut: split.cut.map((name) => quadName(name, quads)) };
}
