/** @file Prints the adapter's lanes, and hashes of products that subgroups of it compute: see tests/kernels/wide_vectors_test.ts. */

import { sha256 } from "../../lib/data/fingerprint.ts";
import { matmul } from "../../lib/tensor/ops/matmul.ts";
import type { Sizes, Variant } from "../../lib/tensor/ops/matmul_variants.ts";
import { Tape } from "../../lib/tensor/tape.ts";
import { createTensor, read } from "../../lib/tensor/tensor.ts";
import { withGpu } from "./gpu.ts";
import { placed, randoms } from "./ops.ts";

/** Sizes, whether A is transposed, and the tile. Rows, columns and terms that fill no tile are among them. */
const PRODUCTS: readonly (readonly [sizes: Sizes, aTransposed: boolean, tile: readonly [tm: number, tn: number]])[] = [
  [[300, 96, 32], false, [8, 32]],
  [[77, 64, 100], false, [4, 64]],
  [[5, 8, 12], false, [4, 16]],
  [[64, 128, 250], true, [4, 64]],
  [[20, 36, 333], true, [4, 32]],
];

await withGpu({}, async (gpu) => {
  const [lanes] = gpu.adapter.subgroup, hashes: string[] = [];
  for (const [sizes, aTransposed, [tm, tn]] of PRODUCTS) {
    const [m, n, k] = sizes, tape = new Tape(gpu, { training: false });
    const a = placed(gpu, "a", aTransposed ? [k, m] : [m, k], randoms(m * k, 1)), b = placed(gpu, "b", [k, n], randoms(k * n, 2));
    const c = createTensor(gpu, "c", [m, n]), rowSums = createTensor(gpu, "sums", [m]);
    const variant: Variant = { entry: "broadcast", tm, tn, width: [lanes, 1], kStep: 4, segments: aTransposed ? 2 : 1 };
    matmul(tape, a, b, c, sizes, aTransposed ? { aTransposed, rowSums, variant } : { variant });
    using plan = tape.compile({ poison: true });
    plan.run();
    hashes.push(await sha256(await read(gpu, c), ...(aTransposed ? [await read(gpu, rowSums)] : [])));
  }
  console.log(JSON.stringify({ software: gpu.adapter.software, lanes, hashes }));
});
