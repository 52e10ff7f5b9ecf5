/** @file eval, probe, predict and inspect on what users bring: names, other models, one class, few images, stops. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Hdf5Writer } from "../../lib/disk/hdf5_writer.ts";
import { exists, walk } from "../../lib/disk/files.ts";
import { encodeSafetensors, storeFloats, toFloats } from "../../lib/io/safetensors.ts";
import { readTensors } from "../../lib/disk/weight_files.ts";
import { fail, succeed, Workspace } from "../support/tasks.ts";
import { until } from "../support/waiting.ts";

const MODEL = new URL("../fixtures/torch/model.pt", import.meta.url).pathname;
const DATA = ["--data", "data/jets.h5"];

/** A workspace with images for the model of the fixtures, and the model. */
function workspaceWith(labels: readonly number[], { size = 6, channels = 2 } = {}): Workspace {
  const workspace = new Workspace();
  const count = labels.length;
  const shapes = [
    { name: "jet", shape: [count, size, size, channels] },
    ...["Y", "m"].map((name) => ({ name, shape: [count, 1] })),
  ];
  using writer = new Hdf5Writer(`${workspace.root}data/jets.h5`, shapes);
  const images = Float32Array.from({ length: count * size ** 2 * channels }, (_, i) => i % 7 === 0 ? 1 + i % 255 : 0);
  writer.write("jet", 0, images);
  writer.write("Y", 0, Float32Array.from(labels));
  writer.write("m", 0, Float32Array.from(labels, (label, i) => 80 + 100 * label + i % 9));
  Deno.copyFileSync(MODEL, `${workspace.root}weights/a.pt`);
  return workspace;
}

function alternating(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i % 2);
}

function textOf(workspace: Workspace, path: string): string {
  return new TextDecoder().decode(workspace.read(path));
}

/** Writes weights whose class head is changed. */
function writeHead(workspace: Workspace, path: string, change: (values: Float32Array, name: string) => Float32Array): void {
  const { tensors } = readTensors(MODEL);
  const changed = new Map([...tensors].map(([name, tensor]) => {
    if (!name.startsWith("cls_head")) return [name, tensor];
    const values = change(toFloats(tensor), name);
    return [name, storeFloats([tensor.shape[0]! * values.length / toFloats(tensor).length, ...tensor.shape.slice(1)], values)];
  }));
  Deno.writeFileSync(workspace.root + path, encodeSafetensors({ tensors: changed, metadata: {} }));
}

Deno.test("eval keeps names as they were given, in order, in table, JSON, CSV and figures", async () => {
  using workspace = workspaceWith(alternating(100));
  const names = ["mae, 75 % masked", 'he said "x"', "10", "9", "__proto__", "für", "fär"];
  const { stdout } = await succeed(workspace, "eval", ...names.flatMap((name) => ["--model", `${name}=weights/a.pt`]), ...DATA);
  const heading = stdout.split("\n").find((line) => line.includes("masked"))!;
  assertEquals(heading.trim().split(/ {2,}/), names);
  const json = textOf(workspace, "reports/metrics.json");
  const { models, comparisons } = JSON.parse(json);
  const places = names.map((name) => json.indexOf(`\n    ${JSON.stringify(name)}: {`));
  assertEquals(places, [...places].sort((a, b) => a - b));
  assert(places.every((place) => place > 0) && Object.keys(models).length === names.length, `${places}`);
  assertEquals(comparisons.map(({ model }: { model: string }) => model), names.slice(0, -1));
  const rows = textOf(workspace, "reports/predictions.csv").trim().split("\n");
  assertEquals(rows.length, 1 + names.length * 20);
  assert(rows[1]!.startsWith('"mae, 75 % masked",') && rows[21]!.startsWith('"he said ""x""",') && rows[41]!.startsWith("10,"));
  const figures = walk(`${workspace.root}reports/figures`).filter((path) => path.includes("/confusion-"));
  assertEquals(figures.length, names.length);
  assertEquals(new Set(figures.map((path) => /<title>.*?<\/title>/.exec(Deno.readTextFileSync(path))![0])).size, names.length);
  const control = await fail(workspace, "eval", "--model", "a\tb=weights/a.pt", ...DATA);
  assertStringIncludes(control, 'a\\tb=weights/a.pt": a name may not hold line breaks or tabs');
  await succeed(workspace, "eval", "--model", "  spaced \u00a0=weights/a.pt", ...DATA, "--format", "json");
  assertEquals(Object.keys(JSON.parse(textOf(workspace, "reports/metrics.json")).models), ["spaced"]);
  for (
    const [one, other] of [["mae", "MAE"], ["m\u00fc", "mu\u0308"], ["a b", "a  b"], ["m1", "m\u200b1"], ["x2", "x\u00b2"]] as const
  ) {
    const two = ["--model", `${one}=weights/a.pt`, "--model", `${other}=weights/a.pt`];
    assertStringIncludes(
      await fail(workspace, "eval", ...two, ...DATA),
      one === "m\u00fc" ? "two models are called" : "look alike",
    );
  }
  assertStringIncludes(await fail(workspace, "eval", "--model", " =weights/a.pt", ...DATA), "the name is empty");
});

Deno.test("eval refuses models of other classes or images, naming both, and leaves the report that was there", async () => {
  using workspace = workspaceWith(alternating(100));
  writeHead(
    workspace,
    "weights/three.safetensors",
    (values) => Float32Array.from([...values, ...values.subarray(0, values.length / 2)]),
  );
  await succeed(workspace, "eval", "--model", "two=weights/a.pt", ...DATA);
  const files = walk(`${workspace.root}reports`), before = files.map((path) => Deno.readTextFileSync(path));
  const both = ["--model", "two=weights/a.pt", "--model", "three=weights/three.safetensors"];
  const line = await fail(workspace, "eval", ...both, ...DATA);
  assertStringIncludes(line, "a.pt) knows 2 classes");
  assertStringIncludes(line, "three.safetensors) knows 3 classes");
  writeHead(workspace, "weights/wild.safetensors", (values) => values.map(() => 3e38));
  const wild = await fail(workspace, "eval", "--model", "two=weights/a.pt", "--model", "wild=weights/wild.safetensors", ...DATA);
  assertStringIncludes(wild, "weights/wild.safetensors: logit 0 of image");
  const missing = ["--model", "two=weights/a.pt", "--data", "data/none.h5", "--out", "reports/new/folder"];
  assertStringIncludes(await fail(workspace, "eval", ...missing), "data/none.h5: there is no such file");
  assert(!exists(`${workspace.root}reports/new`));
  assertEquals(walk(`${workspace.root}reports`), files);
  assertEquals(files.map((path) => Deno.readTextFileSync(path)), before);
});

Deno.test("eval and probe show of one class what is defined, and finetune refuses to learn it", async () => {
  using workspace = workspaceWith(new Array<number>(100).fill(0));
  const { stdout } = await succeed(workspace, "eval", "--model", "a=weights/a.pt", ...DATA);
  assertStringIncludes(stdout, "No test image is of class 1");
  assert(/^ROC-AUC +not defined$/m.test(stdout) && /^accuracy +[01]\.\d{4} \[/m.test(stdout), stdout);
  const { models, notes } = JSON.parse(textOf(workspace, "reports/metrics.json"));
  assertEquals([models.a.roc_auc, models.a.intervals.roc_auc, models.a.background_rejection], [null, null, null]);
  assertStringIncludes(notes.at(-1), "No test image is of class 1");
  const page = textOf(workspace, "reports/report.html");
  assertStringIncludes(page, '<td data-model="a">not defined');
  assert(!/NaN|undefined|null/.test(page), "the page holds no number");
  const probed = await succeed(workspace, "probe", "--weights", "weights/a.pt", ...DATA);
  assert(/^ROC-AUC( +not defined){4}$/m.test(probed.stdout), probed.stdout);
  const train = ["--config", "configs/scratch.yaml", "--out", "runs/a"];
  const set = [
    "data.labelled_path=data/jets.h5",
    "data.batch_size=20",
    "model.in_channels=2",
    "model.img_size=6",
    "model.patch_size=3",
  ];
  const line = await fail(workspace, "finetune", ...train, ...set.flatMap((pair) => ["--set", pair]));
  assertStringIncludes(line, "all 70 training images are of class 0");
});

Deno.test("eval shows a class that the test part has not, and one that has a single image there", async () => {
  for (const ones of [2, 5]) {
    using workspace = workspaceWith(Array.from({ length: 100 }, (_, i) => i < ones ? 1 : 0));
    const { stdout } = await succeed(workspace, "eval", "--model", "a=weights/a.pt", ...DATA);
    assert(ones === 2 ? /^ROC-AUC +not defined$/m.test(stdout) : /^ROC-AUC +[01]\.\d{4} \[not defined\]$/m.test(stdout), stdout);
  }
  using workspace = workspaceWith([...new Array<number>(99).fill(0), 1]);
  assertStringIncludes(await fail(workspace, "eval", "--model", "a=weights/a.pt", ...DATA), "class 1 has 1 image");
});

Deno.test("probe takes as many images as it is told, and says so", async () => {
  using workspace = workspaceWith(alternating(100));
  const { stdout } = await succeed(workspace, "probe", "--weights", "weights/a.pt", ...DATA, "--images", "45", "--neighbours", "3");
  assertStringIncludes(stdout, "Features of 35 training images");
  assertStringIncludes(stdout, "tested on 10 test images");
  assertStringIncludes(stdout, "The file has 70 training and 20 test images");
  const all = await succeed(workspace, "probe", "--weights", "weights/a.pt", ...DATA, "--images", "0");
  assertStringIncludes(all.stdout, "Features of 70 training images");
  assert(!all.stdout.includes("The file has"), all.stdout);
  const few = await succeed(workspace, "probe", "--weights", "weights/a.pt", ...DATA, "--images", "2");
  assertStringIncludes(few.stdout, "Features of 1 training images");
  assertMatch(few.stdout, / {2}1 neighbour {2}/);
  assertMatch(few.stdout, /^accuracy( +[01]\.0000 \[not defined\]){4}$/m);
  assertStringIncludes(await fail(workspace, "probe", "--weights", "weights/a.pt", ...DATA, "--images", "1"), "must be at least 2");
});

Deno.test("inspect shows a file of ten images, of one image, of one class, and of labels that are no classes", async () => {
  const shape = { size: 20, channels: 8 };
  for (
    const [labels, says] of [
      [alternating(10), "A floor for any model, by 11 hand-made features, is left out: Cannot divide 10 images"],
      [alternating(40), "is left out: of 40 images, 8 would be tested"],
      [[1], "is left out: Cannot divide"],
      [new Array<number>(200).fill(0), "ROC-AUC not defined"],
      [Array.from({ length: 200 }, (_, i) => i + 0.5), "200 different labels, from 0.5 to 199.5"],
    ] as const
  ) {
    using workspace = workspaceWith(labels, shape);
    const { stdout } = await succeed(workspace, "inspect", "data/jets.h5", "--svg");
    assertStringIncludes(stdout, says);
    assert(!/NaN|undefined|null/.test(stdout), stdout);
  }
});

Deno.test("predict writes all rows or none: what was there stays if a prediction is none, or at Ctrl-C", async () => {
  using workspace = workspaceWith(alternating(100));
  writeHead(workspace, "weights/wild.safetensors", (values) => values.map(() => 3e38));
  const out = ["--out", "reports/deep/p.csv"];
  await succeed(workspace, "predict", "--weights", "weights/a.pt", ...DATA, ...out);
  const rows = textOf(workspace, "reports/deep/p.csv");
  assertEquals(rows.split("\n").length, 102);
  assertStringIncludes(
    await fail(workspace, "predict", "--weights", "weights/wild.safetensors", ...DATA, ...out),
    "logit 0 of image 0",
  );
  const child = workspace.direct("predict", "--weights", "weights/a.pt", ...DATA, ...out).spawn();
  const output = child.output();
  if (await until(child, () => list(workspace, "reports/deep").length > 1)) child.kill("SIGINT");
  const { code } = await output;
  assert(code === 130 || code === 0, `exit code ${code}`);
  assertEquals(list(workspace, "reports/deep"), ["p.csv"]);
  assertEquals(textOf(workspace, "reports/deep/p.csv"), rows);
  assertStringIncludes(
    await fail(workspace, "predict", "--weights", "weights/a.pt", ...DATA, "--out", "reports/deep"),
    "reports/deep cannot be written: it is a folder",
  );
});

Deno.test("two evals into one folder at the same time leave the report of one of them", async () => {
  using workspace = workspaceWith(alternating(100));
  for (let round = 0; round < 3; round++) {
    const outcomes = await Promise.all(
      ["a", "b"].map((name) => workspace.task("eval", "--model", `model${name}=weights/a.pt`, ...DATA)),
    );
    assertEquals(outcomes.map(({ code }) => code), [0, 0], outcomes.map(({ stderr }) => stderr).join());
    const [name, ...others] = Object.keys(JSON.parse(textOf(workspace, "reports/metrics.json")).models);
    assertEquals(others, []);
    const rows = textOf(workspace, "reports/predictions.csv").trim().split("\n").slice(1);
    assertEquals(new Set(rows.map((row) => row.split(",")[0])), new Set([name]));
    const other = name === "modela" ? "modelb" : "modela";
    assert(!textOf(workspace, "reports/report.html").includes(other));
    assert(walk(`${workspace.root}reports`).every((path) => !path.includes(other) && !/partial|lock/.test(path)));
  }
});

function list(workspace: Workspace, folder: string): string[] {
  return Array.from(Deno.readDirSync(workspace.root + folder), ({ name }) => name);
}

Deno.test("predict replaces a table of its own, and no other file", async () => {
  using workspace = workspaceWith(alternating(20));
  const predict = ["--weights", "weights/a.pt", ...DATA, "--out"];
  for (let time = 0; time < 2; time++) await succeed(workspace, "predict", ...predict, "reports/p.csv");
  for (
    const [name, text] of [["runs/best.safetensors", "weights"], ["runs/log.txt", "index of lines"], [
      "reports/x.csv",
      "a,b\n1,2\n",
    ]]
  ) {
    Deno.writeTextFileSync(workspace.root + name, text!);
    assertStringIncludes(await fail(workspace, "predict", ...predict, name!), "is there already, and is no table of predictions");
    assertEquals(textOf(workspace, name!), text);
  }
});

Deno.test("tasks that predict refuse a backbone, and say which head was not trained", async () => {
  using workspace = workspaceWith(alternating(100));
  const { tensors } = readTensors(MODEL);
  const write = (name: string, metadata: Record<string, string>) =>
    Deno.writeFileSync(`${workspace.root}weights/${name}`, encodeSafetensors({ tensors, metadata }));
  const data = {
    path: "u.h5",
    keys: {},
    images: 9,
    fingerprint: "0",
    labels: null,
    split: "random",
    seed: 1,
    train: 8,
    val: 1,
    test: 0,
  };
  write("p.safetensors", { trained_on: JSON.stringify([data]) });
  write("m.safetensors", { untrained: "masses" });
  const weights = ["--weights", "weights/p.safetensors", ...DATA];
  for (const [task, ...more] of [["predict", "--out", "reports/p.csv"], ["explain", "--index", "1"]] as const) {
    assertStringIncludes(await fail(workspace, task, ...weights, ...more), "this is a backbone from pretraining");
  }
  assertStringIncludes(
    await fail(workspace, "eval", "--scratch", "weights/p.safetensors", ...DATA),
    "evaluate it with deno task probe",
  );
  const line = "was trained without masses (training.lambda_reg was 0): those that it predicts say nothing";
  const { stdout } = await succeed(workspace, "eval", "--model", "m=weights/m.safetensors", ...DATA, "--format", "json, html,json");
  assertStringIncludes(stdout, line);
  for (const file of ["metrics.json", "report.html"]) assertStringIncludes(textOf(workspace, `reports/${file}`), line);
  assertStringIncludes(
    await fail(workspace, "eval", "--model", "a=weights/a.pt", "--seed", "4294967296"),
    "--seed must be at most",
  );
});
