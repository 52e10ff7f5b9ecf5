/** @file A run from its configuration: what is refused leaves everything as it was. */

import { assertEquals, assertRejects } from "@std/assert";
import { defaultConfig } from "../../../lib/config/keys.ts";
import type { TrainedOn } from "../../../lib/data/provenance.ts";
import { walk } from "../../../lib/disk/files.ts";
import { train } from "../../../lib/train/run.ts";
import { RunFolder } from "../../../lib/disk/run_folder.ts";
import { temporaryFolder } from "../../support/files.ts";
import { gpuTest } from "../../support/gpu.ts";

gpuTest("train() sets nothing aside before the model has its place on the adapter", async (gpu) => {
  using temporary = temporaryFolder();
  for (const name of ["best.safetensors", "log.txt"]) Deno.writeTextFileSync(`${temporary.path}/${name}`, "earlier");
  const create = () => {
    throw new Error("it does not fit");
  };
  {
    using folder = new RunFolder(temporary.path);
    const begin = () => void folder.begin(true);
    const run = { create, origin: { start: new Map(), trainedOn: [] }, data: {} as TrainedOn, begin };
    const reporter = { line: (text: string) => folder.log(text), progress: () => {} };
    await assertRejects(() => train(gpu, defaultConfig(), folder, run, reporter, {}), Error, "it does not fit");
  }
  assertEquals(walk(temporary.path).map((path) => path.slice(temporary.path.length + 1)), ["best.safetensors", "log.txt"]);
  assertEquals(Deno.readTextFileSync(`${temporary.path}/log.txt`), "earlier");
});
