/** @file A step that is computed twice. */

import { assertEquals, assertRejects } from "@std/assert";
import { defaultConfig } from "../../../lib/config.ts";
import { PackedImages } from "../../../lib/data/packed.ts";
import type { Gpu } from "../../../lib/gpu/device.ts";
import { Pacer } from "../../../lib/gpu/pacer.ts";
import type { StagedBatch } from "../../../lib/nn/batches.ts";
import type { StepNumbers } from "../../../lib/tensor/step.ts";
import { freshState } from "../../../lib/train/checkpoint.ts";
import { Finetune } from "../../../lib/train/finetune.ts";
import { replayStep } from "../../../lib/train/replay.ts";
import { RunFolder } from "../../../lib/train/run_folder.ts";
import { Trainer, TrainingError } from "../../../lib/train/trainer.ts";
import { temporaryFolder } from "../../support/files.ts";
import { gpuTest } from "../../support/gpu.ts";
import { randoms } from "../../support/ops.ts";

const SIZE = { channels: 2, size: 12 };
const COUNT = 16;

function setting() {
  const config = defaultConfig();
  const { model, data, training } = config;
  Object.assign(model, {
    in_channels: 2,
    img_size: 12,
    patch_size: 3,
    embed_dim: 16,
    depth: 1,
    num_heads: 2,
    lcm_kernel: 3,
    dropout: 0.2,
  });
  Object.assign(data, { batch_size: 4, norm_scale: 1, augment: false });
  training.epochs = 1;
  const images = PackedImages.fromDense(randoms(COUNT * 12 * 12 * 2, 1).map(Math.abs), SIZE);
  const numbers = Uint32Array.from({ length: COUNT }, (_, i) => i);
  const split = { train: numbers, val: numbers, test: numbers };
  const of = (value: (i: number) => number) => Array.from(numbers, value);
  return { config, data: { images, labels: of((i) => i % 2), mass: of((i) => 50 + i), split } };
}

/** Draws other dropout each time, as a kernel with a race computes something else each time. */
class Unsteady extends Finetune {
  #times = 0;

  override prepare(batch: StagedBatch, numbers: StepNumbers): void {
    super.prepare(batch, { ...numbers, seed: numbers.seed + this.#times++ });
  }
}

async function replay(gpu: Gpu, method: Finetune): Promise<string | undefined> {
  for await (const batch of method.stage([method.images.subarray(0, 4)])) {
    const before = await method.model.parameters.state();
    const prepare = () => method.prepare(batch, { seed: 1, step: 0, learningRates: [0.1, 0.1] });
    const { different, compared } = await replayStep(gpu, method, new Pacer(gpu), prepare);
    assertEquals(compared > 4 * method.model.parameters.count, true);
    assertEquals(await method.model.parameters.state(), before);
    return different;
  }
}

gpuTest("replayStep() finds the same bits in a repeated step, and puts the state back", async (gpu) => {
  const { config, data } = setting();
  using method = new Finetune(gpu, config, data, new Map());
  assertEquals(await replay(gpu, method), undefined);
});

gpuTest("replayStep() names the first gradient that differs", async (gpu) => {
  const { config, data } = setting();
  using method = new Unsteady(gpu, config, data, new Map());
  assertEquals(await replay(gpu, method), "gradient of patch_embed.proj.weight");
});

gpuTest("Trainer stops before the first step if a repeated step differs", async (gpu) => {
  const { config, data } = setting();
  using method = new Unsteady(gpu, config, data, new Map());
  using temporary = temporaryFolder();
  using folder = new RunFolder(temporary.path);
  const reporter = { line: () => {}, progress: () => {} };
  const trainer = new Trainer(gpu, config, method, folder, freshState(4), reporter, { deterministicCheck: true });
  await assertRejects(() => trainer.run(), TrainingError, "does not compute the same twice");
});
