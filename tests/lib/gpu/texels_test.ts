/** @file Tests for lib/gpu/texels.ts: tensors that kernels read from textures. */

import { assert, assertEquals } from "@std/assert";
import { computesByVectors } from "../../../lib/gpu/adapter.ts";
import type { GpuOptions } from "../../../lib/gpu/device.ts";
import type { Dispatch, Storage } from "../../../lib/gpu/dispatch.ts";
import { kernelOf } from "../../../lib/gpu/kernel.ts";
import { copiesFor, fitsTexels } from "../../../lib/gpu/texels.ts";
import { depthwiseConv } from "../../../lib/tensor/ops/depthwise_conv.ts";
import { matmul } from "../../../lib/tensor/ops/matmul.ts";
import type { Operand } from "../../../lib/tensor/ops/matmul_variants.ts";
import { Parameters } from "../../../lib/tensor/parameters.ts";
import { Tape } from "../../../lib/tensor/tape.ts";
import { createTensor, read } from "../../../lib/tensor/tensor.ts";
import { gpuTest, withGpu } from "../../support/gpu.ts";
import { keep, placed, randoms } from "../../support/ops.ts";
import { multiplied } from "../../support/products.ts";

const KERNEL = kernelOf(
  "of_texels",
  `// A kernel that is never compiled.
@group(0) @binding(0) var a_texels: texture_2d<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
`,
);

function launchOf(bindings: Dispatch["bindings"]): Dispatch {
  return { kernel: KERNEL, entry: "main", label: "launch", constants: {}, bindings, workgroups: 1 };
}

/** Labels of what is copied before each launch. */
function copied(launches: readonly Dispatch[], firsts: readonly number[] = [0]): string[] {
  return copiesFor(launches, new Set(firsts)).map((copies) => copies.map(([, { label }]) => label).join());
}

const [x, y, z] = ["x", "y", "z"].map((label): Storage => ({ label, bytes: 64 })) as [Storage, Storage, Storage];

Deno.test("copiesFor() copies a tensor once for launches that follow one another", () => {
  const launches = [launchOf({ a_texels: x }), launchOf({ y: z }), launchOf({ a_texels: x }), launchOf({ a_texels: y })];
  assertEquals(copied(launches), ["x", "", "", "y"]);
});

Deno.test("copiesFor() copies a tensor again that was written, in whole or in part", () => {
  const part: Storage = { label: "part of x", bytes: 16, within: { whole: x, offset: 16 } };
  for (const written of [x, part]) {
    assertEquals(copied([launchOf({ a_texels: x }), launchOf({ y: written }), launchOf({ a_texels: x })]), ["x", "", "x"]);
  }
});

Deno.test("copiesFor() copies again what another tensor has taken the place of, and where a replay may begin", () => {
  const launches = [x, y, x, x].map((a_texels) => launchOf({ a_texels }));
  assertEquals(copied(launches), ["x", "y", "x", ""]);
  assertEquals(copied(launches, [0, 3]), ["x", "y", "x", "x"]);
});

Deno.test("copiesFor() always copies what outlives a plan, since it may be written under another name", () => {
  const weight: Storage = { label: "weight", bytes: 64, place: { buffer: {} as GPUBuffer, offset: 0 } };
  assertEquals(copied([launchOf({ a_texels: weight }), launchOf({ a_texels: weight })]), ["weight", "weight"]);
});

Deno.test("fitsTexels() takes whole texels, and no more than any adapter has in a texture", () => {
  assertEquals([16, 24, 2 ** 28, 2 ** 28 + 16].map(fitsTexels), [true, false, true, false]);
});

Deno.test("computesByVectors() on adapters that compute eight or sixteen numbers at once", () => {
  const faster = (software: boolean, ...subgroup: [number, number]) => computesByVectors({ software, subgroup });
  assertEquals([faster(true, 8, 8), faster(true, 16, 16)], [true, true]);
  assertEquals(
    [faster(true, 4, 4), faster(true, 0, 0), faster(true, 8, 16), faster(false, 8, 8), faster(false, 32, 32)].includes(true),
    false,
  );
});

/** Of a variant that suits subgroups of any width. */
const TILE = { entry: "broadcast", tm: 4, kStep: 4, segments: 1 } as const;
/** Sizes with fewer texels than a row of a texture, with some of a last row, and with whole rows alone. */
const PRODUCTS = [[20, 36, 12], [300, 128, 96], [256, 256, 128], [32, 64, 2048]] as const;

for (const aTransposed of [false, true]) {
  gpuTest(`products of ${aTransposed ? "A^T" : "A"} have the same bits from textures and from buffers`, async (gpu) => {
    const [lanes] = gpu.adapter.subgroup;
    assert(computesByVectors(gpu.adapter), "the tests' adapter is one that reads textures");
    for (const sizes of PRODUCTS) {
      const product = (sampled: readonly Operand[]) =>
        multiplied(gpu, sizes, aTransposed, { ...TILE, tn: 2 * lanes, width: [lanes, 1], sampled });
      const fromBuffers = await product([]);
      assert(fromBuffers[0]!.some((value) => value !== 0));
      for (const sampled of [["a"], ["b"], ["a", "b"]] as const) {
        assertEquals(await product(sampled), fromBuffers, sizes.join(" x "));
      }
    }
  });
}

Deno.test("a convolution and its gradients have the same bits from textures and from buffers", async () => {
  const convolved = (options: GpuOptions) =>
    withGpu(options, async (gpu) => {
      const weight = { name: "c.weight", shape: [24, 1, 3, 3], initial: randoms(216, 1) };
      const model = new Parameters(gpu, [weight, { name: "c.bias", shape: [24], initial: randoms(24, 2) }]);
      const tape = new Tape(gpu, { training: true }), shape = [3, 49, 24], count = 3 * 49 * 24;
      const x = placed(gpu, "x", shape, randoms(count, 3));
      tape.watch(x);
      const y = depthwiseConv(tape, x, model.get("c.weight"), model.get("c.bias"));
      const output = keep(tape, y);
      tape.replaceGradient(y, placed(gpu, "dy", shape, randoms(count, 4)));
      tape.backward();
      const dx = keep(tape, tape.gradient(x)!);
      tape.compile({ poison: true }).run();
      return {
        sampled: computesByVectors(gpu.adapter),
        values: [await read(gpu, output), await read(gpu, dx), await read(gpu, model.gradients)],
      };
    });
  const fromTextures = await convolved({}), fromBuffers = await convolved({ subgroup: [4, 4] });
  assertEquals([fromTextures.sampled, fromBuffers.sampled], [true, false]);
  assertEquals(fromTextures.values, fromBuffers.values);
});

gpuTest("a plan gives its textures back", async (gpu) => {
  const [lanes] = gpu.adapter.subgroup;
  const a = placed(gpu, "a", [64, 64], randoms(4096, 1)), c = createTensor(gpu, "c", [64, 64]);
  const before = gpu.memory.bytes;
  const tape = new Tape(gpu, { training: false });
  matmul(tape, a, a, c, [64, 64, 64], { variant: { ...TILE, tn: lanes, width: [lanes, 1], sampled: ["a", "b"] } });
  const plan = tape.compile();
  plan.run();
  await gpu.finish();
  assert(plan.bytes > 0 && gpu.memory.bytes >= before + plan.bytes);
  plan[Symbol.dispose]();
  assertEquals(gpu.memory.bytes, before);
});
