/** @file A batch in parts, by one process or by several ranks, gives what it gives at once. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { Pacer } from "../../../lib/gpu/pacer.ts";
import { ConfigError } from "../../../lib/config/parse.ts";
import { Division } from "../../../lib/train/division.ts";
import { ALONE } from "../../../lib/train/exchange.ts";
import { TABLE_ROWS } from "../../../lib/train/method.ts";
import { RankExchange } from "../../../lib/train/rank_exchange.ts";
import { StepRunner } from "../../../lib/train/step_runner.ts";
import { gpuTest } from "../../support/gpu.ts";
import { assertAgree, configOf, type Cut, farthest, METHODS, train } from "../../support/parts.ts";
import { inRanks } from "../../support/ranks.ts";

for (const name of Object.keys(METHODS)) {
  for (const parts of [2, 4]) {
    gpuTest(
      `${parts} ranks compute the steps of ${name} that one computes in ${parts} groups, all with the same bits`,
      async (gpu) => {
        const alone = await train(gpu, name, { groups: parts });
        const ranks = await inRanks(parts, (world) => train(gpu, name, {}, new RankExchange(world)));
        for (const rank of ranks) assertEquals(rank, ranks[0]);
        assertAgree(ranks[0]!, alone);
      },
    );
  }

  gpuTest(`training.accumulate gives the steps of ${name} that one batch so many times as large gives`, async (gpu) => {
    const alone = await train(gpu, name, { groups: 2 });
    const accumulated = await train(gpu, name, { accumulate: 2 });
    assertAgree(accumulated, alone);
  });

  gpuTest(`ranks that accumulate compute the steps of ${name} that one computes`, async (gpu) => {
    const alone = await train(gpu, name, { groups: 4 });
    const [first] = await inRanks(2, (world) => train(gpu, name, { accumulate: 2 }, new RankExchange(world)));
    assertAgree(first!, alone);
  });
}

gpuTest("results of steps in parts may be read before the table of results is full", async (gpu) => {
  const config = configOf({ accumulate: 2 });
  using method = METHODS["finetuning"]!(gpu, config, ALONE);
  const pacer = new Pacer(gpu);
  using runner = new StepRunner(gpu, method, ALONE, pacer);
  const batches = Array.from({ length: TABLE_ROWS + 8 }, () => method.images.subarray(0, method.batchSize));
  let step = 0, unread = 0;
  for await (const parts of runner.stage(batches)) {
    const outcome = await runner.run(parts, { seed: 3, step, row: step++ % TABLE_ROWS, learningRates: [0, 0] });
    unread = outcome === "done" ? 0 : unread + 1;
    assert(unread < TABLE_ROWS, `${unread} steps have not been read`);
  }
  await pacer.drain();
});

gpuTest("batch normalisation in groups is another mathematics than in one", async (gpu) => {
  const [one, two] = [await train(gpu, "finetuning", {}), await train(gpu, "finetuning", { groups: 2 })];
  assert(farthest(one, two, "values") > 1e-4);
});

Deno.test("Division() says what cannot be divided evenly", () => {
  const divide = (cut: Cut, ranks: number) => () => new Division(configOf(cut), { rank: 0, ranks });
  assertThrows(divide({}, 3), ConfigError, "data.batch_size is 8, which 3 ranks cannot divide evenly. Use a multiple of 3");
  assertThrows(divide({ groups: 3 }, 1), ConfigError, "3 groups (training.batch_groups) cannot divide evenly");
  assertThrows(divide({ groups: 2 }, 4), ConfigError, "training.batch_groups is 2, which 4 ranks cannot divide evenly");
});
