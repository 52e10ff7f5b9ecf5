/** @file A software adapter that computes sixteen numbers at a time, as llvmpipe does if it is told to. */

import { assertEquals, assertMatch } from "@std/assert";
import { nameOf, variantsFor } from "../../lib/tensor/ops/matmul_variants.ts";

async function products(bits: string): Promise<{ software: boolean; lanes: number; hashes: string[] }> {
  const args = [
    "run",
    "--lock=deno.lock",
    "--quiet",
    "--no-prompt",
    "--allow-env=XDG_RUNTIME_DIR",
    "tests/support/hash_products.ts",
  ];
  const { code, stdout, stderr } = await new Deno.Command("deno", { args, env: { LP_NATIVE_VECTOR_WIDTH: bits } }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("products by sixteen lanes have the bits of those by eight", async () => {
  const [eight, sixteen] = [await products("256"), await products("512")];
  if (eight.software) assertEquals([eight.lanes, sixteen.lanes], [8, 16]);
  assertEquals(sixteen.hashes, eight.hashes);
});

Deno.test("variantsFor() shares loads of B among the lanes of a subgroup of eight or sixteen", () => {
  const names = (lanes: number, most = lanes) =>
    variantsFor({ software: true, subgroup: [lanes, most], workgroupMemory: 32768 }, [20000, 96, 32], {
      aTransposed: false,
      bTransposed: false,
      batches: 1,
      splittable: false,
    }).map(nameOf);
  assertMatch(names(8)[0]!, /^broadcast 8 x 32/);
  assertMatch(names(16)[0]!, /^broadcast 8 x 32/);
  for (const other of [names(4), names(32), names(8, 16)]) assertMatch(other[0]!, /^vectorised/);
});
