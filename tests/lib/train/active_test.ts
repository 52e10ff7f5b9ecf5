/** @file Training on active tokens: the model of all tokens where all are active, fixed bits, and nothing that is cut in silence. */

import { assert, assertEquals } from "@std/assert";
import type { RunConfig } from "../../../lib/config/keys.ts";
import { mostActivePatches } from "../../../lib/data/active_patches.ts";
import { PackedImages } from "../../../lib/data/packed.ts";
import { sumDeviations } from "../../../lib/data/patch_sums.ts";
import type { Gpu } from "../../../lib/gpu/device.ts";
import type { LabelledData } from "../../../lib/input/input_images.ts";
import type { ModelConfig } from "../../../lib/nn/config.ts";
import { hideTokens } from "../../../lib/tensor/ops/hidden_tokens.ts";
import { activeTokens, HEADER } from "../../../lib/tensor/ops/active_tokens.ts";
import { createStep, writeStep } from "../../../lib/tensor/step.ts";
import { Tape } from "../../../lib/tensor/tape.ts";
import { createTensor, read, type Tokens, write } from "../../../lib/tensor/tensor.ts";
import { activeMae } from "../../../lib/train/active_mae.ts";
import { Finetune } from "../../../lib/train/finetune.ts";
import type { Method } from "../../../lib/train/method.ts";
import { Pretraining } from "../../../lib/train/pretraining.ts";
import { simclr } from "../../../lib/train/simclr.ts";
import { assertClose } from "../../support/fixtures.ts";
import { gpuTest, variantsTest } from "../../support/gpu.ts";
import { noiseData, smallConfig } from "../../support/methods.ts";

const BATCH = 8;
/** Every pixel holds something. */
const FULL = noiseData(24);
/** One pixel in a hundred does; the first image is empty. */
const SPARSE = noiseData(24, (x) => Math.max(0, x - 2.3));
/** No pixel does. */
const NOTHING = noiseData(24, () => 0);
/** One pixel of all does. */
const ONE = noiseData(24, firstOf(0.5));

/** Gives a value once, and then 0. */
function firstOf(value: number): () => number {
  let left = value;
  return () => {
    const now = left;
    left = 0;
    return now;
  };
}

type Create = (gpu: Gpu, config: RunConfig, data: LabelledData) => Promise<Method>;

const METHODS: Readonly<Record<string, Create>> = {
  "finetuning": (gpu, config, data) => Promise.resolve(new Finetune(gpu, config, data, new Map())),
  "SimCLR": (gpu, config, data) => Promise.resolve(new Pretraining(gpu, config, data, new Map(), simclr(config))),
  "active MAE of sums": async (gpu, config, data) => {
    const deviations = await sumDeviations(data.images, config.model.patch_size, data.split.train);
    return new Pretraining(gpu, config, { ...data, sumDeviations: deviations }, new Map(), activeMae(config));
  },
  "active MAE of pixels": (gpu, config, data) => {
    config.active_mae.target = "pixels";
    return Promise.resolve(new Pretraining(gpu, config, data, new Map(), activeMae(config)));
  },
};

/** Everything that two steps leave behind. */
async function train(
  gpu: Gpu,
  create: Create,
  data: LabelledData,
  model: Partial<ModelConfig>,
  set?: (config: RunConfig) => void,
  rate = 1e-3,
) {
  const config = smallConfig(BATCH, { depth: 2, ...model });
  set?.(config);
  using method = await create(gpu, config, data);
  for await (const batch of method.stage([0, 8].map((first) => data.split.train.subarray(first, first + BATCH)))) {
    const step = batch.images[0]! / BATCH;
    method.run(batch, { seed: 3, step, row: step, learningRates: [rate, rate] });
  }
  return {
    losses: await read(gpu, method.table),
    report: (await read(gpu, method.report)).slice(0, 4),
    gradients: await method.model.parameters.gradientState(),
    values: await read(gpu, method.model.parameters.values),
    statistics: await read(gpu, method.model.parameters.statistics),
  };
}

for (const name of ["finetuning", "SimCLR"]) {
  for (const lcm of ["submanifold", "wide"] as const) {
    variantsTest(`${name} on active tokens, ${lcm}, is that on all where all are active`, async (gpu) => {
      const set = ({ augment }: RunConfig) => Object.assign(augment, { drop_channels_max: 0 });
      const all = await train(gpu, METHODS[name]!, FULL, {}, set, 0);
      const active = await train(gpu, METHODS[name]!, FULL, { tokens: "active", lcm }, set, 0);
      assertClose(active.losses, Float64Array.from(all.losses), "losses", 1e-6);
      assertClose(active.statistics, Float64Array.from(all.statistics), "running statistics", 1e-6);
      const largest = Math.max(...[...all.gradients.values()].map(({ values }) => Math.max(...values.map(Math.abs))));
      for (const [tensor, { values }] of all.gradients) {
        const off = Math.max(...values.map((x, i) => Math.abs(x - active.gradients.get(tensor)!.values[i]!)));
        assert(off <= 1e-5 * largest, `gradient of ${tensor} is off by ${off}; the largest of all is ${largest}`);
      }
    });
  }
}

for (const [name, create] of Object.entries(METHODS)) {
  for (const lcm of ["submanifold", "wide"] as const) {
    gpuTest(`${name} on active tokens, ${lcm}, gives the same bits again, and where blocks are computed again`, async (gpu) => {
      const first = await train(gpu, create, SPARSE, { tokens: "active", lcm });
      assert(first.losses.every(Number.isFinite));
      assertEquals(first.report.filter((_, i) => i % 2 === 1), Float32Array.of(0, 0));
      assertEquals(await train(gpu, create, SPARSE, { tokens: "active", lcm }), first);
      const recompute = ({ training }: RunConfig) => void Object.assign(training, { recompute: "blocks" });
      assertEquals(await train(gpu, create, SPARSE, { tokens: "active", lcm }, recompute), first);
    });
  }

  gpuTest(`${name} takes a batch without any active token, and one with one`, async (gpu) => {
    for (const data of [NOTHING, ONE]) {
      const { losses, report, gradients, statistics } = await train(gpu, create, data, { tokens: "active" });
      assertEquals([report[1], report[3]], [0, 0]);
      const all = [losses, statistics, ...Array.from(gradients.values(), ({ values }) => values)];
      assert(all.every((numbers) => numbers.every(Number.isFinite)));
    }
  });

  gpuTest(`${name} skips a batch that has more active tokens than there is room for, and its loss is no number`, async (gpu) => {
    const little = { ...FULL, active: { patch: 3, most: 5 } };
    const { losses, report } = await train(gpu, create, little, { tokens: "active" });
    assert(Number.isNaN(losses[0]!));
    assertEquals([report[1], report[3]], [1, 1]);
  });
}

Deno.test("mostActivePatches() counts the patches of the fullest image, in any place where a roll may cut it", async () => {
  const { images } = SPARSE;
  const { size, channels, count } = images;
  const cut = async (patch: number, shifts: readonly number[]) => {
    let most = 0;
    for (let i = 0; i < count; i++) {
      const { words } = await images.batch([i]);
      for (const shift of shifts) {
        const places = new Set<number>();
        for (let at = 0; at < words.length; at += 2) {
          const pixel = Math.floor(words[at]! / channels), column = (pixel + shift) % size;
          places.add(Math.floor(pixel / size / patch) * size + Math.floor(column / patch));
        }
        most = Math.max(most, places.size);
      }
    }
    return most;
  };
  assertEquals(await mostActivePatches(images, 3, "none"), await cut(3, [0]));
  const anywhere = Array.from({ length: size }, (_, shift) => shift);
  assertEquals(await mostActivePatches(images, 3, "phi"), await cut(3, anywhere));
  const pair = PackedImages.fromDense(Float32Array.from({ length: 144 }, (_, i) => Number(i < 2)), { channels: 1, size: 12 });
  assertEquals(await mostActivePatches(pair, 3, "none"), 1);
  assertEquals(await mostActivePatches(pair, 3, "phi"), 2);
  // patches of 5 do not fill 12 pixels, so flips change what falls beyond the last one
  assertEquals(await mostActivePatches(FULL.images, 5, "none"), 4);
  assertEquals(await mostActivePatches(pair, 5, "none"), 2);
});

gpuTest("hideTokens() leaves max(1, floor(keep n + 1/2)) of n active tokens visible and hides the others", async (gpu) => {
  const counts = [0, 1, 2, 3, 10, 16], places = 16, keep = 0.35;
  const marks = createTensor(gpu, "marks", [counts.length, places], "u32");
  const marked = Uint32Array.from(
    { length: counts.length * places },
    (_, i) => Number(7 * (i % places) % places < counts[Math.floor(i / places)]!),
  );
  write(gpu, marks, marked);
  const step = createStep(gpu);
  const tape = new Tape(gpu, { training: true, step });
  const { visible, hidden } = hideTokens(tape, activeTokens(tape, marks, places), keep);
  const plan = tape.compile({ poison: true });
  const rowsOf = async ({ rows, tables: [table] }: Tokens, images: number) => {
    const at = (place: { buffer: GPUBuffer; offset: number }, bytes: number) => gpu.read(place.buffer, place.offset, bytes);
    const found = new Uint32Array(await at(plan.placeOf(rows.storage), rows.storage.bytes));
    const starts = new Uint32Array(await at(plan.placeOf(table!.storage), table!.storage.bytes)).slice(HEADER, HEADER + images + 1);
    return { found: [...found].map((row) => row !== 2 ** 32 - 1), counts: counts.map((_, i) => starts[i + 1]! - starts[i]!) };
  };
  const draws = new Set<string>();
  for (const number of [0, 1]) {
    writeStep(gpu, step, { seed: 9, step: number });
    plan.run();
    const seen = await rowsOf(visible, counts.length), unseen = await rowsOf(hidden, counts.length);
    const expected = counts.map((n) => Math.min(n, Math.max(1, Math.floor(keep * n + 0.5))));
    assertEquals(seen.counts, expected);
    assertEquals(unseen.counts, counts.map((n, i) => n - expected[i]!));
    seen.found.forEach((is, i) => assertEquals([is, unseen.found[i]].filter(Boolean).length, marked[i]));
    draws.add(seen.found.join());
  }
  assertEquals(draws.size, 2);
});
