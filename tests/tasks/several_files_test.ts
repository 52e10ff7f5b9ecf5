/** @file Data in several files, as users have them: a file for each process or period, named one by one or by a pattern. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { stratifiedSplit } from "../../lib/data/split.ts";
import { Hdf5Writer } from "../../lib/disk/hdf5_writer.ts";
import { asNumpy } from "../support/numpy.ts";
import { fail, succeed, Workspace } from "../support/tasks.ts";
import { FINETUNE_TOY, writeToy } from "../support/toy.ts";

function set(...pairs: string[]): string[] {
  return pairs.flatMap((pair) => ["--set", pair]);
}

const TRAIN = [...FINETUNE_TOY, ...set("training.epochs=1", "model.embed_dim=8")];

Deno.test("finetune, eval, predict and pack take several files as one, with classes from their names", async () => {
  using workspace = new Workspace();
  const at = `${workspace.root}data/`;
  writeToy(`${at}qcd_1.h5`, 40, true, 1);
  writeToy(`${at}other.h5`, 40, true, 2);
  Deno.writeFileSync(`${at}qcd_2.npz`, (await asNumpy(`${at}other.h5`)).npz);
  writeToy(`${at}top.h5`, 60, true, 3);
  const classes = 'data.class_of={"qcd*": 0, "top*": 1}', files = "data.labelled_path=data/qcd_*,data/top.h5";
  const { stdout } = await succeed(workspace, "finetune", ...TRAIN, ...set(files, classes), "--out", "runs/f");
  assertStringIncludes(stdout, "data/qcd_*,data/top.h5: 140 images: 98 training, 14 validation, 28 test");
  // the weights know their files and classes
  const model = ["--model", "a=runs/f/best.safetensors"];
  await succeed(workspace, "eval", ...model);
  const rows = new TextDecoder().decode(workspace.read("reports/predictions.csv")).trim().split("\n").slice(1).map((row) =>
    row.split(",")
  );
  assertEquals(rows.length, 28);
  for (const row of rows) assertEquals(row.at(-2), Number(row[1]) < 80 ? "0" : "1");
  // one of the files by itself: images are known by what they hold
  const { stdout: part } = await succeed(workspace, "eval", ...model, "--data", "data/other.h5", "--format", "json");
  const tested = stratifiedSplit(Array.from({ length: 140 }, (_, i) => i < 80 ? 0 : 1), 42).test;
  const met =
    stratifiedSplit(Array.from({ length: 40 }, (_, i) => i % 2), 42).test.filter((image) => !tested.includes(40 + image)).length;
  assertStringIncludes(part, `a was trained or validated on ${met} of these 8 images`);

  const predict = async (data: string) => {
    await succeed(workspace, "predict", "--weights", "runs/f/best.safetensors", "--data", data, "--out", "reports/p.csv");
    return new TextDecoder().decode(workspace.read("reports/p.csv")).trim().split("\n").slice(1);
  };
  const of = (rows: readonly string[]) => rows.map((row) => row.replace(/^\d+,/, ""));
  const [both, one] = [await predict("data/top.h5,data/qcd_1.h5"), await predict("data/qcd_1.h5")];
  assertEquals([both.length, of(both.slice(60))], [100, of(one)]);
  assertStringIncludes((await succeed(workspace, "pack", "--data", "data/qcd_*")).stdout, "80 images of 12 x 12 x 2 packed");
});

Deno.test("files that do not belong together are refused in one line before anything is trained", async () => {
  using workspace = new Workspace();
  const at = `${workspace.root}data/`;
  writeToy(`${at}a.h5`, 40, true, 1);
  writeToy(`${at}b.h5`, 40, true, 2);
  const finetune = (...pairs: string[]) => fail(workspace, "finetune", ...TRAIN, ...set(...pairs), "--out", "runs/f");
  assertStringIncludes(await finetune("data.labelled_path=data/c*.h5"), "data/c*.h5: no file is called like that");
  assertStringIncludes(
    await finetune("data.labelled_path=data/*.h5", "data.class_of=a*: 0"),
    "b.h5: none of the patterns of data.class_of fits it",
  );
  assertStringIncludes(
    await finetune("data.labelled_path=data/*.h5", "data.class_of=a* is 0"),
    "data.class_of must be a class for each pattern",
  );
  {
    // values that somebody has divided by 255 already
    using writer = new Hdf5Writer(`${at}scaled.h5`, [
      { name: "jet", shape: [20, 12, 12, 2] },
      { name: "Y", shape: [20] },
      { name: "m", shape: [20] },
    ]);
    writer.write("jet", 0, Float32Array.from({ length: 20 * 288 }, (_, i) => i % 9 === 0 ? 0.5 : 0));
    writer.write("Y", 0, Float32Array.from({ length: 20 }, (_, i) => i % 2));
    writer.write("m", 0, new Float32Array(20).fill(100));
  }
  assertStringIncludes(
    await finetune("data.labelled_path=data/a.h5,data/scaled.h5"),
    "scaled.h5 reach 0.5: they are scaled differently",
  );
});

Deno.test("inspect looks at several files together, and says what some of them lack", async () => {
  using workspace = new Workspace();
  const at = `${workspace.root}data/`;
  writeToy(`${at}a_1.h5`, 40, true, 1);
  writeToy(`${at}other.h5`, 30, true, 2);
  Deno.writeFileSync(`${at}a_2.npz`, (await asNumpy(`${at}other.h5`)).npz);
  const inspect = async (...args: string[]) => (await succeed(workspace, "inspect", ...args)).stdout.replaceAll(workspace.root, "");
  const both = await inspect("data/a_*", "--svg", "--index", "39,40");
  for (
    const line of [
      "data/a_1.h5: ",
      "Together: 70 images of 12 x 12 with 2 channels, numbered through all files:",
      "Classes: 35 of class 0 (50.0 %), 35 of class 1 (50.0 %)",
      "Images: all 70;",
      "reports/inspect/a_1-39.svg: a picture of image 39",
      "reports/inspect/a_2-40.svg: a picture of image 40",
    ]
  ) assertStringIncludes(both, line);
  assertMatch(both, /^data\/a_2\.npz +40 +69$/m);
  assertEquals(/published/.test(both), false);
  const [named] = [await inspect("data/a_1.h5", "data/a_2.npz")], histogram = /Mass in GeV[^]*?\n\n/;
  assertEquals(histogram.exec(named)![0], histogram.exec(both)![0]);
  writeToy(`${at}bare.h5`, 10, false);
  const mixed = await inspect("data/a_1.h5,data/bare.h5");
  assertStringIncludes(mixed, "Beware: there is no label in data/bare.h5: left out");
  assertStringIncludes(mixed, "Images: all 50;");
  assertStringIncludes(await fail(workspace, "inspect", "data/b*.npz"), "no file is called like that");
});
