/**
 * @file Kills a rank of two, drawn by lot, at a random moment, again and again, and compares what the run ends with to the bits of one that
 * was not killed. It takes minutes, so it is run by hand:
 *
 *     deno run --allow-all tests/mpi/kills.ts MPICH 50 1
 */

import { assertEquals } from "@std/assert";
import { exists } from "../../lib/disk/files.ts";
import { Random } from "../../lib/random.ts";
import { readResume } from "../support/files.ts";
import { LAUNCHERS } from "../support/mpi.ts";
import { ENDLESS, RankedRun, set } from "../support/ranked_run.ts";

const [name, kills = "50", seed = "1"] = Deno.args;
const launcher = LAUNCHERS.find((launcher) => launcher.name === name);
if (!launcher) {
  throw new Error(`Name one of ${LAUNCHERS.map(({ name }) => `"${name}"`).join(", ")}, then how many kills, and a seed`);
}

using run = new RankedRun(launcher);
const random = new Random(Number(seed), 18), path = `${run.first.root}runs/x/resume.safetensors`;
for (let kill = 1; kill <= Number(kills); kill++) {
  await run.killAtRandom(ENDLESS, random);
  // what is left can be read
  console.log(`kill ${kill}: ${exists(path) ? `goes on from step ${(await readResume(path)).state.step}` : "begins anew"}`);
}
const limit = set(`training.max_steps=${(await readResume(path)).state.step + 5}`);
await run.succeed([...ENDLESS, ...limit, "--extend"]);
await run.succeed([...ENDLESS, ...limit], "whole");
for (const file of ["latest.safetensors", "best.safetensors"]) {
  assertEquals(run.first.read(`runs/x/${file}`), run.first.read(`runs/whole/${file}`));
}
console.log(`${kills} kills: the same bits as without, and no process left`);
