/** @file Which variant of a matrix product is chosen. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { GpuError } from "../../lib/gpu/device.ts";
import type { ProductQuestion } from "../../lib/tensor/ops/matmul.ts";
import { fastestVariant } from "../../lib/tensor/ops/matmul_tuning.ts";
import { nameOf, type Variant } from "../../lib/tensor/ops/matmul_variants.ts";
import { gpuTest } from "../support/gpu.ts";

const GENERAL: Variant = { entry: "general", tm: 2, tn: 2, width: [8, 1], kStep: 1, segments: 1 };
const VECTORISED: Variant = { entry: "vectorised", tm: 8, tn: 8, width: [8, 1], kStep: 4, segments: 1 };
/** Its kernel has no tiles side by side, as it says: half of the product is never written. */
const HALF: Variant = { ...GENERAL, width: [8, 2] };
/** The sum of 70 terms is taken four at a time, and goes on into the next product. */
const TOO_LONG: Variant = VECTORISED;

const question = (k: number, batches = 1): ProductQuestion => ({
  sizes: [256, 128, k],
  layout: { aTransposed: true, bTransposed: false, batches, splittable: true },
});

gpuTest("fastestVariant() leaves out what writes a part, or adds too much", async (gpu) => {
  const found = await fastestVariant(gpu, question(70, 3), [HALF, GENERAL, TOO_LONG]);
  assertEquals(found, { name: nameOf(GENERAL), time: 1, wrong: [nameOf(HALF), nameOf(TOO_LONG)] });
});

gpuTest("fastestVariant() takes the faster of two, if it is faster by more than the noise", async (gpu) => {
  const found = await fastestVariant(gpu, question(4096), [GENERAL, VECTORISED]);
  assertEquals([found.name, found.wrong], [nameOf(VECTORISED), []]);
  assert(found.time < 0.95, `${found.time} of the time`);
  assertEquals(await fastestVariant(gpu, question(512), [GENERAL, GENERAL]), { name: nameOf(GENERAL), time: 1, wrong: [] });
});

gpuTest("fastestVariant() refuses an adapter on which every variant is wrong", async (gpu) => {
  await assertRejects(() => fastestVariant(gpu, question(70, 3), [HALF, TOO_LONG]), GpuError, "wrongly in every way");
});
