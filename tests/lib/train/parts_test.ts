/** @file A batch in parts, by one process or by several ranks, gives what it gives at once. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigError } from "../../../lib/config/parse.ts";
import type { RunConfig } from "../../../lib/config/keys.ts";
import type { Gpu } from "../../../lib/gpu/device.ts";
import { Pacer } from "../../../lib/gpu/pacer.ts";
import { read } from "../../../lib/tensor/tensor.ts";
import { Division } from "../../../lib/train/division.ts";
import { ALONE, type Exchange } from "../../../lib/train/exchange.ts";
import { activeMae } from "../../../lib/train/active_mae.ts";
import { Finetune } from "../../../lib/train/finetune.ts";
import { mae } from "../../../lib/train/mae.ts";
import type { Method } from "../../../lib/train/method.ts";
import { Pretraining } from "../../../lib/train/pretraining.ts";
import { RankExchange } from "../../../lib/train/rank_exchange.ts";
import { simclr } from "../../../lib/train/simclr.ts";
import { StepRunner } from "../../../lib/train/step_runner.ts";
import { batchesOf } from "../../../lib/input/batches.ts";
import { gpuTest } from "../../support/gpu.ts";
import { noiseData, smallConfig } from "../../support/methods.ts";
import { inRanks } from "../../support/ranks.ts";

const STEPS = 3, BATCH = 8;
const DATA = noiseData(STEPS * BATCH);
/** Half of the patches hold nothing. */
const SPARSE = { ...noiseData(STEPS * BATCH, (x) => Math.max(0, x - 1.8)), sumDeviations: [0.9, 1.1] };
const active = (config: RunConfig) => ({ ...config, model: { ...config.model, tokens: "active" as const } });

const METHODS: Readonly<Record<string, (gpu: Gpu, config: RunConfig, exchange: Exchange) => Method>> = {
  "finetuning": (gpu, config, exchange) => new Finetune(gpu, config, DATA, new Map(), exchange),
  "SimCLR": (gpu, config, exchange) => new Pretraining(gpu, config, DATA, new Map(), simclr(config), exchange),
  "MAE": (gpu, config, exchange) => new Pretraining(gpu, config, DATA, new Map(), mae(config), exchange),
  "finetuning on active tokens": (gpu, config, exchange) => new Finetune(gpu, active(config), SPARSE, new Map(), exchange),
  "SimCLR on active tokens": (gpu, config, exchange) =>
    new Pretraining(gpu, active(config), SPARSE, new Map(), simclr(active(config)), exchange),
  "active MAE": (gpu, config, exchange) =>
    new Pretraining(gpu, active(config), SPARSE, new Map(), activeMae(active(config)), exchange),
};

/** How a batch of BATCH images is computed. */
interface Cut {
  readonly accumulate?: number;
  readonly groups?: number;
}

function configOf({ accumulate = 1, groups = 0 }: Cut): RunConfig {
  const config = smallConfig(BATCH / accumulate, { depth: 2 });
  Object.assign(config.training, { accumulate, batch_groups: groups });
  return config;
}

/** Weights and running statistics after three steps, the results of the steps, and a validation. */
async function train(gpu: Gpu, create: typeof METHODS[string], cut: Cut, exchange: Exchange = ALONE) {
  using method = create(gpu, configOf(cut), exchange);
  const pacer = new Pacer(gpu);
  using runner = new StepRunner(gpu, method, exchange, pacer);
  let step = 0;
  for await (const parts of runner.stage(batchesOf(DATA.split.train, BATCH))) {
    await runner.run(parts, { seed: 3, step, row: step++, learningRates: [3e-4, 1e-4] });
  }
  await pacer.drain();
  const results = (await read(gpu, method.table)).slice(0, STEPS * method.table.shape[1]!);
  const report = (await read(gpu, method.report)).slice(0, 2 * STEPS);
  return { state: await method.model.parameters.state(), results, report, validation: await method.validate() };
}

type Trained = Awaited<ReturnType<typeof train>>;

/** The largest difference of two numbers of a tensor, over all tensors. */
function farthest(a: Trained, b: Trained): [name: string, difference: number] {
  const all = [...a.state].map(([name, { values }]): [string, number] => {
    const other = b.state.get(name)!.values;
    return [name, values.reduce((most, value, i) => Math.max(most, Math.abs(value - other[i]!)), 0)];
  });
  return all.reduce((most, next) => next[1] > most[1] ? next : most);
}

function assertAgree(a: Trained, b: Trained): void {
  const [name, difference] = farthest(a, b);
  assert(difference < 1e-6, `${name} differs by ${difference}`);
  a.report.forEach((value, i) => assert(Math.abs(value - b.report[i]!) <= 1e-5 * Math.abs(value), `norm ${value}, ${b.report[i]}`));
}

for (const [name, create] of Object.entries(METHODS)) {
  for (const parts of [2, 4]) {
    gpuTest(
      `${parts} ranks compute the steps of ${name} that one computes in ${parts} groups, all with the same bits`,
      async (gpu) => {
        const alone = await train(gpu, create, { groups: parts });
        const ranks = await inRanks(parts, (world) => train(gpu, create, {}, new RankExchange(world)));
        for (const rank of ranks) assertEquals(rank, ranks[0]);
        assertAgree(ranks[0]!, alone);
      },
    );
  }

  gpuTest(`training.accumulate gives the steps of ${name} that one batch so many times as large gives`, async (gpu) => {
    const alone = await train(gpu, create, { groups: 2 });
    const accumulated = await train(gpu, create, { accumulate: 2 });
    assertAgree(accumulated, alone);
  });

  gpuTest(`ranks that accumulate compute the steps of ${name} that one computes`, async (gpu) => {
    const alone = await train(gpu, create, { groups: 4 });
    const [first] = await inRanks(2, (world) => train(gpu, create, { accumulate: 2 }, new RankExchange(world)));
    assertAgree(first!, alone);
  });
}

gpuTest("batch normalisation in groups is another mathematics than in one", async (gpu) => {
  const [one, two] = [await train(gpu, METHODS["finetuning"]!, {}), await train(gpu, METHODS["finetuning"]!, { groups: 2 })];
  assert(farthest(one, two)[1] > 1e-4);
});

Deno.test("Division() says what cannot be divided evenly", () => {
  const divide = (cut: Cut, ranks: number) => () => new Division(configOf(cut), { rank: 0, ranks });
  assertThrows(divide({}, 3), ConfigError, "data.batch_size is 8, which 3 ranks cannot divide evenly. Use a multiple of 3");
  assertThrows(divide({ groups: 3 }, 1), ConfigError, "3 groups (training.batch_groups) cannot divide evenly");
  assertThrows(divide({ groups: 2 }, 4), ConfigError, "training.batch_groups is 2, which 4 ranks cannot divide evenly");
});
