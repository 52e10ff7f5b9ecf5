/** @file Event weights, files that are for testing alone, and data without classes or masses, as users bring them. */

import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { Hdf5Writer } from "../../lib/disk/hdf5_writer.ts";
import { openJets } from "../../lib/disk/data_files.ts";
import { jetValues } from "../support/jets.ts";
import { fail, succeed, Workspace } from "../support/tasks.ts";
import { FINETUNE_TOY, writeToy } from "../support/toy.ts";

function set(...pairs: string[]): string[] {
  return pairs.flatMap((pair) => ["--set", pair]);
}

const TRAIN = [...FINETUNE_TOY, ...set("training.epochs=1", "model.embed_dim=8")];

/** Writes some images of a data file again, with the columns that are named. */
async function rewrite(
  from: string,
  to: string,
  images: readonly number[],
  columns: Record<string, readonly number[]>,
): Promise<void> {
  using file = await openJets(from);
  const shapes = Object.keys(columns).map((name) => ({ name, shape: [images.length] }));
  using writer = new Hdf5Writer(to, [{ name: "jet", shape: [images.length, file.size, file.size, file.channels] }, ...shapes]);
  writer.write("jet", 0, await jetValues(file, images));
  for (const [name, values] of Object.entries(columns)) writer.write(name, 0, Float32Array.from(images, (image) => values[image]!));
}

function json(workspace: Workspace, path: string) {
  return JSON.parse(new TextDecoder().decode(workspace.read(path)));
}

/** A workspace with a toy file of so many images, and its columns. */
async function workspaceOf(count: number) {
  const workspace = new Workspace(), at = `${workspace.root}data/`;
  writeToy(`${at}toy.h5`, count);
  using file = await openJets(`${at}toy.h5`);
  const columns = { Y: [...file.readScalars("labels")], m: [...file.readScalars("mass")] };
  return { workspace, at, all: columns.Y.map((_, i) => i), ...columns };
}

Deno.test("event weights: equal ones change nothing, images of weight 0 might be missing, negative ones are refused", async () => {
  const { workspace, at, all, Y, m } = await workspaceOf(100);
  using _workspace = workspace;
  const w = all.map((i) => i % 5 === 0 ? 0 : 0.25 * (1 + i % 7)), kept = all.filter((i) => w[i]! > 0);
  await rewrite(`${at}toy.h5`, `${at}weighted.h5`, all, {
    Y,
    m,
    w,
    same: all.map(() => 3),
    few: all.map((i) => i === 7 ? 1 : 0),
    bad: all.map((i) => i === 7 ? -0.5 : 1),
  });
  await rewrite(`${at}toy.h5`, `${at}left.h5`, kept, { Y, m, w });
  const train = async (out: string, ...pairs: string[]) => {
    await succeed(workspace, "finetune", ...TRAIN, ...set("data.labelled_path=data/weighted.h5", ...pairs), "--out", out);
    return json(workspace, `${out}/metrics.jsonl`);
  };
  const { images_per_s: _, ...plain } = await train("runs/plain");
  const { images_per_s: __, ...same } = await train("runs/same", "data.keys.weight=same");
  assertEquals(same, plain);
  const weighted = await train("runs/w", "data.keys.weight=w", "training.class_weights=balanced");
  assert(weighted.train_loss !== plain.train_loss);

  const evaluate = async (data: string, out: string) => {
    const given = ["--data", data, "--all", "--out", out, ...set("data.keys.weight=w")];
    const { stdout } = await succeed(workspace, "eval", "--model", "a=runs/w/best.safetensors", ...given);
    return { stdout, ...json(workspace, `${out}/metrics.json`) };
  };
  const [with0, without] = [await evaluate("data/weighted.h5", "reports/a"), await evaluate("data/left.h5", "reports/b")];
  assertStringIncludes(with0.stdout, "20 of 100 images have a weight of 0 and are left out");
  assertEquals([with0.images, with0.models], [80, without.models]);
  const rows = new TextDecoder().decode(workspace.read("reports/b/predictions.csv")).trim().split("\n").map((row) =>
    row.split(",")
  );
  const [titles, ...values] = rows, column = (name: string) => values.map((row) => Number(row[titles!.indexOf(name)]));
  const [weight, mass, truth] = [column("weight"), column("mass"), column("mass_true")];
  const mean = weight.reduce((sum, x, i) => sum + x * Math.abs(mass[i]! - truth[i]!), 0) / weight.reduce((a, b) => a + b);
  assertAlmostEquals(without.models.a.mass_mae, mean, 1e-9);
  // the weights know by which numbers they were weighed
  await succeed(workspace, "eval", "--model", "a=runs/w/best.safetensors", "--format", "csv");
  assertStringIncludes(new TextDecoder().decode(workspace.read("reports/predictions.csv")), "mass_true,weight");
  const refused = (weight: string) => {
    const weighted = set("data.labelled_path=data/weighted.h5", `data.keys.weight=${weight}`);
    return fail(workspace, "finetune", ...TRAIN, ...weighted, "--out", "runs/n");
  };
  assertStringIncludes(await refused("bad"), 'dataset "bad" (data.keys.weight) holds -0.5 at row 7');
  assertStringIncludes(await refused("few"), "have a weight of 0 (data.keys.weight)");
});

Deno.test("data.test_path: nothing is taken from the images for training, and the test file is judged as a whole", async () => {
  using workspace = new Workspace();
  const at = `${workspace.root}data/`;
  writeToy(`${at}toy.h5`, 80);
  writeToy(`${at}test.h5`, 30, true, 9);
  const own = "data.test_path=data/test.h5";
  const { stdout } = await succeed(workspace, "finetune", ...TRAIN, ...set(own), "--out", "runs/f");
  assertStringIncludes(stdout, "80 images: 70 training, 10 validation");
  const model = ["--model", "a=runs/f/best.safetensors"];
  const evaluated = async (...given: string[]) => {
    const { stdout } = await succeed(workspace, "eval", ...model, "--format", "json", ...given);
    return { stdout, ...json(workspace, "reports/metrics.json") };
  };
  const test = await evaluated();
  assertStringIncludes(test.stdout, "All images of ");
  assertEquals([test.images, test.whole, test.seen], [30, true, { a: { labelled: 0, unlabelled: 0 } }]);
  const { stdout: _, ...same } = await evaluated("--data", "data/test.h5", "--all");
  assertEquals(same.models, test.models);
  // a probe divides the images that were trained on
  const { stdout: probed } = await succeed(workspace, "probe", "--weights", "runs/f/best.safetensors", "--neighbours", "3");
  assertStringIncludes(probed, "was trained or validated on 16 of these 16 images");
  // all images that the model was trained on
  assertEquals((await evaluated("--data", "data/toy.h5", "--all")).seen, { a: { labelled: 80, unlabelled: 0 } });
  assertStringIncludes(
    await fail(workspace, "finetune", ...TRAIN, ...set("data.test_path=data/t*.h5"), "--out", "runs/g"),
    "toy.h5: data.labelled_path and data.test_path both name it",
  );
  assertStringIncludes(
    await fail(workspace, "finetune", ...TRAIN, ...set(own, "data.folds=3"), "--out", "runs/g"),
    "use one of them",
  );
});

Deno.test("classes alone and masses alone are trained and judged, and what is missing is named where it is needed", async () => {
  const { workspace, at, all, Y, m } = await workspaceOf(100);
  using _workspace = workspace;
  await rewrite(`${at}toy.h5`, `${at}classes.h5`, all, { Y });
  await rewrite(`${at}toy.h5`, `${at}masses.h5`, all, { m });
  const train = (
    data: string,
    ...pairs: string[]
  ) => [...TRAIN, ...set(`data.labelled_path=data/${data}.h5`, ...pairs), "--out", `runs/${data}`];
  assertStringIncludes(await fail(workspace, "finetune", ...train("classes")), "there is no dataset m or mass for mass");
  assertStringIncludes(await fail(workspace, "finetune", ...train("masses")), "there is no dataset Y or y or labels for labels");
  assertStringIncludes(
    await fail(workspace, "finetune", ...train("masses", "training.lambda_cls=0", "training.monitor=acc")),
    "training.monitor must be one of loss, mae",
  );
  await succeed(workspace, "finetune", ...train("classes", "training.lambda_reg=0"));
  await succeed(workspace, "finetune", ...train("masses", "training.lambda_cls=0"));
  const keys = (run: string) => Object.keys(json(workspace, `runs/${run}/metrics.jsonl`)).filter((key) => /acc|mae/.test(key));
  assertEquals([keys("classes"), keys("masses")], [["train_acc", "val_acc"], ["train_mae", "val_mae"]]);
  for (const [run, known, unknown] of [["classes", "accuracy", "mass_mae"], ["masses", "mass_mae", "accuracy"]] as const) {
    await succeed(workspace, "eval", "--model", `a=runs/${run}/best.safetensors`);
    const { models: { a } } = json(workspace, "reports/metrics.json");
    assert(typeof a[known] === "number" && a[unknown] === null, JSON.stringify(a));
    const page = new TextDecoder().decode(workspace.read("reports/report.html"));
    assert(!/NaN|undefined/.test(page), "the page holds something that is no number");
    assertEquals(page.includes("Confusion"), run === "classes");
  }
});
