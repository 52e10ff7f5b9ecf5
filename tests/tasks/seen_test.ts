/** Models are evaluated on images that they have not seen, as far as their weight files can tell. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { stratifiedSplit } from "../../lib/data/split.ts";
import { fail, succeed, Workspace } from "../support/tasks.ts";
import { FINETUNE_TOY, TOY_MODEL, writeToy } from "../support/toy.ts";

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

Deno.test("images that a model has met are counted and marked, on the screen, in the report and in metrics.json", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 100);
  const train = [...FINETUNE_TOY, "--set", "training.epochs=1"];
  await succeed(workspace, "finetune", ...train, "--set", "data.seed=43", "--out", "runs/a");
  await succeed(workspace, "finetune", ...train, "--set", "data.seed=42", "--out", "runs/b");
  const models = ["--model", "a=runs/a/best.safetensors", "--model", "b=runs/b/best.safetensors"];
  // the same images, stored otherwise and under another name
  Deno.copyFileSync(`${workspace.root}data/toy.h5`, `${workspace.root}data/copy.h5`);
  const { stdout } = await succeed(workspace, "eval", ...models, "--seed", "42", "--data", "data/copy.h5");
  const text = (path: string) => new TextDecoder().decode(workspace.read(path));
  const { seen } = JSON.parse(text("reports/metrics.json"));
  const labels = Array.from({ length: 100 }, (_, i) => i % 2);
  const [ours, theirs] = [stratifiedSplit(labels, 42), stratifiedSplit(labels, 43)];
  const met = ours.test.filter((image) => !theirs.test.includes(image)).length;
  assertEquals(seen, { a: { labelled: met, unlabelled: 0 }, b: { labelled: 0, unlabelled: 0 } });
  const sentence = `a was trained or validated on ${met} of these 20 images`;
  for (const place of [stdout, text("reports/report.html")]) assertStringIncludes(place, sentence);
  assertMatch(stdout, /^ +a \* +b$/m);
  assertStringIncludes(text("reports/report.html"), ">a *<");
  assert(!text("reports/report.html").includes("no model has been trained on"));

  // the first of them in a file of their own
  writeToy(`${workspace.root}data/part.h5`, 60);
  await succeed(workspace, "eval", ...models, "--seed", "42", "--data", "data/part.h5", "--format", "json");
  const part = stratifiedSplit(labels.slice(0, 60), 42).test;
  const metIn = ({ test }: { test: Uint32Array }) => part.filter((image) => !test.includes(image)).length;
  assertEquals(JSON.parse(text("reports/metrics.json")).seen, {
    a: { labelled: metIn(theirs), unlabelled: 0 },
    b: { labelled: metIn(ours), unlabelled: 0 },
  });
});

Deno.test("a backbone that was pretrained on the test images is marked", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 100);
  const pretrain = ["data.unlabelled_path=data/toy.h5", "data.batch_size=20", "training.epochs=1"].flatMap((
    pair,
  ) => ["--set", pair]);
  await succeed(workspace, "pretrain", "--config", "configs/pretrain_simclr.yaml", ...TOY_MODEL, ...pretrain, "--out", "runs/p");
  const { stdout } = await succeed(workspace, "probe", "--weights", "runs/p/best.safetensors", "--data", "data/toy.h5");
  assertStringIncludes(stdout, "was pretrained on 20 of these 20 images, without their classes and masses");
});
