/** @file Studies as a user runs them: several runs of one recipe, what they say together, and ensembles of them. */

import { assert, assertAlmostEquals, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { exists } from "../../lib/disk/files.ts";
import { fail, succeed, Workspace } from "../support/tasks.ts";
import { FINETUNE_TOY, writeToy } from "../support/toy.ts";
import { until } from "../support/waiting.ts";

const STUDY = [...FINETUNE_TOY, "--set", "training.epochs=2"];

function json(workspace: Workspace, path: string) {
  return JSON.parse(new TextDecoder().decode(workspace.read(path)));
}

/** Columns of a table of predictions by their titles. */
function columns(workspace: Workspace, path: string): Record<string, string[]> {
  const [titles, ...rows] = new TextDecoder().decode(workspace.read(path)).trim().split("\n").map((line) => line.split(","));
  return Object.fromEntries(titles!.map((title, i) => [title, rows.map((row) => row[i]!)]));
}

Deno.test("a study's table is that of its members, which differ in their seeds alone, and a killed study goes on", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 200);
  const study = [...STUDY, "--seeds", "3", "--out", "runs/s"];
  const child = workspace.direct("study", ...study).spawn();
  assert(
    await until(child, () => exists(`${workspace.root}runs/s/seed-43/resume.safetensors`)),
    "the study ended before it was killed",
  );
  child.kill("SIGKILL");
  await child.output();
  const first = workspace.read("runs/s/seed-42/best.safetensors");
  const { stdout } = await succeed(workspace, "study", ...study);
  assertStringIncludes(stdout, "Member 3 of 3: seed-44");
  assertEquals(workspace.read("runs/s/seed-42/best.safetensors"), first);
  const { groups: [{ measures }], members } = json(workspace, "runs/s/study.json");
  for (const name of ["accuracy", "roc_auc", "mass_mae"]) {
    const values = [42, 43, 44].map((seed): number =>
      json(workspace, `runs/s/seed-${seed}/metrics.json`).models[`seed-${seed}`][name]
    );
    const mean = (values[0]! + values[1]! + values[2]!) / 3;
    assertAlmostEquals(measures[name].mean, mean, 1e-12);
    assertAlmostEquals(measures[name].deviation, Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 2), 1e-12);
  }
  assertEquals(members.map(({ name }: { name: string }) => name), ["seed-42", "seed-43", "seed-44"]);

  const reported = await succeed(workspace, "report", "runs/s", "--out", "reports/s");
  const page = new TextDecoder().decode(workspace.read("reports/s/report.html"));
  for (const text of ["3 members of s", "Members", "deno task study", `${measures.roc_auc.mean.toFixed(4)} \u00b1`]) {
    assertStringIncludes(page, text);
  }

  const weights = [42, 43, 44].map((seed) => `runs/s/seed-${seed}/best.safetensors`).join();
  await succeed(workspace, "eval", "--model", `all=${weights}`, "--format", "csv,json");
  const ensemble = columns(workspace, "reports/predictions.csv");
  const tables = [42, 43, 44].map((seed) => columns(workspace, `runs/s/seed-${seed}/predictions.csv`));
  for (const title of ["prob_1", "logit_0", "mass"]) {
    ensemble[title]!.forEach((value, i) => {
      assertAlmostEquals(Number(value), tables.reduce((sum, table) => sum + Number(table[title]![i]) / 3, 0), 1e-9);
    });
  }
  assertEquals(ensemble["index"], tables[0]!["index"]);
  // the report that is made again from its files knows the members, and draws each of them
  const own = columns(workspace, "reports/members.csv");
  assertEquals(own["mass"], tables[0]!["mass"]!.flatMap((_, i) => tables.map((table) => table["mass"]![i]!)));
  await succeed(workspace, "report", "reports", "--out", "reports/again");
  for (const figure of ["roc", "calibration", "mass-residuals", "response-mass", "resolution-mass"]) {
    const svg = new TextDecoder().decode(workspace.read(`reports/again/figures/${figure}.svg`));
    assertEquals(svg.match(/stroke-opacity="0.45"/g)?.length, 3, figure);
  }
  assertStringIncludes(new TextDecoder().decode(workspace.read("reports/again/report.html")), "by members");
  // the report of the study is that of its members' mean
  assertStringIncludes(reported.stdout, json(workspace, "reports/metrics.json").models.all.mass_mae.toFixed(2));

  const again = [...STUDY, "--set", "training.label_smoothing=0.2", "--seeds", "3", "--out", "runs/t", "--against", "runs/s"];
  assertStringIncludes((await succeed(workspace, "study", ...again)).stdout, "with Holm's correction");
  const { comparisons: [{ differences }], groups: [{ measures: others }] } = json(workspace, "runs/t/study.json");
  assertAlmostEquals(differences.mass_mae.difference, others.mass_mae.mean - measures.mass_mae.mean, 1e-9);
  assertStringIncludes(
    await fail(workspace, "study", ...STUDY, "--folds", "2", "--out", "runs/u", "--against", "runs/s"),
    "has no member fold-0",
  );

  // the weights of the first two members as backbones
  const backbones = [42, 43].map((seed) => `runs/s/seed-${seed}/best.safetensors`);
  const from = [
    ...STUDY,
    "--seeds",
    "2",
    "--pretrained",
    backbones.join(),
    "--out",
    "runs/v",
    "--against",
    "runs/s",
    "--against",
    "runs/t",
  ];
  await succeed(workspace, "study", ...from);
  const found = json(workspace, "runs/v/study.json");
  const wide = found.groups[0].measures.mass_mae,
    of = (name: string) => found.members.find((member: { name: string }) => member.name === name);
  assertEquals(found.members.map(({ name, way }: { name: string; way: string }) => [name, way]), [
    ["weights-1-seed-42", "seed-42"],
    ["weights-1-seed-43", "seed-43"],
    ["weights-2-seed-42", "seed-42"],
    ["weights-2-seed-43", "seed-43"],
  ]);
  assertAlmostEquals(
    found.comparisons[0].differences.mass_mae.difference,
    wide.mean - (json(workspace, "runs/s/study.json").members.slice(0, 2) as { measures: { mass_mae: number } }[])
      .reduce((sum, { measures: { mass_mae } }) => sum + mass_mae / 2, 0),
    1e-9,
  );
  assertEquals(found.comparisons.map(({ against }: { against: string }) => against), ["runs/s", "runs/t"]);
  assert(of("weights-1-seed-42").measures.mass_mae !== of("weights-2-seed-42").measures.mass_mae);
});

Deno.test("parts of a cross-validation test each image once, and numbers of training images make a learning curve", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 100);
  await succeed(workspace, "study", ...STUDY, "--folds", "2", "--max-train", "20,40", "--out", "runs/s");
  for (const images of [20, 40]) {
    const tested = [0, 1].flatMap((fold) => columns(workspace, `runs/s/train-${images}-fold-${fold}/predictions.csv`)["index"]!);
    assertEquals(tested.map(Number).toSorted((a, b) => a - b), Array.from({ length: 100 }, (_, i) => i));
  }
  const page = new TextDecoder().decode(workspace.read("runs/s/study.html"));
  assertStringIncludes(page, "learning-curve-accuracy");
  assert(!/NaN|undefined/.test(page), "the page holds something that is no number");
  // the weights remember their part
  const weights = ["--model", "a=runs/s/train-40-fold-1/best.safetensors"];
  await succeed(workspace, "eval", ...weights, "--format", "csv");
  assertEquals(
    columns(workspace, "reports/predictions.csv")["index"],
    columns(workspace, "runs/s/train-40-fold-1/predictions.csv")["index"],
  );
  assertStringIncludes(await fail(workspace, "study", ...STUDY), "say what the members differ in");
  assertStringIncludes(await fail(workspace, "study", ...STUDY, "--pretrained", "a,a"), "--pretrained: a is there twice");
});

Deno.test("random splits of a study train on other images each, with a seed of their own, and are tested on a file of its own if there is one", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 60);
  writeToy(`${workspace.root}data/test.h5`, 20, true, 9);
  await succeed(
    workspace,
    "study",
    ...STUDY,
    "--splits",
    "2",
    "--set",
    "data.test_path=data/test.h5",
    "--max-train",
    "20",
    "--out",
    "runs/s",
  );
  const tested = [42, 43].map((seed) => {
    const folder = `runs/s/train-20-split-${seed}`;
    const configuration = new Map<string, string>(json(workspace, `${folder}/metrics.json`).made).get(
      `Configuration of train-20-split-${seed}`,
    )!;
    assertMatch(configuration, new RegExp(`  split_seed: ${seed}\n`));
    assertMatch(configuration, new RegExp(`training:\n  method: simclr\n  seed: ${seed}\n`));
    return columns(workspace, `${folder}/predictions.csv`)["index"]!;
  });
  assertEquals(tested[0], tested[1]);
  assertEquals(tested[0]!.length, 20);
});
