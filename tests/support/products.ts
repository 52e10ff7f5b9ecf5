/** @file Matrix products by a variant of choice. */

import type { Gpu } from "../../lib/gpu/device.ts";
import { matmul } from "../../lib/tensor/ops/matmul.ts";
import type { Sizes, Variant } from "../../lib/tensor/ops/matmul_variants.ts";
import { Tape } from "../../lib/tensor/tape.ts";
import { createTensor, read } from "../../lib/tensor/tensor.ts";
import { placed, randoms } from "./ops.ts";

/** A B of random matrices in NaN-filled memory; or A^T B, and the sums over the rows of A. */
export async function multiplied(
  gpu: Gpu,
  sizes: Sizes,
  aTransposed: boolean,
  variant: Variant,
): Promise<Float32Array<ArrayBuffer>[]> {
  const [m, n, k] = sizes, tape = new Tape(gpu, { training: false });
  const a = placed(gpu, "a", aTransposed ? [k, m] : [m, k], randoms(m * k, 1)), b = placed(gpu, "b", [k, n], randoms(k * n, 2));
  const c = createTensor(gpu, "c", [m, n]), rowSums = createTensor(gpu, "sums", [m]);
  matmul(tape, a, b, c, sizes, aTransposed ? { aTransposed, rowSums, variant } : { variant });
  using plan = tape.compile({ poison: true });
  plan.run();
  return [await read(gpu, c), ...(aTransposed ? [await read(gpu, rowSums)] : [])];
}
