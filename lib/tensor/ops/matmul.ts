/** @file Matrix products: the launch of kernels/matmul.wgsl and matmul_tiled.wgsl, for layers and losses. */

import matmulSource from "../../../kernels/matmul.wgsl" with { type: "text" };
import tiledSource from "../../../kernels/matmul_tiled.wgsl" with { type: "text" };
import type { Gpu } from "../../gpu/device.ts";
import { kernelOf } from "../../gpu/kernel.ts";
import type { Bindings, Launch } from "../launch.ts";
import type { Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import { addPartials } from "./column_sum.ts";
import { dropConstants } from "./dropout.ts";
import { workgroupsFor } from "./grid.ts";
import {
  countOf,
  denseView,
  type Epilogue,
  extentOf,
  type MatmulOptions,
  type Product,
  roundUp,
  unitsOf,
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
  if (product.segments.all > 1) addSegments(tape, product);
}

function prepare(tape: Tape, a: Tensor, b: Tensor, c: Tensor, sizes: Sizes, options: MatmulOptions): Product {
  const [m, n, k] = sizes;
  const { aTransposed = false, batches } = options;
  let { bTransposed = false } = options;
  const rest = epilogueOf(tape, c, options);
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
  // a sum over rows that cannot be bound at once has a segment for each range of them
  const images = a.shape[0]!;
  const ranges = aTransposed && !batches ? Math.ceil(images / tape.atOnce(images, [a, b])) : 1;
  const wanted = splittable ? Math.ceil(k / roundUp(k / variant.segments, variant.kStep)) : 1;
  const segments = ranges > 1 ? { all: ranges, each: 1 } : { all: wanted, each: wanted };
  const result = segments.all > 1 ? tape.tensor(`partials of ${c.storage.label}`, [segments.all, m, n]) : c;
  const sums = rowSumsFor(tape, options.rowSums, aTransposed || variant.entry === "general", [segments.all, count * m]);
  // a pass of its own begins with what comes before GELU
  const stored = (variant.entry !== "tiled" && options.geluPre) || result;
  const operands = { a, b, c: stored, ...(sums && { row_sums: sums }) };
  return { sizes, options, c, variant, views, aTransposed, bTransposed, segments, operands, rest };
}

/** The product, and all of its epilogue that the variant does in line. */
function multiply(tape: Tape, product: Product): void {
  const { options: { batches, bias }, variant, aTransposed, bTransposed, operands, rest } = product;
  const { entry, tm, tn, width, kStep, sampled = [] } = variant;
  const vectorised = entry !== "general";
  const inLine = entry === "tiled";
  const bindings = { ...operands, bias: bias ?? tape.unused, ...(inLine && rest?.bindings) };
  const whole = batches ? [] : aTransposed ? ["c", "row_sums"] : ["b", "row_sums"];
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
      ...(entry === "broadcast" && { LANES: width[0], A_SAMPLED: sampled.includes("a"), B_SAMPLED: sampled.includes("b") }),
      ...(inLine && { KTILE: kStep, ...rest?.constants }),
      ...(operands.a.tokens && { SUMMED: aTransposed, BY_IMAGE: batches !== undefined }),
    },
    units: unitsOf(product),
    ...boundBy(bindings, whole, vectorised, sampled),
    extent: (range) => extentOf(product, range),
  });
}

/** The rest of the epilogue, as a pass of its own: in place, or from what comes before GELU. */
function finishInPlace(tape: Tape, product: Product): void {
  const { c, sizes: [m, n], rest } = product;
  const { pre_out: pre, ...others } = rest!.bindings;
  const quads = n % 4 === 0;
  const units = unitsOf(product);
  tape.dispatch({
    kernel: KERNEL,
    entry: quads ? "epilogue4" : "epilogue",
    label: c.storage.label,
    constants: rest!.constants,
    units,
    ...boundBy({ c, ...others, ...(pre && { pre }) }, [], quads),
    extent: (range) => ({
      dims: extentOf(product, range).dims,
      workgroups: workgroupsFor(m * n * range.count / units / (quads ? 4 : 1)),
    }),
  });
}

/** Adds the partial sums, in order. */
function addSegments(tape: Tape, { c, operands, options: { rowSums } }: Product): void {
  addPartials(tape, operands.c, c);
  if (rowSums) addPartials(tape, operands.row_sums!, rowSums);
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

/** Where the kernel writes its row sums: partials, a tensor that nobody reads where it computes them unasked, or nowhere. */
function rowSumsFor(tape: Tape, wanted: Tensor | undefined, always: boolean, shape: [number, number]): Tensor | undefined {
  if (!wanted && !always) return undefined;
  return wanted && shape[0] === 1 ? wanted : tape.tensor(`row sums${wanted ? ` of ${wanted.storage.label}` : ""}`, shape);
}

/** Switches and tensors of the epilogue beyond the bias; undefined if there is nothing else. */
function epilogueOf(tape: Tape, c: Tensor, { geluPre, geluBackward, drop, residual }: Epilogue): Product["rest"] {
  if (!geluPre && !geluBackward && !drop && !residual) return undefined;
  const tensors = Object.entries({ pre_out: geluPre, pre: geluBackward, residual, step: drop && tape.step });
  return {
    constants: {
      GELU: !!geluPre,
      GELU_BACKWARD: !!geluBackward,
      DROP: !!drop,
      RESIDUAL: !!residual,
      ...(drop && dropConstants(tape, drop, c)),
    },
    bindings: Object.fromEntries(tensors.filter((entry): entry is [string, Tensor] => entry[1] !== undefined)),
  };
}

/**
 * What a launch binds, range by range but for what is whole in each.
 *
 * @param quads whether the kernel moves four values at a time: names of such bindings end in 4
 * @param sampled names of those that it reads from textures
 */
function boundBy(
  tensors: Bindings,
  whole: readonly string[],
  quads: boolean,
  sampled: readonly string[] = [],
): Required<Pick<Launch, "bindings" | "cut">> {
  const bindingOf = (name: string) => sampled.includes(name) ? `${name}_texels` : quads && name !== "step" ? `${name}4` : name;
  const named = (isWhole: boolean) =>
    Object.fromEntries(
      Object.entries(tensors)
        .filter(([name]) => [...whole, "bias", "step"].includes(name) === isWhole)
        .map(([name, x]) => [bindingOf(name), x]),
    );
  return { bindings: named(true), cut: named(false) };
}
