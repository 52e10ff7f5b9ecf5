/** @file Matrix products: the launch of kernels/matmul.wgsl, for layers and losses. */

import matmulSource from "../../../kernels/matmul.wgsl" with { type: "text" };
import geluSource from "../../../kernels/lib/gelu.wgsl" with { type: "text" };
import type { Gpu } from "../../gpu/device.ts";
import type { Launch, Tape } from "../tape.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import { type Draw, DROP_SOURCE, dropWords } from "./dropout.ts";
import { finishColumnSum } from "./column_sum.ts";
import { floatBits } from "./dims.ts";
import { linearGrid } from "./grid.ts";
import { describeProduct, nameOf, type ProductLayout, type Sizes, type Variant, variantsFor } from "./matmul_variants.ts";
import { transpose } from "./transpose.ts";

const KERNEL = { name: "matmul", source: matmulSource + geluSource + DROP_SOURCE };

/** Words of an empty `struct Drop`. */
const NO_DROP: readonly number[] = [0, 1, 0, 0];

/** What happens to a product before it is stored, in this order. */
export interface Epilogue {
  /** (N), added to each row. */
  readonly bias?: Tensor | undefined;
  /** Receives the value before GELU, which is then applied. */
  readonly geluPre?: Tensor | undefined;
  /** The value is multiplied by GELU's derivative at these. */
  readonly geluBackward?: Tensor | undefined;
  /** Columns before this one go through ReLU, before GELU. */
  readonly relu?: number | undefined;
  /** Dropout and drop path. */
  readonly drop?: Draw | undefined;
  /** Added at last. */
  readonly residual?: Tensor | undefined;
}

/** Where the matrices of a batch lie in a tensor, in elements. */
export interface View {
  /** The first element of the first. */
  readonly first?: number;
  /** From a row to the next. */
  readonly row: number;
  /** From an image to the next. */
  readonly image: number;
  /** From a head to the next. */
  readonly head: number;
}

/** Many products of one size: for each head of each image. */
export interface Batches {
  /** How many images. */
  readonly images: number;
  /** Heads of an image. */
  readonly heads: number;
  /** Where A, B and C lie. */
  readonly views: readonly [a: View, b: View, c: View];
}

/** How the matrices lie, and what a product does besides multiplying. */
export interface MatmulOptions extends Epilogue {
  /** A is given as (K, M). */
  readonly aTransposed?: boolean;
  /** B is given as (N, K). */
  readonly bTransposed?: boolean;
  /** Factor of the product. */
  readonly alpha?: number;
  /** Receives the sums over K of the rows of op(A), which is given transposed: (M), in batches (images, heads, M). */
  readonly rowSums?: Tensor;
  /** Computes many products; they have no epilogue. */
  readonly batches?: Batches;
  /** How it is computed, instead of as suits the adapter. */
  readonly variant?: Variant;
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
  sizes: Sizes,
  options: MatmulOptions = {},
): void {
  const [m, n, k] = sizes;
  const { aTransposed = false, batches } = options;
  let { bTransposed = false } = options;
  const { bias, drop } = options;
  const rest = epilogueOf(tape, options);
  const count = batches ? batches.images * batches.heads : 1;
  const layout = { aTransposed, bTransposed, batches: count, splittable: !bias && !rest && !batches };
  const variant = options.variant ?? chooseVariant(tape.gpu, sizes, layout);
  const { entry, tm, tn, kStep } = variant;
  let views = batches?.views ?? denseViews(sizes, aTransposed, bTransposed);
  if (entry === "broadcast" && bTransposed) {
    b = transpose(tape, b, batches ? [batches.images, batches.heads, n, k] : [n, k]);
    views = [views[0], { row: n, image: (batches?.heads ?? 1) * k * n, head: k * n }, views[2]];
    bTransposed = false;
  }
  const kPerSplit = Math.ceil(k / variant.splits / kStep) * kStep;
  const splits = Math.ceil(k / kPerSplit);
  const parts = splits > 1 ? tape.tensor(`parts of ${c.storage.label}`, [splits, m, n]) : c;
  const sums = rowSumsFor(tape, options.rowSums, aTransposed && entry !== "general", [splits, count * m]);
  const vectorised = entry !== "general";
  const inLine = entry === "tiled";
  const rowTiles = Math.ceil(m / tm);
  const dims = [
    ...[m, n, k, kPerSplit, count, batches?.heads ?? 1, bias ? 1 : 0, options.relu ?? 0],
    ...views.flatMap(({ first = 0, row, image, head }) => [first, row, image, head]),
    ...(aTransposed ? [1, views[0].row] : [views[0].row, 1]),
    ...(bTransposed ? [views[1].row, 1] : [1, views[1].row]),
    ...[floatBits(options.alpha ?? 1), m * n, rowTiles, splits],
    ...(drop ? dropWords(drop, c.shape) : NO_DROP),
  ];
  const flat = entry === "general" || entry === "vectorised";
  tape.dispatch({
    kernel: KERNEL,
    entry,
    label: c.storage.label,
    constants: {
      TM: tm,
      TN: tn,
      ...(vectorised ? { A_TRANSPOSED: aTransposed, B_TRANSPOSED: bTransposed } : { ROW_SUMS: sums !== undefined }),
      ...(entry === "vectorised" && { KSTEP: kStep }),
      ...(inLine && { KTILE: kStep }),
      ...(inLine && rest?.constants),
    },
    bindings: inQuads(
      { a, b, c: parts, bias: bias ?? tape.unused, ...(sums && { row_sums: sums }), ...(inLine && rest?.bindings) },
      vectorised,
    ),
    dims,
    workgroups: [
      Math.ceil(rowTiles * (flat ? count * splits : 1) / variant.width[0]),
      Math.ceil(n / (tn * variant.width[1])),
      flat ? 1 : count * splits,
    ],
  });
  if (rest && !inLine) {
    const elements = sizeOf([m, n]), quads = n % 4 === 0;
    tape.dispatch({
      kernel: KERNEL,
      entry: quads ? "epilogue4" : "epilogue",
      label: c.storage.label,
      constants: rest.constants,
      bindings: inQuads({ c, ...rest.bindings }, quads),
      dims,
      workgroups: linearGrid(quads ? elements / 4 : elements),
    });
  }
  if (splits > 1) {
    tape.dispatch({
      kernel: KERNEL,
      entry: "sum_parts",
      label: c.storage.label,
      constants: {},
      bindings: { parts, c },
      workgroups: linearGrid(sizeOf([m, n])),
    });
    if (options.rowSums) finishColumnSum(tape, sums!, options.rowSums);
  }
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
function denseViews([m, n, k]: Sizes, aTransposed: boolean, bTransposed: boolean): Batches["views"] {
  const dense = (row: number): View => ({ row, image: 0, head: 0 });
  return [dense(aTransposed ? m : k), dense(bTransposed ? k : n), dense(n)];
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
function inQuads(bindings: Readonly<Record<string, Tensor>>, quads: boolean): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(bindings).map(([name, x]) => [quads && name !== "step" ? `${name}4` : name, x]));
}
