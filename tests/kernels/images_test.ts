/** @file Unpacking and augmentation against a plain reference, pixel for pixel, and the statistics of the draws. */

import { assert, assertEquals } from "@std/assert";
import { PackedImages } from "../../lib/data/packed.ts";
import type { Gpu } from "../../lib/gpu/device.ts";
import { BatchBuffers, ResidentImages } from "../../lib/input/batches.ts";
import { Random } from "../../lib/random.ts";
import { type Augmentation, imagePatches, NO_AUGMENTATION } from "../../lib/tensor/ops/images.ts";
import { createStep, writeStep } from "../../lib/tensor/step.ts";
import { Tape } from "../../lib/tensor/tape.ts";
import { createTensor, read } from "../../lib/tensor/tensor.ts";
import { gpuTest } from "../support/gpu.ts";
import { keep } from "../support/ops.ts";

const LAYOUT = { channels: 3, size: 17, patch: 4 };
const SCALE = { normScale: 255 };

/** Sparse images of whole numbers, channels last. */
function sparseImages(count: number): Float32Array {
  const random = new Random(1, 50);
  const n = count * LAYOUT.size ** 2 * LAYOUT.channels;
  return Float32Array.from({ length: n }, () => random.uniform() < 0.1 ? 1 + random.below(255) : 0);
}

async function run(
  gpu: Gpu,
  images: Float32Array,
  count: number,
  views: number,
  augmentation: Augmentation,
  { step = 0, share = 0 } = {},
) {
  const source = PackedImages.fromDense(images, LAYOUT);
  const buffers = new BatchBuffers(gpu, source, count, await ResidentImages.load(gpu, source, share));
  buffers.upload(await buffers.stage(Uint32Array.from({ length: count }, (_, i) => i)));
  const numbers = createStep(gpu);
  writeStep(gpu, numbers, { seed: 11, step });
  const draws = createTensor(gpu, "draws", [views * count, 4], "u32");
  const tape = new Tape(gpu, { training: true, step: numbers });
  const patches = keep(tape, imagePatches(tape, buffers.tensors, LAYOUT, SCALE, views, augmentation, draws));
  tape.compile({ poison: true }).run();
  const drawn = new Int32Array((await read(gpu, draws)).buffer);
  const rows = Array.from({ length: views * count }, (_, i) => {
    const [flags, rows, columns, dropped] = drawn.subarray(4 * i, 4 * i + 4) as unknown as [number, number, number, number];
    return { flags, rows, columns, dropped };
  });
  return { patches: await read(gpu, patches), draws: rows };
}

type Draw = Awaited<ReturnType<typeof run>>["draws"][number];

/** The patches of one image under given draws, noise left out. */
function transformed(image: Float32Array, { flags, rows, columns, dropped }: Draw, cyclic: boolean): Float64Array {
  const { channels, size, patch } = LAYOUT;
  const grid = Math.floor(size / patch);
  const out = new Float64Array(grid * grid * channels * patch * patch);
  image.forEach((value, at) => {
    const channel = at % channels;
    if (value === 0 || (dropped >> channel & 1)) return;
    let r = Math.floor(at / channels / size), c = Math.floor(at / channels) % size;
    r = (flags & 1 ? size - 1 - r : r) + rows;
    c = (flags & 2 ? size - 1 - c : c) + columns;
    if (cyclic) c %= size;
    if (r < 0 || c < 0 || r >= grid * patch || c >= grid * patch) return;
    const token = Math.floor(r / patch) * grid + Math.floor(c / patch);
    out[(token * channels + channel) * patch * patch + (r % patch) * patch + c % patch] = value / SCALE.normScale;
  });
  return out;
}

const FLIPS = { ...NO_AUGMENTATION, flipEta: true, flipPhi: true };
const AUGMENTATIONS: Record<string, Augmentation> = {
  nothing: NO_AUGMENTATION,
  "flips and a cyclic roll": { ...FLIPS, roll: "phi" },
  "shifts in towers": { ...FLIPS, roll: "towers", maxTowers: 2 },
  "channels left out": { ...NO_AUGMENTATION, dropChannels: [1, 2] },
};

for (const [name, augmentation] of Object.entries(AUGMENTATIONS)) {
  gpuTest(`imagePatches() with ${name} is the reference, pixel for pixel`, async (gpu) => {
    const count = 6, views = 2;
    const images = sparseImages(count);
    const { patches, draws } = await run(gpu, images, count, views, augmentation);
    const perRow = patches.length / (views * count);
    const perImage = images.length / count;
    draws.forEach((draw, row) => {
      const image = images.subarray((row % count) * perImage, (row % count + 1) * perImage);
      const expected = transformed(image, draw, augmentation.roll === "phi");
      assertEquals([...patches.subarray(row * perRow, (row + 1) * perRow)], [...Float32Array.from(expected)]);
    });
  });
}

gpuTest("imagePatches() gives the same bits for either encoding, streamed or resident", async (gpu) => {
  const count = 5;
  const whole = sparseImages(count);
  const augmentation = { ...FLIPS, roll: "phi" as const, noiseProbability: 0.7, noiseSigma: 0.02 };
  // one value more, in a place of its own, that a byte does not hold
  const broken = Float32Array.from([...whole, ...new Float32Array(whole.length / count).fill(0.5, 0, 1)]);
  const streamed = await run(gpu, whole, count, 2, augmentation);
  assertEquals(PackedImages.fromDense(whole, LAYOUT).encoding, "u8");
  assertEquals(PackedImages.fromDense(broken, LAYOUT).encoding, "f32");
  assertEquals((await run(gpu, whole, count, 2, augmentation, { share: 1 })).patches, streamed.patches);
  const floats = await run(gpu, broken, count + 1, 1, NO_AUGMENTATION);
  const bytes = await run(gpu, whole, count, 1, NO_AUGMENTATION);
  assertEquals(floats.patches.subarray(0, bytes.patches.length), bytes.patches);
});

gpuTest("imagePatches() puts noise on non-zero pixels only, and keeps them within 0 and 1", async (gpu) => {
  const count = 40;
  const images = sparseImages(count);
  const noisy = { ...NO_AUGMENTATION, noiseProbability: 1, noiseSigma: 0.05 };
  const clean = (await run(gpu, images, count, 1, NO_AUGMENTATION)).patches;
  const { patches } = await run(gpu, images, count, 1, noisy);
  const differences: number[] = [];
  patches.forEach((value, i) => {
    if (clean[i] === 0) assertEquals(value, 0);
    else {
      assert(value >= 0 && value <= 1);
      if (value > 0 && value < 1) differences.push(value - clean[i]!);
    }
  });
  const mean = differences.reduce((a, b) => a + b) / differences.length;
  const deviation = Math.sqrt(differences.reduce((sum, d) => sum + (d - mean) ** 2, 0) / differences.length);
  assert(Math.abs(mean) < 0.005, `mean of the noise is ${mean}`);
  assert(Math.abs(deviation - 0.05) < 0.004, `deviation of the noise is ${deviation}`);
});

gpuTest("draws are fair: flips 1/2, rolls uniform, one or two channels, noise at its probability", async (gpu) => {
  const count = 10_000;
  const augmentation: Augmentation = { ...FLIPS, roll: "phi", dropChannels: [1, 2], noiseProbability: 0.7, noiseSigma: 0.02 };
  const { draws } = await run(gpu, new Float32Array(count * 17 * 17 * 3), count, 1, augmentation);
  const share = (test: (draw: Draw) => boolean) => draws.filter(test).length / count;
  const near = (value: number, expected: number, what: string) => {
    // four standard errors of a share of 10,000 draws
    const most = 4 * Math.sqrt(expected * (1 - expected) / count);
    assert(Math.abs(value - expected) < most, `${what}: ${value}, expected ${expected} within ${most}`);
  };
  near(share(({ flags }) => (flags & 1) !== 0), 0.5, "eta flips");
  near(share(({ flags }) => (flags & 2) !== 0), 0.5, "phi flips");
  near(share(({ flags }) => (flags & 3) === 3), 0.25, "both flips");
  near(share(({ flags }) => (flags & 4) !== 0), 0.7, "noise");
  const bits = (mask: number) => mask.toString(2).replaceAll("0", "").length;
  near(share(({ dropped }) => bits(dropped) === 1), 0.5, "one channel left out");
  near(share(({ dropped }) => bits(dropped) === 2), 0.5, "two channels left out");
  for (let c = 0; c < 3; c++) near(share(({ dropped }) => (dropped >> c & 1) === 1), 0.5, `channel ${c} left out`);
  for (let s = 0; s < 17; s++) near(share(({ columns }) => columns === s), 1 / 17, `roll by ${s}`);
});

gpuTest("draws differ from step to step and repeat for the same step", async (gpu) => {
  const images = sparseImages(8);
  const augmentation = AUGMENTATIONS["flips and a cyclic roll"]!;
  const [first, again, other] = [
    await run(gpu, images, 8, 1, augmentation, { step: 4 }),
    await run(gpu, images, 8, 1, augmentation, { step: 4 }),
    await run(gpu, images, 8, 1, augmentation, { step: 5 }),
  ];
  assertEquals(first.draws, again.draws);
  assert(JSON.stringify(first.draws) !== JSON.stringify(other.draws));
});
