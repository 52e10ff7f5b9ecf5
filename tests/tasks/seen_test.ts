/** Models are evaluated on images that they have not seen, as far as their weight files can tell. */

import { assertStringIncludes } from "@std/assert";
import { fail, succeed, Workspace } from "../support/tasks.ts";
import { FINETUNE_TOY, writeToy } from "../support/toy.ts";

Deno.test("models are tested on the split and the file that they were trained with, and --set takes no key that is not used", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 100);
  writeToy(`${workspace.root}data/more.h5`, 120);
  const train = [...FINETUNE_TOY, "--set", "training.epochs=1"];
  await succeed(workspace, "finetune", ...train, "--set", "data.seed=43", "--out", "runs/a");
  await succeed(workspace, "finetune", ...train, "--set", "data.seed=44", "--out", "runs/b");
  await succeed(workspace, "finetune", ...train, "--set", "data.labelled_path=data/more.h5", "--out", "runs/c");
  const weights = (run: string) => `runs/${run}/best.safetensors`;

  await succeed(workspace, "eval", "--model", `a=${weights("a")}`);
  const { data, seed } = JSON.parse(new TextDecoder().decode(workspace.read("reports/metrics.json")));
  assertStringIncludes(`${data} ${seed}`, "data/toy.h5 43");
  const probe = await succeed(workspace, "probe", "--weights", weights("c"), "--neighbours", "3");
  assertStringIncludes(probe.stdout, "data/more.h5");

  const seeds = await fail(workspace, "eval", "--model", `a=${weights("a")}`, "--model", `b=${weights("b")}`);
  assertStringIncludes(seeds, "a was trained with the split of seed 43, and b was trained with the split of seed 44");
  assertStringIncludes(seeds, "--seed");
  const files = await fail(workspace, "eval", "--model", `b=${weights("b")}`, "--model", `c=${weights("c")}`);
  assertStringIncludes(files, "b was trained on the data of data/toy.h5, and c was trained on the data of data/more.h5");
  assertStringIncludes(files, "--data");

  for (const pair of ["training.epochs=3", "model.embed_dim=32", "data.augment=false"]) {
    const line = await fail(workspace, "eval", "--model", `a=${weights("a")}`, "--set", pair);
    assertStringIncludes(line, `--set ${pair}: this task does not use that key`);
  }
  const predict = ["--weights", weights("a"), "--data", "data/toy.h5", "--out", "reports/p.csv"];
  assertStringIncludes(await fail(workspace, "predict", ...predict, "--set", "data.seed=1"), "does not use that key");
});
