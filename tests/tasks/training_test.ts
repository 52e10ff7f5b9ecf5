/** @file Training tasks as a user runs them: they learn, repeat exactly, resume, and stop with one clear line. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fail, succeed, Workspace } from "../support/tasks.ts";
import { FINETUNE_TOY as FINETUNE, TOY_MODEL, writeToy } from "../support/toy.ts";
import { epochsOf, until } from "../support/waiting.ts";

/** The lines of a run's metrics.jsonl. */
function metrics(workspace: Workspace, run: string): Record<string, number>[] {
  const text = new TextDecoder().decode(workspace.read(`runs/${run}/metrics.jsonl`));
  return text.trim().split("\n").map((line) => JSON.parse(line));
}

Deno.test("deno task finetune learns, and repeats bit for bit", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 400);
  const epochs = ["--set", "training.epochs=8"];
  await succeed(workspace, "finetune", ...FINETUNE, ...epochs, "--out", "runs/a");
  await succeed(workspace, "finetune", ...FINETUNE, ...epochs, "--out", "runs/b");
  assertEquals(workspace.read("runs/a/best.safetensors"), workspace.read("runs/b/best.safetensors"));
  const history = metrics(workspace, "a");
  assertEquals(history.length, 8);
  assert(history.at(-1)!["train_loss"]! < 0.6 * history[0]!["train_loss"]!, "the training loss has not fallen");
});

for (
  const [method, ...own] of [
    ["simclr", "training.lr=0.002"],
    ["mae", "training.lr=0.005", "mae.decoder_embed_dim=16", "mae.decoder_depth=1"],
  ] as const
) {
  Deno.test(`deno task pretrain lowers the loss of ${method}, and its backbone can be probed and finetuned`, async () => {
    using workspace = new Workspace();
    writeToy(`${workspace.root}data/u.h5`, 400, false);
    writeToy(`${workspace.root}data/toy.h5`, 200);
    const overrides = [
      "data.unlabelled_path=data/u.h5",
      "data.batch_size=32",
      "training.epochs=4",
      "training.warmup_epochs=1",
      ...own,
    ].flatMap((pair) => ["--set", pair]);
    const config = `configs/pretrain_${method}.yaml`;
    await succeed(workspace, "pretrain", "--config", config, ...TOY_MODEL, ...overrides, "--out", "runs/p");
    const history = metrics(workspace, "p");
    assert(history.at(-1)!["train_loss"]! < history[0]!["train_loss"]!, "the loss has not fallen");
    const options = ["--pretrained", "runs/p/best.safetensors", "--set", "training.epochs=1", "--out", "runs/f"];
    const { stdout } = await succeed(workspace, "finetune", ...FINETUNE, ...options);
    assertMatch(stdout, /^Running on a software adapter|^Running on /);
    assertStringIncludes(stdout, "weights in");
    const data = ["--data", "data/toy.h5", "--neighbours", "5"];
    const probe = await succeed(workspace, "probe", "--weights", "runs/p/best.safetensors", ...data);
    assertMatch(probe.stdout, /^accuracy( +[01]\.\d{4} \[[\d.]+, [\d.]+\]){4}$/m);
    assertStringIncludes(probe.stdout, "5 neighbours, untrained");
  });
}

Deno.test("a run that was stopped by a signal goes on and ends as if it had not been", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 400);
  const options = [...FINETUNE, "--set", "training.epochs=30", "--set", "model.dropout=0.1"];
  await succeed(workspace, "finetune", ...options, "--out", "runs/whole");
  const child = workspace.command("finetune", ...options, "--out", "runs/cut").spawn();
  assert(await until(child, () => epochsOf(workspace, "cut") >= 3), "the run ended before it was stopped");
  child.kill("SIGTERM");
  const { code, stderr } = await child.output();
  assertEquals(code, 143);
  assertStringIncludes(new TextDecoder().decode(stderr), "Run the same command again to go on");
  const { stdout } = await succeed(workspace, "finetune", ...options, "--out", "runs/cut");
  assertStringIncludes(stdout, "Resuming after epoch");
  for (const name of ["best", "latest"]) {
    assertEquals(workspace.read(`runs/cut/${name}.safetensors`), workspace.read(`runs/whole/${name}.safetensors`));
  }
});

Deno.test("training tasks end with one line that names the key, file or tensor at fault", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 100);
  const run = [...FINETUNE, "--out", "runs/x"];
  assertStringIncludes(
    await fail(workspace, "finetune", "--config", "configs/none.yaml"),
    "configs/none.yaml: there is no such configuration",
  );
  assertStringIncludes(await fail(workspace, "finetune", ...run, "--set", "training.epoch=2"), `Did you mean "training.epochs"?`);
  assertStringIncludes(
    await fail(workspace, "finetune", ...run, "--set", "data.labelled_path=data/no.h5"),
    "data/no.h5: there is no such file",
  );
  assertStringIncludes(
    await fail(workspace, "finetune", ...run, "--set", "model.in_channels=3"),
    "Set model.img_size and model.in_channels",
  );
  assertStringIncludes(
    await fail(workspace, "finetune", ...run, "--set", "data.labelled_path=/etc/passwd"),
    `may not use "/etc/passwd"`,
  );
  assertStringIncludes(await fail(workspace, "finetune", ...run, "--out", "/tmp/elsewhere"), `may not use "/tmp/elsewhere"`);
  assertStringIncludes(await fail(workspace, "finetune", ...run, "--set", "data.batch_size=90"), "there are 70 training images");
  assertStringIncludes(await fail(workspace, "finetune", "--colour"), `unknown argument "--colour"`);
  for (const [scale, made] of [["1e20", "2.55e-18"], ["1e-20", "2.55e+22"]] as const) {
    assertStringIncludes(
      await fail(workspace, "finetune", ...run, "--set", `data.norm_scale=${scale}`),
      `and data.norm_scale ${Number(scale)} makes ${made} of it`,
    );
  }
  const { stdout } = await succeed(workspace, "finetune", ...run, "--set", "training.epochs=1", "--set", "training.lr=0.1");
  assertStringIncludes(stdout, "--set training.lr=0.1 has no effect: finetune does not use that key");
  const changed = await fail(workspace, "finetune", ...run, "--set", "training.epochs=2");
  assertStringIncludes(changed, "training.epochs: 1 -> 2");
});

Deno.test("a loss that is not finite stops the run and names the first tensor", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 100);
  const wild = ["training.backbone_lr=1e30", "training.head_lr=1e30", "training.clip_norm=0"].flatMap((pair) => ["--set", pair]);
  const line = await fail(workspace, "finetune", ...FINETUNE, ...wild, "--out", "runs/x");
  assertMatch(line, /not finite/);
  assertMatch(line, /"[\w. ]+"/);
});

Deno.test("an epoch whose steps were all skipped has no loss, and ends the run", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 100);
  for (const weight of ["lambda_cls", "lambda_reg"]) {
    const wild = ["--set", `training.${weight}=1e30`, "--set", "training.epochs=2", "--out", `runs/${weight}`];
    assertMatch(
      await fail(workspace, "finetune", ...FINETUNE, ...wild),
      /All \d+ steps of epoch 1 had numbers that are not finite/,
    );
  }
});
