/** @file A step that is computed twice. */

import { assertEquals, assertRejects } from "@std/assert";
import type { Gpu } from "../../../lib/gpu/device.ts";
import { Pacer } from "../../../lib/gpu/pacer.ts";
import type { StagedBatch } from "../../../lib/input/batches.ts";
import type { StepNumbers } from "../../../lib/tensor/step.ts";
import { freshState } from "../../../lib/train/checkpoint.ts";
import { Finetune } from "../../../lib/train/finetune.ts";
import { ALONE } from "../../../lib/train/exchange.ts";
import { replayStep } from "../../../lib/train/replay.ts";
import { RunFolder } from "../../../lib/disk/run_folder.ts";
import { StepRunner } from "../../../lib/train/step_runner.ts";
import { Trainer, TrainingError } from "../../../lib/train/trainer.ts";
import { temporaryFolder } from "../../support/files.ts";
import { gpuTest } from "../../support/gpu.ts";
import { noiseData, smallConfig } from "../../support/methods.ts";

function setting() {
  const config = smallConfig(4);
  config.data.augment = false;
  config.training.epochs = 1;
  return { config, data: noiseData(16) };
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
    const pacer = new Pacer(gpu), runner = new StepRunner(gpu, method, ALONE, pacer);
    const compute = () => runner.run([batch], { seed: 1, step: 0, learningRates: [0.1, 0.1] });
    const { different, compared } = await replayStep(gpu, method, pacer, compute);
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
  const trainer = new Trainer(gpu, config, method, folder, { state: freshState(4), trainedOn: [] }, reporter, {
    deterministicCheck: true,
  });
  await assertRejects(() => trainer.run(), TrainingError, "does not compute the same twice");
});
