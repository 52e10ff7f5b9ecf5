/** @file The same jets in files of two formats: every task takes either, and they are the same data. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { begunRun } from "../support/begun_run.ts";
import { asNumpy } from "../support/numpy.ts";
import { fail, succeed, Workspace } from "../support/tasks.ts";
import { FINETUNE_TOY, TOY_MODEL, writeToy } from "../support/toy.ts";

const WEIGHTS = "runs/f/best.safetensors";

/** A place with the same jets as toy.h5, toy.npz and, the images alone, toy.npy. */
async function workspaceOfFormats(): Promise<Workspace> {
  const workspace = new Workspace(), at = `${workspace.root}data/toy`;
  writeToy(`${at}.h5`, 100);
  const { npy, npz } = await asNumpy(`${at}.h5`);
  Deno.writeFileSync(`${at}.npz`, npz);
  Deno.writeFileSync(`${at}.npy`, npy);
  return workspace;
}

Deno.test("a run that began with HDF5 goes on with the same jets as .npz, and its weights take either for the same data", async () => {
  using workspace = await workspaceOfFormats();
  const run = [...await begunRun(workspace), "--set", "data.labelled_path=data/toy.npz"];
  assertStringIncludes((await succeed(workspace, "finetune", ...run)).stdout, "Resuming after epoch 2");

  const weights = ["--weights", WEIGHTS];
  const predicted = async (data: string) => {
    await succeed(workspace, "predict", ...weights, "--data", `data/${data}`, "--out", "reports/p.csv");
    return new TextDecoder().decode(workspace.read("reports/p.csv")).split("\n");
  };
  const rows = await predicted("toy.h5");
  assertEquals([rows.length, await predicted("toy.npz")], [102, rows]);
  const bare = await predicted("toy.npy");
  assert(bare.every((row, i) => rows[i]!.startsWith(row)), bare.slice(0, 2).join(" / "));

  const table = async (data: string) => {
    const { stdout } = await succeed(workspace, "eval", "--model", `a=${WEIGHTS}`, "--data", data, "--format", "csv");
    return stdout.split("\n").filter((line) => /^(accuracy|ROC-AUC|mass)/.test(line));
  };
  const measures = await table("data/toy.h5");
  assertEquals([measures.length > 2, await table("data/toy.npz")], [true, measures]);
  await succeed(workspace, "probe", ...weights, "--data", "data/toy.npz", "--neighbours", "5");
  await succeed(workspace, "explain", ...weights, "--data", "data/toy.npy", "--index", "3", "--out", "reports/e");
});

Deno.test("pack, inspect and pretrain take NumPy's files, and finetune says what a .npy file has not", async () => {
  using workspace = await workspaceOfFormats();
  assertStringIncludes((await succeed(workspace, "pack", "--data", "data/toy.npz")).stdout, "100 images of 12 x 12 x 2 packed");
  const { stdout } = await succeed(workspace, "inspect", "data/toy.npz", "--svg", "--index", "99");
  for (const text of ["(100, 12, 12, 2)", "float 32 bit", "50 of class 1", "Mass in GeV: ", "a picture of image 99"]) {
    assertStringIncludes(stdout, text);
  }
  const pretrain = ["data.unlabelled_path=data/toy.npy", "data.batch_size=20", "training.epochs=1"].flatMap((
    pair,
  ) => ["--set", pair]);
  await succeed(workspace, "pretrain", "--config", "configs/pretrain_simclr.yaml", ...TOY_MODEL, ...pretrain, "--out", "runs/p");
  const line = await fail(workspace, "finetune", ...FINETUNE_TOY, "--set", "data.labelled_path=data/toy.npy", "--out", "runs/f");
  assertStringIncludes(
    line,
    "there is no dataset Y or y or labels for labels; the file holds images. A .npy file is one array, the images",
  );
});
