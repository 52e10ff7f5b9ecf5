/** @file Training that is killed, runs out of disk or is started twice: nothing is lost, and it ends in the same bits. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { exists, removeIfPossible } from "../../lib/disk/files.ts";
import { decodeSafetensors } from "../../lib/io/safetensors.ts";
import { Random } from "../../lib/random.ts";
import { readResume } from "../support/files.ts";
import { fail, succeed, Workspace } from "../support/tasks.ts";
import { FINETUNE_TOY, TOY_MODEL, writeToy } from "../support/toy.ts";
import { delay, until } from "../support/waiting.ts";

const KILLS = 50;
/** Checkpoints every 30 milliseconds, dropout, a running mean, a frozen start, and epochs enough to be killed in. */
const LONG = [
  "model.dropout=0.1",
  "training.ema=0.9",
  "training.freeze_epochs=2",
  "training.epochs=40",
  "training.patience=40",
  "training.checkpoint_minutes=0.0005",
];
const RUN = [...FINETUNE_TOY, ...LONG.flatMap((pair) => ["--set", pair])];
const ENDLESS = [...RUN, "--set", "training.epochs=100000", "--set", "training.patience=100000"];
/** The same of masked pretraining on active tokens. */
const ACTIVE = [
  ...["--config", "configs/pretrain_active_mae.yaml"],
  ...TOY_MODEL,
  ...["data.unlabelled_path=data/toy.h5", "data.batch_size=20", "model.drop_path_rate=0.2", ...LONG].flatMap((
    pair,
  ) => ["--set", pair]),
];

/** Weights and curves of a run that has ended. */
async function resultOf(
  workspace: Workspace,
  run: string,
): Promise<{ best: Uint8Array; latest: Uint8Array; history: unknown }> {
  const [best, latest] = ["best", "latest"].map((name) => workspace.read(`runs/${run}/${name}.safetensors`)) as [
    Uint8Array,
    Uint8Array,
  ];
  const { state } = await readResume(`${workspace.root}runs/${run}/resume.safetensors`);
  const lines = new TextDecoder().decode(workspace.read(`runs/${run}/metrics.jsonl`)).trim().split("\n");
  // speed and memory alone may differ
  const metrics = lines.map((line) => ({ ...JSON.parse(line), images_per_s: 0, adapter_mib: 0 }));
  return { best, latest, history: { ...state, metrics } };
}

function lockOf(workspace: Workspace, run: string): string {
  return `${workspace.root}runs/${run}/run.lock`;
}

/** What a killed run has left can be read. */
async function assertLoadable(workspace: Workspace, run: string): Promise<void> {
  for (const { name } of Deno.readDirSync(`${workspace.root}runs/${run}`)) {
    if (name === "resume.safetensors") await readResume(`${workspace.root}runs/${run}/${name}`);
    else if (name.endsWith(".safetensors")) decodeSafetensors(workspace.read(`runs/${run}/${name}`));
  }
}

/** Kills runs of a task, and compares those that end with one that was not killed. */
async function killAndCompare(task: string, run: readonly string[], most: number): Promise<void> {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 400);
  await succeed(workspace, task, ...run, "--out", "runs/whole");
  const expected = await resultOf(workspace, "whole");
  const random = new Random(5, 99);
  let runs = 0, resumed = 0;
  const finish = async () => {
    const { stdout } = await succeed(workspace, task, ...run, "--out", `runs/cut-${runs}`);
    if (stdout.includes("Resuming after")) resumed++;
    assertEquals(await resultOf(workspace, `cut-${runs}`), expected);
  };
  for (let kills = 0; kills < most;) {
    const child = workspace.direct(task, ...run, "--out", `runs/cut-${runs}`).spawn();
    // every other time not before there is something to go on from, however slow the machine is
    const checkpoint = `${workspace.root}runs/cut-${runs}/resume.safetensors`;
    const begun = kills % 2 === 0 ? lockOf(workspace, `cut-${runs}`) : checkpoint;
    await until(child, () => exists(begun));
    await Promise.race([child.status, delay(random.below(800))]);
    try {
      child.kill("SIGKILL");
      kills++;
    } catch {
      // it had ended by itself
    }
    const { success } = await child.output();
    await assertLoadable(workspace, `cut-${runs}`);
    // the next process makes its own
    removeIfPossible(lockOf(workspace, `cut-${runs}`));
    if (success) {
      await finish();
      runs++;
    }
  }
  await finish();
  assert(resumed > 0, "no run was killed between its first checkpoint and its end");
}

Deno.test(`a run that is killed ${KILLS} times at random moments ends in the bits of one that was not`, async () => {
  await killAndCompare("finetune", RUN, KILLS);
});

Deno.test("pretraining on hidden active tokens that is killed ends in the bits of a run that was not", async () => {
  await killAndCompare("pretrain", ACTIVE, 2);
});

Deno.test("a second task in the same folder is refused, and the first goes on", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 400);
  const run = [...RUN, "--set", "training.epochs=10", "--out", "runs/x"];
  const first = workspace.direct("finetune", ...run).spawn();
  await until(first, () => exists(lockOf(workspace, "x")));
  for (const also of [[], ["--fresh"]]) {
    assertStringIncludes(await fail(workspace, "finetune", ...run, ...also), "Another task is training in");
  }
  assertEquals((await first.output()).code, 0);
  assert(!exists(lockOf(workspace, "x")), "the lock is still there");
});

Deno.test("a checkpoint that is not as it was written is refused, and its folder left as it is", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 100);
  const run = [...FINETUNE_TOY, "--set", "training.epochs=1", "--out", "runs/x"];
  await succeed(workspace, "finetune", ...run);
  const path = `${workspace.root}runs/x/resume.safetensors`;
  const bytes = Deno.readFileSync(path);
  bytes[bytes.length - 100]! ^= 1;
  Deno.writeFileSync(path, bytes);
  const line = await fail(workspace, "finetune", ...run);
  assertStringIncludes(line, "resume.safetensors is damaged: its contents do not have the hash that was written with them");
  assertStringIncludes(line, "--fresh");
  assertEquals(Deno.readFileSync(path), bytes);
});

const LINUX = { ignore: Deno.build.os !== "linux" };
/** A model whose files take more than a megabyte together, but not each. */
const WIDE = [...FINETUNE_TOY, "--set", "model.embed_dim=64", "--set", "training.epochs=3", "--out", "runs/x"];

Deno.test({
  ...LINUX,
  name: "a disk of 1 MiB that runs full ends the run in one line and leaves a checkpoint that can be resumed",
  fn: async () => {
    using workspace = new Workspace();
    writeToy(`${workspace.root}data/toy.h5`, 100);
    const script = `mount -t tmpfs -o size=1m tmpfs $ROOT/runs && ($TASK; code=$?; cp -r $ROOT/runs/x $ROOT/reports/; exit $code)`;
    const { code, stderr } = await workspace.withMounts(script, "finetune", ...WIDE);
    assertEquals(code, 1, stderr);
    assertEquals(stderr.trim().split("\n").length, 1, stderr);
    assertStringIncludes(stderr, "the disk is full");
    Deno.renameSync(`${workspace.root}reports/x`, `${workspace.root}runs/x`);
    await assertLoadable(workspace, "x");
    const { stdout } = await succeed(workspace, "finetune", ...WIDE);
    assertStringIncludes(stdout, "Resuming after");
  },
});

Deno.test({
  ...LINUX,
  name: "a folder that can only be read ends the task in one line",
  fn: async () => {
    using workspace = new Workspace();
    writeToy(`${workspace.root}data/toy.h5`, 100);
    const script = "mount -t tmpfs -o ro,size=1m tmpfs $ROOT/runs && $TASK";
    const { code, stderr } = await workspace.withMounts(script, "finetune", ...WIDE);
    assertEquals(code, 1, stderr);
    assertEquals(stderr.trim().split("\n").length, 1, stderr);
    assertStringIncludes(stderr, "it is on a disk that can only be read");
  },
});

Deno.test({
  ...LINUX,
  name: "packed images are found on a disk that can only be read, without a lock",
  fn: async () => {
    using workspace = new Workspace();
    writeToy(`${workspace.root}data/toy.h5`, 100);
    await succeed(workspace, "pack", "--data", "data/toy.h5");
    const readOnly = "mount --bind $ROOT/cache $ROOT/cache && mount -o remount,bind,ro $ROOT/cache && $TASK";
    const found = await workspace.withMounts(readOnly, "pack", "--data", "data/toy.h5");
    assertEquals([found.code, found.stderr], [0, ""]);
    assertStringIncludes(found.stdout, "100 images");
    writeToy(`${workspace.root}data/other.h5`, 90);
    const missing = await workspace.withMounts(readOnly, "pack", "--data", "data/other.h5");
    assertEquals([missing.code, missing.stderr.trim().split("\n").length], [1, 1], missing.stderr);
    assertStringIncludes(missing.stderr, "it is on a disk that can only be read. Point data.cache_dir");
  },
});

Deno.test({
  ...LINUX,
  name: "packing onto a disk that runs full keeps what is packed, and goes on when there is room",
  fn: async () => {
    using workspace = new Workspace();
    writeToy(`${workspace.root}data/toy.h5`, 1000);
    const script = "mkdir -p $ROOT/cache && mount -t tmpfs -o size=64k tmpfs $ROOT/cache && " +
      "! $TASK && ls $ROOT/cache && mount -o remount,size=8m $ROOT/cache && $TASK && ls $ROOT/cache";
    const { code, stdout, stderr } = await workspace.withMounts(script, "pack", "--data", "data/toy.h5");
    assertEquals([code, stderr.trim().split("\n").length], [0, 1], stderr);
    assertStringIncludes(stderr, "the disk is full. Free some space");
    assertMatch(stdout, /^toy-\w+\.safetensors\.u8\.partial\n.*\.partial\.index\n.*1000 images.*\ntoy-\w+\.safetensors\n$/);
  },
});

for (const [signal, expected] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(`${signal} ends training with code ${expected}, wherever it comes`, async () => {
    using workspace = new Workspace();
    writeToy(`${workspace.root}data/toy.h5`, 400);
    for (const moment of [400, 700, 1000, 1500]) {
      const child = workspace.direct("finetune", ...ENDLESS, "--out", `runs/${moment}`).spawn();
      await delay(moment);
      child.kill(signal);
      const { code } = await child.output();
      assertEquals(code, expected, `after ${moment} ms`);
    }
  });
}
