/** @file Several numbers learned of each image, from training to tables, figures and other programs, as a user does it. */

import { assert, assertAlmostEquals, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { exists } from "../../lib/disk/files.ts";
import { decodeSafetensors, encodeSafetensors } from "../../lib/io/safetensors.ts";
import { fail, succeed, Workspace } from "../support/tasks.ts";
import { FINETUNE_TOY, writeToy } from "../support/toy.ts";

function set(...pairs: string[]): string[] {
  return pairs.flatMap((pair) => ["--set", pair]);
}

/** A toy whose classes are a number too, in no unit. */
const TARGETS = [
  "--config",
  ...FINETUNE_TOY.slice(1),
  ...set("data.keys.targets=[m, Y]", "training.epochs=3", "training.monitor=m_mae"),
];

function text(workspace: Workspace, path: string): string {
  return new TextDecoder().decode(workspace.read(path));
}

/** Rows of a table by the names of its columns. */
function rowsOf(workspace: Workspace, path: string): Record<string, number>[] {
  const [titles, ...rows] = text(workspace, path).trim().split(/\r?\n/).map((line) => line.split(",")) as [string[], ...string[][]];
  return rows.map((row) => Object.fromEntries(row.map((cell, i) => [titles[i]!, Number(cell)])));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

Deno.test("two targets are learned, judged, drawn and explained side by side, each in its unit", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 200);
  const { stdout } = await succeed(workspace, "finetune", ...TARGETS, "--out", "runs/a");
  const errors = Array.from(stdout.matchAll(/val loss \S+ acc \S+ mae_m ([\d.]+) GeV mae_Y ([\d.]+) m_mae/g), ([, m]) => Number(m));
  assertEquals(errors.length, 3);
  assert(errors[2]! < errors[0]!, `the error of m went from ${errors[0]} to ${errors[2]} GeV`);
  const { metadata: { targets, mass_mean, version }, tensors } = decodeSafetensors(workspace.read("runs/a/best.safetensors"));
  assertEquals(tensors.get("reg_head.weight")!.shape, [2, 16]);
  assertEquals([mass_mean, version], [undefined, "4"]);
  assertEquals(JSON.parse(targets!).map(({ name, unit }: { name: string; unit: string }) => [name, unit]), [["m", "GeV"], [
    "Y",
    "",
  ]]);

  const evaluated = await succeed(workspace, "eval", "--model", "a=runs/a/best.safetensors");
  assertMatch(evaluated.stdout, /^m MAE \(GeV\) +[\d.]+ \[.*\n(.*\n){3}Y MAE +0\.\d+ \[/m);
  const { models: { a }, targets: named } = JSON.parse(text(workspace, "reports/metrics.json"));
  assertEquals(named, [{ name: "m", unit: "GeV" }, { name: "Y", unit: "" }]);
  const rows = rowsOf(workspace, "reports/predictions.csv");
  for (const name of ["m", "Y"]) {
    const off = rows.map((row) => row[name]! - row[`${name}_true`]!);
    assertAlmostEquals(a[`${name}_mae`], mean(off.map(Math.abs)), 1e-9);
    assertAlmostEquals(a[`${name}_rmse`], Math.sqrt(mean(off.map((x) => x * x))), 1e-9);
  }
  assertEquals(rows.map((row) => row["Y_true"]), rows.map((row) => row["label"]));
  const page = text(workspace, "reports/report.html");
  for (const heading of ["Predicted and true m", "Predicted and true Y", "m response and resolution by true m", "Y residuals"]) {
    assertStringIncludes(page.toLowerCase(), `<h2>${heading}</h2>`.toLowerCase());
  }
  for (const figure of ["target-0-m-a", "target-1-Y-a", "target-1-Y-residuals", "curves-mae_m"]) {
    assert(exists(`${workspace.root}reports/figures/${figure}.svg`), figure);
  }
  const again = await succeed(workspace, "report", "reports", "--out", "reports/again");
  assertEquals(again.stdout.split("\n\n")[0], evaluated.stdout.split("bootstrap\n\n")[1]!.split("\n\n")[0]);

  const explained = await succeed(
    workspace,
    "explain",
    ...["--weights", "runs/a/best.safetensors", "--data", "data/toy.h5", "--index", "0"],
  );
  const contributions = rowsOf(workspace, "reports/explain/toy-0.csv"),
    sum = (name: string) => 200 * mean(contributions.map((row) => row[name]!)) / 200;
  assertMatch(explained.stdout, /^Image 0: .*, m [\d.]+ GeV \(true: [\d.]+\), Y -?[\d.]+ \(true: 0\)/m);
  assert(Number.isFinite(sum("to_m_gev")) && Number.isFinite(sum("to_Y")) && sum("to_m_gev") !== sum("to_Y"));
  const watched = await succeed(workspace, "watch", "--once", "runs/a");
  for (const title of ["Mean error of m in GeV (validation)", "Mean error of Y (validation)"]) {
    assertStringIncludes(watched.stdout, title);
  }
});

Deno.test("one named target is what the mass is under its own name; weights that name others than their tensors give are refused", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 200);
  const short = [...FINETUNE_TOY, ...set("training.epochs=1")];
  await succeed(workspace, "finetune", ...short, "--out", "runs/mass");
  await succeed(workspace, "finetune", ...short, ...set("data.keys.targets=m"), "--out", "runs/m");
  const [mass, m] = ["mass", "m"].map((name) => decodeSafetensors(workspace.read(`runs/${name}/best.safetensors`)));
  assertEquals(m!.tensors, mass!.tensors);
  const [scale] = JSON.parse(m!.metadata["targets"]!);
  assertEquals([String(scale.mean), String(scale.std)], [mass!.metadata["mass_mean"], mass!.metadata["mass_std"]]);
  const pair = [
    "--model",
    "a=runs/mass/best.safetensors",
    "--model",
    "b=runs/m/best.safetensors",
    "--data",
    "data/toy.h5",
    "--seed",
    "42",
  ];
  assertStringIncludes(await fail(workspace, "eval", ...pair), '"a" (');
  // a backbone knows what it knows, whatever its head was trained on
  const probed = await succeed(workspace, "probe", "--weights", "runs/mass/best.safetensors", ...set("data.keys.targets=[m, Y]"));
  assertMatch(probed.stdout, /^m MAE \(GeV\) .*\n(.*\n){3}Y MAE /m);
  const wrong = ["--model", "a=runs/mass/best.safetensors", ...set("data.keys.targets=[m, Y]")];
  assertStringIncludes(
    await fail(workspace, "eval", ...wrong),
    "predicts mass (GeV): data.keys.targets has to name 1 of the datasets",
  );
  const init = await fail(workspace, "finetune", ...short, "--init", "runs/m/best.safetensors", "--out", "runs/i");
  assertStringIncludes(init, 'was trained with data.keys.targets m, and the configuration says "". Train as it was with');
  const lies = { tensors: m!.tensors, metadata: { ...m!.metadata, targets: JSON.stringify([scale, { ...scale, name: "x" }]) } };
  Deno.writeFileSync(`${workspace.root}weights/lies.safetensors`, encodeSafetensors(lies));
  const predict = ["--weights", "weights/lies.safetensors", "--data", "data/toy.h5", "--out", "reports/p.csv"];
  assertStringIncludes(await fail(workspace, "predict", ...predict), "its metadata name 2 targets, and its tensors give 1");
});

Deno.test("targets may be missing where nothing is learned of them, and are named where they are needed", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 200);
  const given = [...FINETUNE_TOY, ...set("data.keys.targets=[m, tau]", "training.epochs=1"), "--out", "runs/a"];
  const line = await fail(workspace, "finetune", ...given);
  assertStringIncludes(line, "there is no dataset tau for a target; the file holds");
  const monitored = await fail(workspace, "finetune", ...given, ...set("training.monitor=mass_mae"));
  assertStringIncludes(monitored, "training.monitor must be one of loss, acc, mae_m, mae_tau, accuracy");
  const { stdout } = await succeed(workspace, "finetune", ...given, ...set("training.lambda_reg=0"));
  assertStringIncludes(stdout, "it has no values of tau: what needs them is not defined");
  assertMatch(stdout, /val loss \S+ acc \S+ mae_m [\d.]+ GeV {2}/);
  const evaluated = await succeed(workspace, "eval", "--model", "a=runs/a/best.safetensors", "--format", "json,csv,html");
  assertStringIncludes(evaluated.stdout, "was trained without m and tau");
  assertMatch(evaluated.stdout, /^tau MAE +not defined/m);
});
