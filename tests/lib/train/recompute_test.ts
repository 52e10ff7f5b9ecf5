/** @file Blocks that are computed again instead of kept. */

import { assert, assertEquals } from "@std/assert";
import { defaultConfig, type RunConfig } from "../../../lib/config.ts";
import { PackedImages } from "../../../lib/data/packed.ts";
import type { Gpu } from "../../../lib/gpu/device.ts";
import { read } from "../../../lib/tensor/tensor.ts";
import { Finetune } from "../../../lib/train/finetune.ts";
import { mae } from "../../../lib/train/mae.ts";
import type { Method } from "../../../lib/train/method.ts";
import { Pretraining } from "../../../lib/train/pretraining.ts";
import { simclr } from "../../../lib/train/simclr.ts";
import { gpuTest } from "../../support/gpu.ts";
import { randoms } from "../../support/ops.ts";

const COUNT = 16, SIZE = 12, CHANNELS = 2;
const ALL = Uint32Array.from({ length: COUNT }, (_, i) => i);
const DATA = {
  images: PackedImages.fromDense(randoms(COUNT * SIZE * SIZE * CHANNELS, 1).map(Math.abs), { channels: CHANNELS, size: SIZE }),
  labels: Array.from(ALL, (i) => i % 2),
  mass: Array.from(ALL, (i) => 50 + i),
  split: { train: ALL, val: ALL, test: ALL },
};

function configWith(recompute: RunConfig["training"]["recompute"]): RunConfig {
  const config = defaultConfig();
  const sizes = { in_channels: CHANNELS, img_size: SIZE, patch_size: 3, embed_dim: 16, depth: 4, num_heads: 2, lcm_kernel: 3 };
  Object.assign(config.model, { ...sizes, dropout: 0.2, drop_path_rate: 0.3, projection_dim: 8 });
  Object.assign(config.data, { batch_size: 8, norm_scale: 1 });
  Object.assign(config.augment, { drop_channels_min: 0, drop_channels_max: 1 });
  Object.assign(config.mae, { decoder_embed_dim: 16, decoder_depth: 1, decoder_num_heads: 2 });
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
      for await (const batch of method.stage([ALL.subarray(0, 8), ALL.subarray(8)])) {
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
