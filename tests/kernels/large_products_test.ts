/** @file Matrix products at sizes beyond one axis of the grid, by every variant; and that no entry point was left out. */

import { assertEquals } from "@std/assert";
import { matmul } from "../../lib/tensor/ops/matmul.ts";
import type { Sizes, Variant } from "../../lib/tensor/ops/matmul_variants.ts";
import { assertEvery, type LargeRun, largeTest } from "../support/large.ts";
import * as reference from "../support/reference.ts";

const GENERAL: Variant = { entry: "general", tm: 2, tn: 2, width: [8, 1], kStep: 1, splits: 1 };
const VECTORISED: Variant = { entry: "vectorised", tm: 4, tn: 4, width: [8, 1], kStep: 4, splits: 1 };
const BROADCAST: Variant = { entry: "broadcast", tm: 4, tn: 32, width: [8, 1], kStep: 4, splits: 1 };
const TILED: Variant = { entry: "tiled", tm: 4, tn: 4, width: [16, 16], kStep: 4, splits: 1 };

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

largeTest("matmul() adds the parts of a sum that is cut", { many: ["matmul.sum_parts"] }, async (run) => {
  const sizes = [4100, 1024, 8] as const, [m, n, k] = sizes;
  const [a, x] = run.input("a", [k, m], 1), [b, y] = run.input("b", [k, n], 2);
  const c = run.tape.tensor("c", [m, n]), rowSums = run.tape.tensor("row sums", [m]);
  matmul(run.tape, a, b, c, sizes, { aTransposed: true, rowSums, variant: { ...VECTORISED, splits: 2 } });
  const found = await run.compute({ c, rowSums });
  const [p, q] = [Float64Array.from(x), Float64Array.from(y)];
  const product = reference.matmul(p, q, sizes, true, false), sums = reference.matmul(p, q.fill(1), [m, 1, k], true, false);
  assertEvery(found.c, (i) => product[i]!, "c");
  assertEvery(found.rowSums, (i) => sums[i]!, "row sums");
});

/** What no tape launches at such a size: a plan's own check, and the total of sums. */
const OTHERWISE = ["finite.check", "record.total"];

Deno.test("every entry point of every kernel is tested beyond 2^22 elements", async () => {
  const entries: string[] = [];
  const kernels = new URL("../../kernels/", import.meta.url);
  for await (const { name, isFile } of Deno.readDir(kernels)) {
    if (!isFile) continue;
    const source = await Deno.readTextFile(new URL(name, kernels));
    for (const [, entry] of source.matchAll(/@compute @workgroup_size\([^)]*\)\s*fn (\w+)\(/g)) {
      entries.push(`${name.replace(".wgsl", "")}.${entry}`);
    }
  }
  const tested: string[] = [];
  for (const name of ["elementwise", "layers", "products"]) {
    const source = await Deno.readTextFile(new URL(`large_${name}_test.ts`, import.meta.url));
    // "file.entry", or a list of entries and `file.${entry}`
    tested.push(...[...source.matchAll(/"(\w+\.\w+)"/g)].map(([, entry]) => entry!));
    for (const [, list, file] of source.matchAll(/= \[([^\]]+)\]\s*\.map\(\(entry\) => `(\w+)\.\$\{entry\}`\)/g)) {
      tested.push(...list!.match(/\w+/g)!.map((entry) => `${file}.${entry}`));
    }
  }
  assertEquals(entries.filter((entry) => !tested.includes(entry) && !OTHERWISE.includes(entry)), []);
});
