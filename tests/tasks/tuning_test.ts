/** @file Runs whose products are large enough for a choice of variants: the choice is measured once, and kept. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { exists } from "../../lib/disk/files.ts";
import { readResume } from "../support/files.ts";
import { succeed, Workspace } from "../support/tasks.ts";
import { FINETUNE_TOY, writeToy } from "../support/toy.ts";
import { until } from "../support/waiting.ts";

/** Tokens of one pixel and a wide model; two steps. */
const WIDE = ["data.batch_size=64", "model.patch_size=1", "model.embed_dim=128", "training.epochs=2"];
const RUN = [...FINETUNE_TOY, ...WIDE.flatMap((pair) => ["--set", pair])];
const MEASURING = "measuring variants of";

Deno.test("training measures variants once for an adapter; a run that goes on keeps its own, whatever the file says", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 100);
  const tunings = `${workspace.root}cache/tuning.json`;
  const choicesOf = async (run: string) => (await readResume(`${workspace.root}runs/${run}/resume.safetensors`)).tuning!.choices;

  const child = workspace.direct("finetune", ...RUN, "--out", "runs/first").spawn();
  assert(await until(child, () => exists(`${workspace.root}runs/first/resume.safetensors`)), "the run ended before it was killed");
  child.kill("SIGKILL");
  assertStringIncludes(await child.output().then(({ stdout }) => new TextDecoder().decode(stdout)), MEASURING);
  const begun = await choicesOf("first");
  assert(Object.keys(begun).length > 3);

  const second = await succeed(workspace, "finetune", ...RUN, "--out", "runs/second");
  assert(!second.stdout.includes(MEASURING));
  assertEquals(await choicesOf("second"), begun);

  Deno.writeTextFileSync(tunings, "{");
  const resumed = await succeed(workspace, "finetune", ...RUN, "--out", "runs/first");
  assertStringIncludes(resumed.stdout, "Resuming after epoch 0");
  assert(!resumed.stdout.includes(MEASURING));
  assertEquals(await choicesOf("first"), begun);
  const weights = (run: string) => workspace.read(`runs/${run}/latest.safetensors`);
  assertEquals(weights("first"), weights("second"));

  Deno.removeSync(tunings);
  Deno.mkdirSync(tunings);
  const unkept = await succeed(workspace, "finetune", ...RUN, "--out", "runs/unkept");
  assertStringIncludes(unkept.stdout, "not kept: ");
  Deno.removeSync(tunings);

  const fixed = await succeed(workspace, "finetune", ...RUN, "--set", "training.tune=off", "--out", "runs/fixed");
  assert(!fixed.stdout.includes(MEASURING));
  assertEquals(await choicesOf("fixed"), {});
  assert(!exists(tunings));
});
