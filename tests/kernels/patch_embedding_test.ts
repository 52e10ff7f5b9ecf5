/** @file The patch embedding from non-zeros beside the matrix product of whole patches. */

import { assertEquals } from "@std/assert";
import { PackedImages } from "../../lib/data/packed.ts";
import type { Gpu } from "../../lib/gpu/device.ts";
import { BatchBuffers } from "../../lib/input/batches.ts";
import { Random } from "../../lib/random.ts";
import { type Augmentation, ImageViews, NO_AUGMENTATION } from "../../lib/tensor/ops/images.ts";
import { linear } from "../../lib/tensor/ops/linear.ts";
import { embedsEntries, patchEmbedding } from "../../lib/tensor/ops/patch_embedding.ts";
import { Parameters } from "../../lib/tensor/parameters.ts";
import { createStep, writeStep } from "../../lib/tensor/step.ts";
import { Tape } from "../../lib/tensor/tape.ts";
import { read, write } from "../../lib/tensor/tensor.ts";
import { assertClose } from "../support/fixtures.ts";
import { gpuTest } from "../support/gpu.ts";
import { keep, placed, randoms } from "../support/ops.ts";

/** The last row and column of pixels belong to no patch. */
const LAYOUT = { channels: 4, size: 16, patch: 3 };
const VIEWS = 2, TOKENS = 25, FEATURES = 36, DIM = 12;

/** Images of which some are empty, and others have several non-zeros in a patch; whole numbers or not. */
function sparse(whole: boolean, count: number): Float32Array {
  const random = new Random(3, 50);
  const pixels = Float32Array.from({ length: count * LAYOUT.size ** 2 * LAYOUT.channels }, () => {
    return random.uniform() < 0.1 ? 1 + random.below(255) + (whole ? 0 : 0.5) : 0;
  });
  return pixels.fill(0, 0, pixels.length / count);
}

async function embed(gpu: Gpu, images: Float32Array, augmentation: Augmentation, entries: boolean) {
  const source = PackedImages.fromDense(images, LAYOUT), { count } = source;
  using buffers = new BatchBuffers(gpu, source, count);
  buffers.upload(await buffers.stage(Uint32Array.from({ length: count }, (_, i) => i)));
  const step = createStep(gpu);
  writeStep(gpu, step, { seed: 7, step: 2 });
  const parameters = new Parameters(gpu, [
    { name: "p.weight", shape: [DIM, FEATURES], initial: randoms(DIM * FEATURES, 1) },
    { name: "p.bias", shape: [DIM], initial: randoms(DIM, 2) },
  ]);
  write(gpu, parameters.gradients, new Float32Array(parameters.gradients.storage.bytes / 4).fill(NaN));
  const [weight, bias] = [parameters.get("p.weight"), parameters.get("p.bias")];
  const tape = new Tape(gpu, { training: true, step });
  const views = new ImageViews(tape, buffers.tensors, LAYOUT, { normScale: 255 }, VIEWS, augmentation);
  const y = entries ? patchEmbedding(tape, views, weight, bias) : linear(tape, views.patches, weight, bias);
  assertEquals(y.shape, [VIEWS * count, TOKENS, DIM]);
  tape.replaceGradient(y, placed(gpu, "dy", y.shape, randoms(VIEWS * count * TOKENS * DIM, 3)));
  tape.backward();
  const output = keep(tape, y);
  tape.compile({ poison: true }).run();
  return { output: await read(gpu, output), gradients: await parameters.gradientState() };
}

/** Embeds images by their entries, and by the product of their patches. */
async function compare(gpu: Gpu, images: Float32Array, augmentation: Augmentation): Promise<void> {
  const expected = await embed(gpu, images, augmentation, false);
  const found = await embed(gpu, images, augmentation, true);
  assertClose(found.output, Float64Array.from(expected.output), "output", 1e-5);
  for (const [name, { values }] of expected.gradients) {
    assertClose(found.gradients.get(name)!.values, Float64Array.from(values), `gradient of ${name}`, 1e-5);
  }
}

const AUGMENTATIONS: Readonly<Record<string, Augmentation>> = {
  "as they are": NO_AUGMENTATION,
  "flipped, rolled, with noise and channels left out": {
    ...{ flipEta: true, flipPhi: true, roll: "phi", maxTowers: 0 },
    ...{ dropChannels: [1, 2], noiseProbability: 0.7, noiseSigma: 0.1 },
  },
  "shifted out of the image": { ...NO_AUGMENTATION, roll: "towers", maxTowers: 2 },
};

for (const [how, augmentation] of Object.entries(AUGMENTATIONS)) {
  for (const whole of [true, false]) {
    gpuTest(
      `patchEmbedding() of ${whole ? "bytes" : "floats"} ${how} is the product of their patches, with its gradients`,
      async (gpu) => {
        await compare(gpu, sparse(whole, 5), augmentation);
      },
    );
  }
}

gpuTest(
  "patchEmbedding() sums the gradients of more segments where an adapter ends loops early",
  (gpu) => compare(gpu, sparse(true, 150), NO_AUGMENTATION),
  { mostTurns: 600 },
);

Deno.test("embedsEntries() takes them on software adapters, where sizes allow and images are not full", () => {
  const taken = ({ software = true, features = 36, most = 100, dim = 12 }) => {
    return embedsEntries({ adapter: { software }, mostTurns: 65_535 }, { shape: [10, 25, features], most }, dim);
  };
  assertEquals([taken({}), taken({ most: 32_000 })], [true, true]);
  assertEquals([{ software: false }, { features: 35 }, { dim: 10 }, { most: 33_000 }].map(taken), [false, false, false, false]);
});
