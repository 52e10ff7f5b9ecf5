/** @file Prints the adapter's lanes, and hashes of products that subgroups of it compute: see tests/kernels/wide_vectors_test.ts. */

import { sha256 } from "../../lib/data/fingerprint.ts";
import type { Sizes, Variant } from "../../lib/tensor/ops/matmul_variants.ts";
import { withGpu } from "./gpu.ts";
import { multiplied } from "./products.ts";

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
    const variant: Variant = { entry: "broadcast", tm, tn, width: [lanes, 1], kStep: 4, segments: aTransposed ? 2 : 1 };
    hashes.push(await sha256(...await multiplied(gpu, sizes, aTransposed, variant)));
  }
  console.log(JSON.stringify({ software: gpu.adapter.software, lanes, hashes }));
});
