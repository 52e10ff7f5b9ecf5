/** @file Tensors that are larger than the adapter binds at once. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import type { RunConfig } from "../../../lib/config/keys.ts";
import { type Gpu, GpuError } from "../../../lib/gpu/device.ts";
import { read } from "../../../lib/tensor/tensor.ts";
import { activeMae } from "../../../lib/train/active_mae.ts";
import { Finetune } from "../../../lib/train/finetune.ts";
import type { Method } from "../../../lib/train/method.ts";
import { Pretraining } from "../../../lib/train/pretraining.ts";
import { simclr } from "../../../lib/train/simclr.ts";
import { assertClose } from "../../support/fixtures.ts";
import { gpuTest, withGpu } from "../../support/gpu.ts";
import { noiseData, smallConfig } from "../../support/methods.ts";

const DATA = { ...noiseData(64, (x) => Math.max(0, x - 1.6)), sumDeviations: [0.9, 1.1] };
/** Most that may be bound: a quarter of the largest tensor, less than the tokens of a batch, more than all weights. */
const LITTLE = 40 * 1024;

type Create = (gpu: Gpu, config: RunConfig) => Method;

const METHODS: Readonly<Record<string, Create>> = {
  "finetuning": (gpu, config) => new Finetune(gpu, config, DATA, new Map()),
  "SimCLR": (gpu, config) => new Pretraining(gpu, config, DATA, new Map(), simclr(config)),
  "finetuning on active tokens": active("submanifold", (gpu, config) => new Finetune(gpu, config, DATA, new Map())),
  "active MAE": active("wide", (gpu, config) => new Pretraining(gpu, config, DATA, new Map(), activeMae(config))),
};

function active(lcm: "submanifold" | "wide", create: Create): Create {
  return (gpu, config) => {
    const { model, active_mae } = config;
    return create(gpu, {
      ...config,
      model: { ...model, tokens: "active", lcm },
      active_mae: { ...active_mae, decoder_embed_dim: 8 },
    });
  };
}

for (const [name, create] of Object.entries(METHODS)) {
  // general products and single numbers, quads
  for (const embed of [14, 16]) {
    gpuTest(
      `${name} of width ${embed} has the same losses, gradients and statistics if its tensors are bound in ranges`,
      async (gpu) => {
        const train = async (gpu: Gpu) => {
          using method = create(gpu, smallConfig(48, { embed_dim: embed }));
          for await (const batch of method.stage([DATA.split.train.subarray(0, 48)])) {
            method.run(batch, { seed: 3, step: 0, row: 0, learningRates: [1e-3, 1e-3] });
          }
          const { statistics } = method.model.parameters;
          return {
            gradients: await method.model.parameters.gradientState(),
            statistics: await read(gpu, statistics),
            losses: await read(gpu, method.table),
            length: method.plan.length,
          };
        };
        const whole = await train(gpu);
        const cut = await withGpu({ maxBinding: LITTLE }, train);
        assert(cut.length > 1.5 * whole.length, `${cut.length} launches instead of ${whole.length}`);
        assertClose(cut.losses, Float64Array.from(whole.losses), "losses", 1e-6);
        assertClose(cut.statistics, Float64Array.from(whole.statistics), "running statistics", 1e-6);
        // sums are taken in another order; beside the largest gradient, since those before a normalisation cancel to nothing
        const largest = Math.max(...[...whole.gradients.values()].map(({ values }) => Math.max(...values.map(Math.abs))));
        for (const [tensor, { values }] of whole.gradients) {
          const off = Math.max(...values.map((x, i) => Math.abs(x - cut.gradients.get(tensor)!.values[i]!)));
          assert(off <= 1e-5 * largest, `gradient of ${tensor} is off by ${off}; the largest of all is ${largest}`);
        }
      },
    );
  }
}

Deno.test("a tensor that cannot be bound in ranges is refused by its name and size, before anything is computed", async () => {
  await withGpu({ maxBinding: 8 * 1024 }, (gpu) => {
    const error = assertThrows(
      () => new Finetune(gpu, smallConfig(48, { embed_dim: 64 }), DATA, new Map()),
      GpuError,
      "Cannot bind",
    );
    assertEquals(error.message.split("\n").length, 1);
    return Promise.resolve();
  });
});
