/** @file Matrix products: the launch of kernels/matmul.wgsl, for layers and losses. */

import matmulSource from "../../../kernels/matmul.wgsl" with { type: "text" };
import geluSource from "../../../kernels/lib/gelu.wgsl" with { type: "text" };
import type { Launch, Tape } from "../tape.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import { type Draw, DROP_SOURCE, dropWords } from "./dropout.ts";
import { floatBits } from "./dims.ts";
import { linearGrid } from "./grid.ts";
import { chooseVariant, type Variant } from "./matmul_variants.ts";
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
  /** Dropout and drop path. */
  readonly drop?: Draw | undefined;
  /** Added at last. */
  readonly residual?: Tensor | undefined;
}

/** How the matrices lie, and what a product does besides multiplying. */
export interface MatmulOptions extends Epilogue {
  /** A is given as (K, M). */
  readonly aTransposed?: boolean;
  /** B is given as (N, K). */
  readonly bTransposed?: boolean;
  /** Factor of the product. */
  readonly alpha?: number;
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
  sizes: [number, number, number],
  options: MatmulOptions = {},
): void {
  const [m, n, k] = sizes;
  const { aTransposed = false, alpha = 1 } = options;
  let { bTransposed = false } = options;
  const { bias, drop } = options;
  const rest = epilogueOf(tape, options);
  const layout = { aTransposed, bTransposed, splittable: !bias && !rest };
  const variant = options.variant ?? chooseVariant(tape.gpu.adapter, sizes, layout);
  const { entry, tm, tn, kStep } = variant;
  if (entry === "broadcast" && bTransposed) {
    b = transpose(tape, b, [n, k]);
    bTransposed = false;
  }
  const kPerSplit = Math.ceil(k / variant.splits / kStep) * kStep;
  const splits = Math.ceil(k / kPerSplit);
  const parts = splits > 1 ? tape.tensor(`parts of ${c.storage.label}`, [splits, m, n]) : c;
  const vectorised = entry !== "general";
  const inLine = entry === "tiled";
  const strides = [...(aTransposed ? [1, m] : [k, 1]), ...(bTransposed ? [k, 1] : [1, n]), 0, 0];
  const dims = [m, n, k, kPerSplit, bias ? 1 : 0, floatBits(alpha), ...strides, ...(drop ? dropWords(drop, c.shape) : NO_DROP)];
  tape.dispatch({
    kernel: KERNEL,
    entry,
    label: c.storage.label,
    constants: {
      TM: tm,
      TN: tn,
      ...(vectorised && { A_TRANSPOSED: aTransposed, B_TRANSPOSED: bTransposed }),
      ...(entry === "vectorised" && { KSTEP: kStep }),
      ...(inLine && rest?.constants),
    },
    bindings: inQuads({ a, b, c: parts, bias: bias ?? tape.unused, ...(inLine && rest?.bindings) }, vectorised),
    dims,
    workgroups: [Math.ceil(m / (tm * variant.width[0])), Math.ceil(n / (tn * variant.width[1])), splits],
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
  }
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
