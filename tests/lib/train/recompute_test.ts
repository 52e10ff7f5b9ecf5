/** @file Blocks that are computed again instead of kept. */

import { assert, assertEquals } from "@std/assert";
import type { RunConfig } from "../../../lib/config/keys.ts";
import type { Gpu } from "../../../lib/gpu/device.ts";
import { read } from "../../../lib/tensor/tensor.ts";
import { Finetune } from "../../../lib/train/finetune.ts";
import { mae } from "../../../lib/train/mae.ts";
import type { Method } from "../../../lib/train/method.ts";
import { Pretraining } from "../../../lib/train/pretraining.ts";
import { simclr } from "../../../lib/train/simclr.ts";
import { gpuTest } from "../../support/gpu.ts";
import { noiseData, smallConfig } from "../../support/methods.ts";

const DATA = noiseData(16);

function configWith(recompute: RunConfig["training"]["recompute"]): RunConfig {
  const config = smallConfig(8, { depth: 4 });
  config.training.recompute = recompute;
  return config;
}

const METHODS: Readonly<Record<string, (gpu: Gpu, config: RunConfig) => Method>> = {
  "finetuning": (gpu, config) => new Finetune(gpu, config, DATA, new Map()),
  "SimCLR": (gpu, config) => new Pretraining(gpu, config, DATA, new Map(), simclr(config)),
  "MAE": (gpu, config) => new Pretraining(gpu, config, DATA, new Map(), mae(config)),
};

for (const [name, create] of Object.entries(METHODS)) {
  gpuTest(`training.recompute: blocks gives the bits of ${name} in less memory`, async (gpu) => {
    const train = async (recompute: RunConfig["training"]["recompute"]) => {
      using method = create(gpu, configWith(recompute));
      let step = 0;
      for await (const batch of method.stage([DATA.split.train.subarray(0, 8), DATA.split.train.subarray(8)])) {
        method.run(batch, { seed: 3, step, row: step++, learningRates: [1e-3, 1e-3] });
      }
      return { state: await method.model.parameters.state(), table: await read(gpu, method.table), bytes: method.plan.bytes };
    };
    const kept = await train("none"), recomputed = await train("blocks");
    assertEquals(recomputed.state, kept.state);
    assertEquals(recomputed.table, kept.table);
    assert(recomputed.bytes < 0.7 * kept.bytes, `${recomputed.bytes} bytes instead of ${kept.bytes}`);
  });
}
