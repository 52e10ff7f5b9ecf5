/** @file deno task mpi by each method, as a user starts it: two processes train what one trains in two groups. */

import { assert, assertStringIncludes } from "@std/assert";
import { type Launcher, testRanks } from "../support/mpi.ts";
import { RankedRun, set } from "../support/ranked_run.ts";
import { succeed } from "../support/tasks.ts";
import { TOY_MODEL } from "../support/toy.ts";
import { largestDifference } from "../support/weights.ts";

/** Three steps of a model whose kernels compile in no time. */
const SHORT: readonly string[] = [
  ...TOY_MODEL,
  ...set(
    ...["data.unlabelled_path=data/toy.h5", "data.labelled_path=data/toy.h5", "data.batch_size=8", "model.embed_dim=8"],
    ...["mae.decoder_embed_dim=8", "mae.decoder_depth=1", "mae.decoder_num_heads=2", "active_mae.decoder_embed_dim=8"],
    ...["training.epochs=1", "training.max_steps=3", "training.lr=0.0003"],
  ),
];

type Trained = readonly [name: string, task: "pretrain" | "finetune", args: readonly string[]];

/** What is trained by the library of each launcher: what ranks tell one another differs from method to method, and not with the library. */
const METHODS: Readonly<Record<Launcher["name"], readonly Trained[]>> = {
  "Open MPI": [
    ["simclr", "pretrain", ["--config", "configs/pretrain_simclr.yaml"]],
    ["active_tokens", "finetune", ["--config", "configs/scratch.yaml", ...set("model.tokens=active", "model.lcm=wide")]],
  ],
  "MPICH": [
    ["mae", "pretrain", ["--config", "configs/pretrain_mae.yaml"]],
    ["active_mae", "pretrain", ["--config", "configs/pretrain_active_mae.yaml"]],
  ],
};

testRanks("deno task mpi trains what one process trains in two groups", async (launcher) => {
  using run = new RankedRun(launcher);
  for (const [name, task, config] of METHODS[launcher.name]) {
    const args = [...config, ...SHORT];
    const { stdout } = await run.succeed(args, name, task);
    assertStringIncludes(stdout, `2 ranks, tied together by ${launcher.name}`);
    await succeed(run.first, task, ...args, ...set("training.batch_groups=2"), "--out", `runs/${name}_alone`);
    const [ranks, alone] = [name, `${name}_alone`].map((folder) => run.first.read(`runs/${folder}/latest.safetensors`));
    const far = largestDifference(ranks!, alone!);
    assert(far < 1e-6, `${name}: weights differ by ${far}`);
  }
});
