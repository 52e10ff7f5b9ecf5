/** @file deno task mpi as a user starts it: by mpirun, on small data; how it stops and goes on, and what goes wrong. */

import { assert, assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "@std/assert";
import { Random } from "../../lib/random.ts";
import { type Launcher, libraryOf, type Outcome, runRanks, testRanks } from "../support/mpi.ts";
import { ENDLESS, RankedRun, set } from "../support/ranked_run.ts";
import { succeed, type Workspace } from "../support/tasks.ts";
import { epochsOf } from "../support/waiting.ts";
import { largestDifference } from "../support/weights.ts";

/** Steps of an epoch of 100 images. */
const STEPS = 4;

function copyFolder(workspace: Workspace, from: string, to: string): void {
  Deno.mkdirSync(workspace.root + to);
  for (const { name } of Deno.readDirSync(workspace.root + from)) {
    Deno.copyFileSync(`${workspace.root}${from}/${name}`, `${workspace.root}${to}/${name}`);
  }
}

/** A signal that reaches one rank, or the launcher where that gives ranks the time, stops both, with the state saved once. */
async function stop(run: RankedRun, launcher: Launcher): Promise<void> {
  const child = run.start(ENDLESS);
  await run.epochs(child, 1);
  await (launcher.name === "MPICH" ? run.killLauncher("TERM") : run.kill(child, "TERM", 1));
  const { code, stderr } = await child.output();
  const text = new TextDecoder().decode(stderr);
  assertNotEquals(code, 0);
  assertEquals(text.match(/the state is saved in .*\. Run the same command again to go on/g)?.length, 1, text);
  await run.assertNoOrphans();
}

/** A rank that hangs is not waited for without end; meanwhile something else is done. */
async function hang<Result>(run: RankedRun, meanwhile: () => Promise<Result>): Promise<Result> {
  const child = run.start([...ENDLESS, "--wait", "15"]);
  await run.epochs(child, 1);
  await run.kill(child, "STOP", 1);
  const output = child.output(), result = await meanwhile(), { code, stderr } = await output;
  assertNotEquals(code, 0);
  assertMatch(new TextDecoder().decode(stderr), /error: rank 0 has waited 15 s for .*: a rank hangs, or is slower than that/);
  await run.assertNoOrphans();
  return result;
}

/**
 * Trains from the beginning until some steps after those that run "x" has taken.
 *
 * @returns arguments that end a run there
 */
async function trainWhole(run: RankedRun, launcher: Launcher): Promise<string[]> {
  const limit = set(`training.max_steps=${STEPS * (epochsOf(run.first, "x") + 2)}`);
  const { stdout } = await run.succeed([...ENDLESS, ...limit, "--deterministic-check"], "whole");
  assertStringIncludes(stdout, `2 ranks, tied together by ${launcher.name}`);
  assertMatch(stdout, /rank 1 on .*: Running on /);
  assertMatch(stdout, /Step 1 was computed twice, with the same bits/);
  // rank 0 alone speaks
  assertEquals(stdout.match(/Done: /g)?.length, 1, stdout);
  return limit;
}

testRanks(
  "ranks that were stopped, and killed or have hung, go on to the bits of a run that was not, alone to rounding",
  async (launcher) => {
    using run = new RankedRun(launcher);
    // one of each: tests/mpi/kills.ts kills many times, by either launcher
    if (launcher.name === "Open MPI") await run.killAtRandom(ENDLESS, new Random(18, 1));
    await stop(run, launcher);
    const limit = launcher.name === "Open MPI"
      ? await trainWhole(run, launcher)
      : await hang(run, async () => await trainWhole(run, launcher));
    copyFolder(run.first, "runs/x", "runs/alone");
    const rest = [...ENDLESS, ...limit, "--extend"];
    assertStringIncludes((await run.succeed(rest)).stdout, "Resuming after epoch");
    assertEquals(run.first.read("runs/x/latest.safetensors"), run.first.read("runs/whole/latest.safetensors"));
    assertStringIncludes((await succeed(run.first, "finetune", ...rest, "--out", "runs/alone")).stdout, "Resuming after epoch");
    const [alone, whole] = ["alone", "whole"].map((name) => run.first.read(`runs/${name}/latest.safetensors`));
    const far = largestDifference(alone!, whole!);
    assert(far < 1e-5, `weights differ by ${far}`);
    await run.assertNoOrphans();
  },
);

/** Starts two ranks that are expected to fail, and returns what they say of it; launchers add lines of their own. */
async function failing(launcher: Launcher, program: string, options: ReturnType<RankedRun["options"]>): Promise<string> {
  const { code, stderr }: Outcome = await runRanks(launcher, 2, program, options);
  assertNotEquals(code, 0);
  // ranks who do not hear of one another in time may both say it
  const lines = new Set(stderr.split("\n").filter((line) => line.startsWith("error: ")));
  assertEquals(lines.size, 1, `${program}: ${stderr}`);
  return [...lines][0]!;
}

testRanks("what is wrong is said in one line, and the exit code is not 0", async (launcher) => {
  using run = new RankedRun(launcher);
  const other = (await libraryOf(launcher)).replace(/[^/]+$/, launcher.name === "MPICH" ? "libmpi.so.40" : "libmpich.so.12");
  const cases: [says: string, args: string[], library?: string][] = [
    ["knows of 2 ranks. Use --ranks 2, or start 3 processes", ["--ranks", "3"]],
    ["training.epoch", set("training.epoch=1")],
    ["is no library of MPI", [], "/usr/bin/true"],
    ["No library of MPI was found", [], "/nonexistent/libmpi.so"],
  ];
  if (isFile(other)) cases.push(["knows of 1 rank. Either nothing started 2 processes", [], other]);
  else console.log(`Not run: ${other} is not installed`);
  // what is no affair of launchers needs one of them
  if (launcher.name === "MPICH") {
    cases.push(["data.batch_size is 7, which 2", set("data.batch_size=7")], ["none.h5", set("data.labelled_path=data/none.h5")]);
  }
  await Promise.all(cases.map(async ([says, args, library], i) => {
    const program = run.program(["finetune", ...ENDLESS, "--out", `runs/${i}`, ...args]);
    assertStringIncludes(await failing(launcher, program, run.options(library === undefined ? {} : { L2VIT_MPI: library })), says);
  }));
  // rank 1 needs no folder, and rank 0 does
  const program = run.program(["finetune", ...ENDLESS, "--out", "runs/x"], 0);
  assertStringIncludes(await failing(launcher, program, run.options()), `${run.second.root}runs`);
  await run.assertNoOrphans();
});

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
