/** A run goes on with the data that it began with, and with no others; checks that need no data come before all work. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Hdf5Writer } from "../../lib/disk/hdf5_writer.ts";
import { decodeSafetensors } from "../../lib/io/safetensors.ts";
import { CHECKPOINT_VERSION } from "../../lib/train/checkpoint.ts";
import { begunRun, rewriteResume, SMALL } from "../support/begun_run.ts";
import { fail, succeed, Workspace } from "../support/tasks.ts";
import { FINETUNE_TOY, TOY_MODEL, writeToy } from "../support/toy.ts";

const FIXTURE = new URL("../fixtures/runs/version_1/", import.meta.url);

/** Rewrites a toy file: other masses, or the same numbers under other storage. */
function rewriteToy(path: string, count: number, mass: (i: number) => number): void {
  Deno.removeSync(path);
  using writer = new Hdf5Writer(path, [
    { name: "jet", shape: [count, 12, 12, 2] },
    { name: "Y", shape: [count, 1] },
    { name: "m", shape: [count, 1] },
  ]);
  writer.write("Y", 0, Float32Array.from({ length: count }, (_, i) => i % 2));
  writer.write("m", 0, Float32Array.from({ length: count }, (_, i) => mass(i)));
  for (let i = 0; i < count; i++) writer.write("jet", i, new Float32Array(288).fill(1 + i % 7, 0, 20 + i % 50));
}

Deno.test("a run of an earlier version of the program, which would end in other bits, does not go on, and is kept", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 100);
  Deno.mkdirSync(`${workspace.root}runs/f`);
  for (const name of ["resume.safetensors", "metrics.jsonl"]) {
    Deno.copyFileSync(new URL(name, FIXTURE), `${workspace.root}runs/f/${name}`);
  }
  const before = workspace.read("runs/f/resume.safetensors");
  const line = await fail(workspace, "finetune", ...FINETUNE_TOY, ...SMALL, "--set", "training.epochs=40", "--out", "runs/f");
  assertStringIncludes(line, `is of version 1, and this program, of version ${CHECKPOINT_VERSION}, adds up in another order`);
  assertStringIncludes(line, "Start anew with --fresh, or let the program end it that began it");
  assertEquals(workspace.read("runs/f/resume.safetensors"), before);
});

Deno.test("a run goes on with its data under another name, and not with other data under the same name", async () => {
  using workspace = new Workspace();
  const path = `${workspace.root}data/toy.h5`, moved = `${workspace.root}data/moved.h5`;
  writeToy(path, 100);
  const run = await begunRun(workspace);
  Deno.renameSync(path, moved);
  for (
    const [change, why] of [
      [() => writeToy(path, 80), "it has 80 images and had 100"],
      [() => rewriteToy(path, 100, (i) => 50 + i), "its classes or masses are others"],
    ] as const
  ) {
    change();
    const line = await fail(workspace, "finetune", ...run);
    assertStringIncludes(line, "these are other data than those that the run began with (data/toy.h5)");
    assertStringIncludes(line, why);
  }
  const { stdout } = await succeed(workspace, "finetune", ...run, "--set", "data.labelled_path=data/moved.h5");
  assertStringIncludes(stdout, "Resuming after epoch 2");
});

Deno.test("a run does not go on when one pixel of its data has changed", async () => {
  using workspace = new Workspace();
  const path = `${workspace.root}data/toy.h5`;
  writeToy(path, 100);
  const run = await begunRun(workspace);
  const bytes = Deno.readFileSync(path);
  // the last pixel of the images that is not zero, in the file's own bytes
  const values = new Float32Array(bytes.buffer, 2048, 100 * 288);
  const pixel = values.findLastIndex((value) => value > 1);
  values[pixel]!--;
  Deno.writeFileSync(path, bytes);
  assertStringIncludes(await fail(workspace, "finetune", ...run), "its images are others");
});

Deno.test("a checkpoint of a later version, or with keys of another, is refused and not called damaged", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 100);
  const run = await begunRun(workspace);
  await rewriteResume(workspace, (metadata) => ({ ...metadata, version: "99" }));
  const later = await fail(workspace, "finetune", ...run);
  assertStringIncludes(later, `is of version 99, and this program knows those up to ${CHECKPOINT_VERSION}: use a newer program`);
  await rewriteResume(workspace, (metadata) => ({
    ...metadata,
    version: String(CHECKPOINT_VERSION),
    config: metadata["config"]!.replace('"patience"', '"endurance"'),
  }));
  const other = await fail(workspace, "finetune", ...run);
  assertMatch(other, /unknown key "training\.endurance".*another version of this program/);
  assert(!other.includes("damaged"), other);
});

Deno.test("weight files say which images they were trained on, a finetuned one also those of its backbone", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/u.h5`, 60, false);
  writeToy(`${workspace.root}data/toy.h5`, 100);
  const pretrain = ["data.unlabelled_path=data/u.h5", "data.batch_size=20", "training.epochs=1"].flatMap((pair) => ["--set", pair]);
  const simclr = ["--config", "configs/pretrain_simclr.yaml", ...TOY_MODEL, ...SMALL];
  await succeed(workspace, "pretrain", ...simclr, ...pretrain, "--out", "runs/p");
  const options = ["--pretrained", "runs/p/best.safetensors", "--set", "training.epochs=1", "--set", "data.seed=43"];
  await succeed(workspace, "finetune", ...FINETUNE_TOY, ...SMALL, ...options, "--out", "runs/f");
  const { metadata } = decodeSafetensors(workspace.read("runs/f/best.safetensors"));
  const [backbone, own, ...others] = JSON.parse(metadata["trained_on"]!);
  assertEquals(others, []);
  assertEquals([backbone.path, backbone.split, backbone.images, backbone.train, backbone.val], ["data/u.h5", "random", 60, 57, 3]);
  assertEquals([own.path, own.seed, own.train, own.val, own.test], ["data/toy.h5", 43, 70, 10, 20]);
  assertMatch(own.fingerprint, /^[0-9a-f]{64}$/);
  assert(own.fingerprint !== backbone.fingerprint && backbone.labels === null);
});

Deno.test("what is wrong with a configuration is said before data are packed or earlier files are moved", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/u.h5`, 60, false);
  writeToy(`${workspace.root}data/toy.h5`, 100);
  await succeed(
    workspace,
    "finetune",
    ...FINETUNE_TOY,
    "--set",
    "training.epochs=1",
    "--set",
    "data.cache_dir=",
    "--out",
    "runs/f",
  );
  const before = [...Deno.readDirSync(`${workspace.root}runs/f`)].map(({ name }) => name).sort();
  const cases: [why: string, ...sets: string[]][] = [
    ["16 is not a multiple of 3", "model.num_heads=3"],
    ["model.lcm_kernel must be odd", "model.lcm_kernel=4"],
    ["there are 70 training images", "data.batch_size=71"],
    ["there are 10 training images", "data.max_train_images=10"],
    ["there is nothing to learn", "training.lambda_cls=0", "training.lambda_reg=0"],
    ["out of itself", "augment.roll=towers", "augment.max_towers=4"],
  ];
  for (const [why, ...sets] of cases) {
    const options = sets.flatMap((pair) => ["--set", pair]);
    assertStringIncludes(await fail(workspace, "finetune", ...FINETUNE_TOY, ...options, "--fresh", "--out", "runs/f"), why);
  }
  const missing = ["--pretrained", "weights/none.safetensors"];
  assertStringIncludes(
    await fail(workspace, "finetune", ...FINETUNE_TOY, ...missing, "--fresh", "--out", "runs/f"),
    "no such file",
  );
  const pretrain = (
    method: string,
  ) => ["--config", `configs/pretrain_${method}.yaml`, ...TOY_MODEL, "--set", "data.unlabelled_path=data/u.h5"];
  const still = ["flip_phi=false", "flip_eta=false", "roll=none", "drop_channels_min=0", "drop_channels_max=0", "noise_sigma=0"];
  const unsupervised: [method: string, why: string, ...sets: string[]][] = [
    ["simclr", "SimCLR tells an image from the others of its batch", "data.batch_size=1"],
    ["simclr", "the two views of an image would be the same", ...still.map((pair) => `augment.${pair}`)],
    ["simclr", "augment.drop_channels_max must be at most 2", "augment.drop_channels_max=3"],
    ["simclr", "nothing would be left of a view", "augment.drop_channels_min=2", "augment.drop_channels_max=2"],
    ["mae", "masks none of 16 tokens", "mae.mask_ratio=0"],
    ["mae", "training.method must be one of simclr, mae", "training.method=moco"],
  ];
  for (const [method, why, ...sets] of unsupervised) {
    const options = sets.flatMap((pair) => ["--set", pair]);
    assertStringIncludes(await fail(workspace, "pretrain", ...pretrain(method), ...options, "--out", "runs/new"), why);
  }
  assertEquals([...Deno.readDirSync(`${workspace.root}runs/f`)].map(({ name }) => name).sort(), before);
  assertEquals([...Deno.readDirSync(`${workspace.root}runs`)].map(({ name }) => name), ["f"]);
  assert(![...Deno.readDirSync(workspace.root)].some(({ name }) => name === "cache"), "data were packed");
});

Deno.test("configurations may have empty sections, and must be text in UTF-8", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 100);
  const path = `${workspace.root}weights/c.yaml`;
  Deno.writeTextFileSync(path, "\ufeffdata:\nmodel:\n# nothing here\ntraining:\n  epochs: 1\n");
  const options = FINETUNE_TOY.slice(2);
  await succeed(workspace, "finetune", "--config", path, ...options, "--set", "training.warmup_epochs=0", "--out", "runs/a");
  const wide = new Uint8Array(Uint16Array.from("\ufeffdata:\n", (letter) => letter.charCodeAt(0)).buffer);
  Deno.writeFileSync(path, wide);
  assertStringIncludes(await fail(workspace, "finetune", "--config", path, ...options), "UTF-16");
  Deno.writeFileSync(path, Uint8Array.of(0x61, 0x3a, 0x20, 0xe4, 0x0a));
  assertStringIncludes(await fail(workspace, "finetune", "--config", path, ...options), "no text in UTF-8");
});
