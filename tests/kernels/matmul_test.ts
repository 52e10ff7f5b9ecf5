/** @file Every variant of the matrix product, with every layout and epilogue, against float64; those of GPUs too. */

import { assert, assertEquals } from "@std/assert";
import { matmul } from "../../lib/tensor/ops/matmul.ts";
import { denseView, type Epilogue } from "../../lib/tensor/ops/matmul_product.ts";
import { nameOf, type ProductLayout, type Sizes, type Variant, variantsFor } from "../../lib/tensor/ops/matmul_variants.ts";
import { createStep, writeStep } from "../../lib/tensor/step.ts";
import { Tape } from "../../lib/tensor/tape.ts";
import { read } from "../../lib/tensor/tensor.ts";
import { assertClose } from "../support/fixtures.ts";
import { gpuTest } from "../support/gpu.ts";
import { keep, placed, randoms } from "../support/ops.ts";
import * as reference from "../support/reference.ts";

const DOUBLE = (x: ArrayLike<number>) => Float64Array.from(x);
const VARIANTS: readonly Variant[] = [
  { entry: "general", tm: 2, tn: 2, width: [8, 1], kStep: 1, segments: 1 },
  { entry: "vectorised", tm: 8, tn: 8, width: [8, 1], kStep: 4, segments: 1 },
  { entry: "vectorised", tm: 4, tn: 8, width: [64, 1], kStep: 4, segments: 1 },
  { entry: "broadcast", tm: 4, tn: 32, width: [8, 1], kStep: 4, segments: 1 },
  { entry: "broadcast", tm: 8, tn: 16, width: [8, 1], kStep: 4, segments: 1 },
  { entry: "tiled", tm: 4, tn: 4, width: [16, 16], kStep: 16, segments: 1 },
  { entry: "tiled", tm: 4, tn: 8, width: [16, 16], kStep: 16, segments: 1 },
];
/** No tile divides them; the sum of the second ends within a tile. */
const SIZES = [[68, 76, 48], [132, 20, 92]] as const;

for (const variant of VARIANTS) {
  for (const [aTransposed, bTransposed] of [[false, false], [false, true], [true, false], [true, true]] as const) {
    const { entry, tm, tn } = variant;
    const layout = `${aTransposed ? "A^T" : "A"} ${bTransposed ? "B^T" : "B"}`;
    gpuTest(`matmul() by "${entry}" of ${tm} x ${tn} is ${layout}, whole and in segments`, async (gpu) => {
      if (entry === "broadcast" && gpu.adapter.subgroup.join() !== "8,8") return;
      for (const [m, n, k] of SIZES) {
        for (const segments of [1, 3]) {
          const [a, b] = [randoms(m * k, 1), randoms(k * n, 2)];
          const tape = new Tape(gpu, { training: false });
          const c = tape.tensor("c", [m, n]);
          const sums = tape.tensor("row sums", [m]);
          const plain = { bTransposed, alpha: 0.5, variant: { ...variant, segments } };
          const options = aTransposed ? { ...plain, aTransposed, rowSums: sums } : plain;
          matmul(tape, placed(gpu, "a", [m * k], a), placed(gpu, "b", [k * n], b), c, [m, n, k], options);
          const kept = keep(tape, c);
          const keptSums = aTransposed ? keep(tape, sums) : undefined;
          tape.compile({ poison: true }).run();
          const expected = reference.matmul(DOUBLE(a), DOUBLE(b), [m, n, k], aTransposed, bTransposed).map((x) => 0.5 * x);
          assertClose(await read(gpu, kept), expected, `${m} x ${n} x ${k} in ${segments}`, 1e-5);
          if (!keptSums) continue;
          const ones = new Float64Array(k).fill(1);
          assertClose(await read(gpu, keptSums), reference.matmul(DOUBLE(a), ones, [m, 1, k], true, false), "row sums", 1e-5);
        }
      }
    });
  }

  gpuTest(`matmul() by "${variant.entry}" of ${variant.tm} x ${variant.tn} takes batches from where they lie`, async (gpu) => {
    if (variant.entry === "broadcast" && gpu.adapter.subgroup.join() !== "8,8") return;
    const [images, heads, m, n, k] = [3, 2, 20, 12, 28];
    for (const [aTransposed, bTransposed] of [[false, false], [false, true], [true, false]] as const) {
      // A lies among other columns, B is dense, the rows of C are interleaved
      const [rows, columns] = aTransposed ? [k, m] : [m, k];
      const step = heads * columns + 8;
      const view = { first: 4, step_row: step, step_image: rows * step, step_head: columns };
      const a = randoms(images * rows * step + 4, 1), b = randoms(images * heads * k * n, 2);
      const tape = new Tape(gpu, { training: false });
      const c = tape.tensor("c", [images, m, heads, n]);
      const dense = bTransposed ? denseView(n, k, heads) : denseView(k, n, heads);
      const to = { first: 0, step_row: heads * n, step_image: m * heads * n, step_head: n };
      matmul(tape, placed(gpu, "a", [a.length], a), placed(gpu, "b", [images, heads, k * n], b), c, [m, n, k], {
        ...{ aTransposed, bTransposed, variant },
        batches: { images, heads, views: [view, dense, to] },
      });
      const kept = keep(tape, c);
      tape.compile({ poison: true }).run();
      const found = await read(gpu, kept);
      for (let batch = 0; batch < images * heads; batch++) {
        const image = Math.floor(batch / heads), head = batch % heads;
        const start = view.first + image * view.step_image + head * view.step_head;
        const one = Float64Array.from(
          { length: rows * columns },
          (_, i) => a[start + Math.floor(i / columns) * step + i % columns]!,
        );
        const expected = reference.matmul(
          one,
          DOUBLE(b.subarray(batch * k * n, (batch + 1) * k * n)),
          [m, n, k],
          aTransposed,
          bTransposed,
        );
        const own = expected.map((_, i) => found[((image * m + Math.floor(i / n)) * heads + head) * n + i % n]!);
        assertClose(Float32Array.from(own), expected, `image ${image}, head ${head}`, 1e-5);
      }
    }
  });

  gpuTest(
    `matmul() by "${variant.entry}" of ${variant.tm} x ${variant.tn} puts any columns under ReLU, and cuts no sum for it`,
    async (gpu) => {
      if (variant.entry === "broadcast" && gpu.adapter.subgroup.join() !== "8,8") return;
      const [m, n, k] = SIZES[0];
      const [a, b] = [randoms(m * k, 1), randoms(k * n, 2)];
      const product = reference.matmul(DOUBLE(a), DOUBLE(b), [m, n, k]);
      for (const relu of [0, 5, 8, 27, n]) {
        const tape = new Tape(gpu, { training: false });
        const c = tape.tensor("c", [m, n]);
        const options = { relu, variant: { ...variant, segments: 3 } };
        matmul(tape, placed(gpu, "a", [m * k], a), placed(gpu, "b", [k * n], b), c, [m, n, k], options);
        const kept = keep(tape, c);
        tape.compile({ poison: true }).run();
        const expected = product.map((x, i) => i % n < relu ? Math.max(0, x) : x);
        assertClose(await read(gpu, kept), expected, `the first ${relu} of ${n} columns under ReLU`, 1e-5);
      }
    },
  );

  gpuTest(
    `matmul() by "${variant.entry}" of ${variant.tm} x ${variant.tn} ends in bias, GELU, dropout and residual`,
    async (gpu) => {
      if (variant.entry === "broadcast" && gpu.adapter.subgroup.join() !== "8,8") return;
      const [m, n, k] = SIZES[0], images = 4;
      const [a, b, bias, other] = [m * k, k * n, n, m * n].map((size, i) => randoms(size, i + 1)) as [
        Float32Array,
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      const step = createStep(gpu);
      writeStep(gpu, step, { seed: 9, step: 2 });
      const tape = new Tape(gpu, { training: true, step });
      const shape = [images, m / images, n];
      const drop = { dropout: 0.3, path: 0.4, stream: 7 };
      const run = (epilogue: Epilogue) => {
        const c = tape.tensor("c", shape);
        matmul(tape, placed(gpu, "a", [m * k], a), placed(gpu, "b", [k * n], b), c, [m, n, k], { ...epilogue, variant });
        return keep(tape, c);
      };
      const pre = tape.tensor("pre", shape);
      const forward = run({
        bias: placed(gpu, "bias", [n], bias),
        geluPre: pre,
        drop,
        residual: placed(gpu, "other", shape, other),
      });
      const cut = run({ bias: placed(gpu, "bias", [n], bias), relu: 8 });
      const backward = run({ geluBackward: placed(gpu, "other", shape, other), drop });
      const keptPre = keep(tape, pre);
      tape.compile({ poison: true }).run();

      const product = reference.matmul(DOUBLE(a), DOUBLE(b), [m, n, k], false, false);
      const kept = reference.dropScales(drop, images, m * n / images, { seed: 9, step: 2 });
      const biased = product.map((x, i) => x + bias[i % n]!);
      assertClose(await read(gpu, keptPre), biased, "before GELU", 1e-5);
      assertClose(await read(gpu, forward), biased.map((x, i) => kept[i]! * reference.gelu(x) + other[i]!), "forward", 1e-5);
      assertClose(await read(gpu, cut), biased.map((x, i) => i % n < 8 ? Math.max(0, x) : x), "ReLU", 1e-5);
      const slope = (x: number) => (reference.gelu(x + 1e-5) - reference.gelu(x - 1e-5)) / 2e-5;
      assertClose(await read(gpu, backward), product.map((x, i) => kept[i]! * x * slope(other[i]!)), "backward", 1e-5);
    },
  );
}

gpuTest("matmul() cuts a sum of more terms than a software adapter adds in one loop", async (gpu) => {
  const [m, n, k] = [17, 18, 140_001];
  const [a, b] = [randoms(m * k, 1), randoms(k * n, 2)];
  const tape = new Tape(gpu, { training: false });
  const c = tape.tensor("c", [m, n]);
  matmul(tape, placed(gpu, "a", [k, m], a), placed(gpu, "b", [k, n], b), c, [m, n, k], { aTransposed: true });
  const kept = keep(tape, c);
  tape.compile({ poison: true }).run();
  assertClose(await read(gpu, kept), reference.matmul(DOUBLE(a), DOUBLE(b), [m, n, k], true, false), "c", 1e-4);
});

const GPU = { software: false, subgroup: [32, 32], workgroupMemory: 49152 } as const;
const CPU = { software: true, subgroup: [8, 8], workgroupMemory: 32768 } as const;
const LINEAR: ProductLayout = { aTransposed: false, bTransposed: true, splittable: false, batches: 1 };

Deno.test("variantsFor() begins with workgroup memory on a GPU, subgroups on the software adapter, and anything for odd sizes", () => {
  const entry = (adapter: typeof GPU | typeof CPU, sizes: Sizes) => variantsFor(adapter, sizes, LINEAR)[0]!.entry;
  assertEquals(entry(GPU, [80000, 256, 256]), "tiled");
  assertEquals(entry(GPU, [32, 256, 256]), "vectorised");
  assertEquals(entry(CPU, [80000, 256, 256]), "broadcast");
  assertEquals([entry(GPU, [64, 2, 256]), entry(CPU, [64, 2, 255])], ["general", "general"]);
});

Deno.test("variantsFor() leaves a choice for large products only, none that takes too much memory, and none twice", () => {
  assertEquals(variantsFor(CPU, [20000, 128, 32], LINEAR).length, 1);
  for (const adapter of [GPU, CPU]) {
    for (const splittable of [false, true]) {
      const names = variantsFor(adapter, [1024, 256, 80000], { ...LINEAR, aTransposed: true, splittable }).map(nameOf);
      assert(names.length > 2);
      assertEquals(new Set(names).size, names.length);
    }
  }
  const little = variantsFor({ ...GPU, workgroupMemory: 16384 }, [80000, 256, 256], LINEAR);
  assertEquals(little.filter(({ entry, tm, tn, kStep }) => entry === "tiled" && 128 * kStep * (tm + tn) > 16384), []);
  assertEquals(little[0]!.entry, "tiled");
});
