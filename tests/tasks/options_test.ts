/** @file Options of training and prediction as a user gives them, on real files. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { MASS } from "../../lib/data/targets.ts";
import { Hdf5Writer } from "../../lib/disk/hdf5_writer.ts";
import { Random } from "../../lib/random.ts";
import { fail, succeed, Workspace } from "../support/tasks.ts";
import { FINETUNE_TOY, writeToy } from "../support/toy.ts";
import { infoOf, randomState, SMALL_MODEL, writeWeights } from "../support/weights.ts";

function set(...pairs: string[]): string[] {
  return pairs.flatMap((pair) => ["--set", pair]);
}

/** Rows of a table of predictions, without the number of the image. */
function predictions(workspace: Workspace, path: string): number[][] {
  const [, ...rows] = new TextDecoder().decode(workspace.read(path)).trim().split(/\r?\n/);
  return rows.map((row) => row.split(",").slice(1).map(Number));
}

function assertNear(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  assertEquals(actual.length, expected.length);
  actual.forEach((value, i) => {
    const allowed = tolerance * Math.max(1, Math.abs(expected[i]!));
    assert(Math.abs(value - expected[i]!) <= allowed, `${value} instead of ${expected[i]}`);
  });
}

const { img_size: SIZE, in_channels: CHANNELS } = SMALL_MODEL;
const IMAGES = 11;

/** Sparse images (n, size, size, channels) of whole numbers. */
function sparse(): Float32Array {
  const random = new Random(3, 70);
  const pixel = () => random.uniform() < 0.2 ? random.below(256) : 0;
  return Float32Array.from({ length: IMAGES * SIZE * SIZE * CHANNELS }, pixel);
}

function writeImages(workspace: Workspace, name: string, images: Float32Array): void {
  using writer = new Hdf5Writer(`${workspace.root}data/${name}.h5`, [{ name: "jet", shape: [IMAGES, SIZE, SIZE, CHANNELS] }]);
  writer.write("jet", 0, images);
}

/** Images mirrored along eta, along phi, or both. */
function mirrored(images: Float32Array, eta: boolean, phi: boolean): Float32Array {
  return images.map((_, i) => {
    const channel = i % CHANNELS, column = Math.floor(i / CHANNELS) % SIZE, row = Math.floor(i / CHANNELS / SIZE) % SIZE;
    const image = Math.floor(i / CHANNELS / SIZE / SIZE);
    const [r, c] = [eta ? SIZE - 1 - row : row, phi ? SIZE - 1 - column : column];
    return images[((image * SIZE + r) * SIZE + c) * CHANNELS + channel]!;
  });
}

async function predict(workspace: Workspace, weights: string, data: string, ...more: string[]): Promise<number[][]> {
  const files = ["--weights", `weights/${weights}.safetensors`, "--data", `data/${data}.h5`, "--out", "reports/p.csv"];
  await succeed(workspace, "predict", ...files, ...more);
  return predictions(workspace, "reports/p.csv");
}

Deno.test("predict --average flips gives the means of what is predicted of the four mirror images", async () => {
  using workspace = new Workspace();
  writeWeights(`${workspace.root}weights/w.safetensors`, randomState(SMALL_MODEL, 5), infoOf(SMALL_MODEL));
  const images = sparse(), tables: number[][][] = [];
  for (const [eta, phi] of [[false, false], [true, false], [false, true], [true, true]] as const) {
    const name = `flip${Number(eta)}${Number(phi)}`;
    writeImages(workspace, name, mirrored(images, eta, phi));
    tables.push(await predict(workspace, "w", name));
  }
  const classColumn = 4;
  const averaged = await predict(workspace, "w", "flip00", "--average", "flips", ...set("data.batch_size=8"));
  averaged.forEach((row, i) => {
    const mean = row.map((_, column) => tables.reduce((sum, table) => sum + table[i]![column]! / 4, 0));
    assertEquals(row[classColumn], mean[3]! > mean[2]! ? 1 : 0);
    assertNear(row.toSpliced(classColumn, 1), mean.toSpliced(classColumn, 1), 1e-5);
  });
  const files = ["--weights", "weights/w.safetensors", "--data", "data/flip00.h5", "--out", "reports/p.csv"];
  assertStringIncludes(await fail(workspace, "predict", ...files, "--average", "rolls"), "--average rolls");
});

Deno.test("data.transform and training.log_target mean what they say", async () => {
  using workspace = new Workspace();
  const state = randomState(SMALL_MODEL, 5), images = sparse();
  const write = (name: string, more: Partial<ReturnType<typeof infoOf>>) =>
    writeWeights(`${workspace.root}weights/${name}.safetensors`, state, { ...infoOf(SMALL_MODEL), ...more });
  write("linear", { normScale: 1 });
  writeImages(workspace, "plain", images);
  const meanings = {
    log1p: (x: number) => Math.log1p(x) / Math.log1p(255),
    sqrt: (x: number) => Math.sqrt(x / 255),
  } as const;
  for (const transform of ["log1p", "sqrt"] as const) {
    write(transform, { transform });
    writeImages(workspace, transform, images.map(meanings[transform]));
    const expected = await predict(workspace, "linear", transform);
    (await predict(workspace, transform, "plain")).forEach((row, i) => assertNear(row, expected[i]!, 1e-4));
  }
  write("logarithms", { targets: [{ ...MASS, mean: 5, std: 0.3, log: true }], normScale: 1 });
  write("normalised", { targets: [{ ...MASS, mean: 0, std: 1, log: false }], normScale: 1 });
  const expected = await predict(workspace, "normalised", "plain");
  (await predict(workspace, "logarithms", "plain")).forEach((row, i) => {
    assertNear([row.at(-1)!], [Math.exp(5 + 0.3 * expected[i]!.at(-1)!)], 1e-6);
  });
});

Deno.test("a run learns transformed images and logarithms of masses, and its weights remember", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 200);
  const options = set("data.transform=sqrt", "training.log_target=true", "training.epochs=12", "training.label_smoothing=0.1");
  const { stdout } = await succeed(workspace, "finetune", ...FINETUNE_TOY, ...options, "--out", "runs/a");
  const errors = Array.from(stdout.matchAll(/val loss .* mae ([\d.]+) GeV/g), ([, error]) => Number(error));
  assert(errors.at(-1)! < 0.7 * errors[0]!, `the mass error went from ${errors[0]} to ${errors.at(-1)} GeV`);
  await succeed(workspace, "eval", "--model", "a=runs/a/best.safetensors", "--format", "json");
  const { models } = JSON.parse(new TextDecoder().decode(workspace.read("reports/metrics.json")));
  assert(models.a.mass_mae < 1.5 * Math.min(...errors), `${models.a.mass_mae} GeV on the test images`);
  const other = [...FINETUNE_TOY, "--pretrained", "runs/a/best.safetensors", "--out", "runs/b"];
  assertStringIncludes(await fail(workspace, "finetune", ...other), "data.transform sqrt, and the configuration says linear");
  const zero = [...FINETUNE_TOY, ...set("data.keys.mass=Y", "training.log_target=true"), "--out", "runs/c"];
  assertMatch(await fail(workspace, "finetune", ...zero), /the mass of image 0 is 0 GeV, which has no logarithm/);
});

Deno.test("training.monitor decides which weights are best, and training.keep how many of them stay", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 200);
  const run = [
    ...FINETUNE_TOY,
    ...set("training.epochs=7", "training.keep=3", "training.monitor=mass_rmse", "output.tensorboard=true"),
    "--out",
    "runs/a",
  ];
  await succeed(workspace, "finetune", ...run);
  const lines = new TextDecoder().decode(workspace.read("runs/a/metrics.jsonl")).trim().split("\n");
  for (const line of lines) {
    const { gradient_norm, skipped_steps, adapter_mib } = JSON.parse(line);
    assert(gradient_norm > 0 && skipped_steps === 0 && adapter_mib > 0, line);
  }
  const files = [...Deno.readDirSync(`${workspace.root}runs/a`)].filter(({ name }) => name.startsWith("events.out.tfevents."));
  assertEquals(files.length, 1);
  const events = new TextDecoder("latin1").decode(workspace.read(`runs/a/${files[0]!.name}`));
  assertEquals(events.split("PNG\r\n").length - 1, 2 * 7, "two pictures an epoch");
  const errors = lines.map((line): number => JSON.parse(line).val_mass_rmse);
  const order = errors.map((_, i) => i).sort((a, b) => errors[a]! - errors[b]!).map((i) => i + 1);
  const kept = [...Deno.readDirSync(`${workspace.root}runs/a`)].map(({ name }) => name).filter((name) => name.startsWith("epoch-"));
  assertEquals(kept.sort(), order.slice(0, 3).map((epoch) => `epoch-${epoch}.safetensors`).sort());
  assertEquals(workspace.read(`runs/a/epoch-${order[0]}.safetensors`), workspace.read("runs/a/best.safetensors"));
  const wrong = await fail(workspace, "finetune", ...run, ...set("training.monitor=auc"), "--out", "runs/b");
  assertStringIncludes(wrong, "training.monitor must be one of loss, acc, mae, accuracy, roc_auc");
});

Deno.test("a run that has ended goes on with more epochs and other learning rates after --extend", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 100);
  const run = [...FINETUNE_TOY, "--out", "runs/a"];
  await succeed(workspace, "finetune", ...run, ...set("training.epochs=2"));
  const more = [...run, ...set("training.epochs=4", "training.head_lr=0.001")];
  assertStringIncludes(await fail(workspace, "finetune", ...more), "--extend to go on with this one");
  const { stdout } = await succeed(workspace, "finetune", ...more, "--extend");
  assertStringIncludes(stdout, "Resuming after epoch 2");
  const lines = new TextDecoder().decode(workspace.read("runs/a/metrics.jsonl")).trim().split("\n");
  assertEquals(lines.map((line) => JSON.parse(line).epoch), [1, 2, 3, 4]);
  assertStringIncludes(
    await fail(workspace, "finetune", ...run, ...set("training.epochs=3", "training.head_lr=0.001"), "--extend"),
    "not lowered",
  );
  const other = await fail(workspace, "finetune", ...more, ...set("data.batch_size=10"), "--extend");
  assertStringIncludes(other, "data.batch_size: 20 -> 10");
});

Deno.test("the split and the training have seeds of their own", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 100);
  const train = (out: string, ...pairs: string[]) =>
    succeed(
      workspace,
      "finetune",
      ...FINETUNE_TOY,
      ...set("training.epochs=1", "model.dropout=0.1", ...pairs),
      "--out",
      `runs/${out}`,
    );
  await train("both", "data.seed=5");
  await train("apart", "data.seed=9", "data.split_seed=5", "training.seed=5");
  await train("other", "data.seed=5", "training.seed=6");
  const [both, apart, other] = ["both", "apart", "other"].map((run) => workspace.read(`runs/${run}/best.safetensors`));
  assertEquals(apart, both);
  assert(other!.some((byte, i) => byte !== both![i]), "another seed of training gave the same weights");
  await succeed(workspace, "eval", "--model", "b=runs/both/best.safetensors", "--model", "o=runs/other/best.safetensors");
});
