/** @file Matrix products at sizes beyond one axis of the grid, by every variant; and that no entry point was left out. */

import { matmul } from "../../lib/tensor/ops/matmul.ts";
import type { Sizes, Variant } from "../../lib/tensor/ops/matmul_variants.ts";
import { assertEvery, type LargeRun, largeTest } from "../support/large.ts";
import * as reference from "../support/reference.ts";

const GENERAL: Variant = { entry: "general", tm: 2, tn: 2, width: [8, 1], kStep: 1, segments: 1 };
const VECTORISED: Variant = { entry: "vectorised", tm: 4, tn: 4, width: [8, 1], kStep: 4, segments: 1 };
const BROADCAST: Variant = { entry: "broadcast", tm: 4, tn: 32, width: [8, 1], kStep: 4, segments: 1 };
const TILED: Variant = { entry: "tiled", tm: 4, tn: 4, width: [16, 16], kStep: 4, segments: 1 };

/** A product of many rows and few columns, with what its epilogue adds. */
async function checkRows(run: LargeRun, variant: Variant, [m, n, k]: Sizes): Promise<void> {
  const [a, x] = run.input("a", [m, k], 1), [b, y] = run.input("b", [k, n], 2), [other, z] = run.input("other", [m, n], 3);
  const c = run.tape.tensor("c", [m, n]);
  matmul(run.tape, a, b, c, [m, n, k], { variant, residual: other });
  const found = await run.compute({ c });
  const product = reference.matmul(Float64Array.from(x), Float64Array.from(y), [m, n, k]);
  assertEvery(found.c, (i) => product[i]! + z[i]!, "c");
}

largeTest("matmul() by invocations of any size is its formula", { many: ["matmul.general", "matmul.epilogue"] }, (run) => {
  return checkRows(run, GENERAL, [1_050_001, 5, 3]);
});

largeTest("matmul() by invocations of quads is its formula", { many: ["matmul.vectorised", "matmul.epilogue4"] }, (run) => {
  return checkRows(run, VECTORISED, [2_100_004, 8, 4]);
});

/** Many small products: each takes a workgroup of its own. */
async function checkBatches(run: LargeRun, variant: Variant): Promise<void> {
  const images = 65_601, size = 8, each = size * size;
  const [a, x] = run.input("a", [images, size, size], 1), [b, y] = run.input("b", [images, size, size], 2);
  const c = run.tape.tensor("c", [images, size, size]);
  matmul(run.tape, a, b, c, [size, size, size], { variant, batches: { images, heads: 1 } });
  const found = await run.compute({ c });
  const expected = new Float64Array(images * each);
  for (let first = 0; first < expected.length; first += each) {
    const [p, q] = [x, y].map((of) => Float64Array.from(of.subarray(first, first + each)));
    expected.set(reference.matmul(p!, q!, [size, size, size]), first);
  }
  assertEvery(found.c, (i) => expected[i]!, "c");
}

largeTest("matmul() by subgroups is its formula", { many: ["matmul.broadcast"] }, async (run) => {
  return run.gpu.adapter.subgroup.join() === "8,8" ? await checkBatches(run, BROADCAST) : "of other adapters";
});
largeTest("matmul() by workgroups is its formula", { many: ["matmul_tiled.tiled"] }, (run) => checkBatches(run, TILED));

// four numbers an invocation
largeTest("matmul() adds the segments of a sum", { few: ["column_sum.add_partials"] }, async (run) => {
  const sizes = [4100, 1024, 8] as const, [m, n, k] = sizes;
  const [a, x] = run.input("a", [k, m], 1), [b, y] = run.input("b", [k, n], 2);
  const c = run.tape.tensor("c", [m, n]), rowSums = run.tape.tensor("row sums", [m]);
  matmul(run.tape, a, b, c, sizes, { aTransposed: true, rowSums, variant: { ...VECTORISED, segments: 2 } });
  const found = await run.compute({ c, rowSums });
  const [p, q] = [Float64Array.from(x), Float64Array.from(y)];
  const product = reference.matmul(p, q, sizes, true, false), sums = reference.matmul(p, q.fill(1), [m, 1, k], true, false);
  assertEvery(found.c, (i) => product[i]!, "c");
  assertEvery(found.rowSums, (i) => sums[i]!, "row sums");
});
