/** @file Models on active tokens through all tasks: their weights say what they are. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fail, succeed, Workspace } from "../support/tasks.ts";
import { TOY_MODEL, writeToy } from "../support/toy.ts";

const settings = (...pairs: string[]) => pairs.flatMap((pair) => ["--set", pair]);
const FEW = settings("data.batch_size=20", "training.epochs=2", "data.unlabelled_path=data/x.h5", "data.labelled_path=data/toy.h5");
const DATA = ["--data", "data/toy.h5"];

Deno.test("weights on active tokens go from pretraining through every task, which compute what they were trained for", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/x.h5`, 100, false);
  writeToy(`${workspace.root}data/toy.h5`, 100);
  const train = (task: string, config: string, ...more: string[]) =>
    succeed(workspace, task, "--config", `configs/${config}.yaml`, ...TOY_MODEL, ...FEW, ...more);
  await train("pretrain", "pretrain_active_mae", "--out", "runs/mae", "--deterministic-check");
  const backbone = settings("pretrained_weights=runs/mae/best.safetensors");
  const otherwise = ["finetune", "--config", "configs/finetune.yaml", ...TOY_MODEL, ...FEW, ...backbone, "--out", "runs/no"];
  assertStringIncludes(await fail(workspace, ...otherwise as [string, ...string[]]), "was trained with model.tokens active");
  const active = settings("model.tokens=active", "model.lcm=wide");
  await train("finetune", "finetune", ...backbone, ...active, "--out", "runs/tuned", "--deterministic-check");

  const weights = ["--weights", "runs/tuned/best.safetensors"];
  await succeed(workspace, "export", ...weights, "--out", "weights/state.pt", "--format", "torch");
  await succeed(workspace, "predict", ...weights, ...DATA, "--out", "reports/own.csv");
  // the state dict does not say it
  const told = settings("model.tokens=active", "model.lcm=wide", "model.denominator_floor=100", "data.norm_scale=255");
  await succeed(workspace, "predict", "--weights", "weights/state.pt", ...DATA, ...told, "--out", "reports/told.csv");
  const [own, toldSo] = ["own", "told"].map((name) => logitsOf(workspace, name));
  assertEquals(toldSo, own);

  await succeed(workspace, "eval", "--pretrained", "runs/tuned/best.safetensors", "--scratch", "runs/tuned/latest.safetensors");
  await succeed(workspace, "probe", "--weights", "runs/mae/best.safetensors", ...DATA);
  const explained = await succeed(workspace, "explain", ...weights, ...DATA, "--index", "3");
  assert(!/NaN/.test(explained.stdout), explained.stdout);
});

function logitsOf(workspace: Workspace, name: string): string[] {
  const rows = new TextDecoder().decode(workspace.read(`reports/${name}.csv`)).trim().split("\n").slice(1);
  return rows.map((row) => row.split(",")[1]!);
}
