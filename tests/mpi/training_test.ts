/** @file deno task mpi as a user starts it: by mpirun, on small data; what it computes, how it stops, and what goes wrong. */

import { assert, assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "@std/assert";
import { decodeSafetensors, toFloats } from "../../lib/io/safetensors.ts";
import { launch, type Launcher, type LaunchOptions, type Outcome, runRanks, testRanks } from "../support/mpi.ts";
import { succeed, Workspace } from "../support/tasks.ts";
import { FINETUNE_TOY, writeToy } from "../support/toy.ts";

const REPOSITORY = new URL("../../", import.meta.url).pathname;
/** Dropout and augmentation on, and a batch that 2 and 4 ranks can divide. */
const FINETUNE = [...FINETUNE_TOY, ...set("data.batch_size=8", "data.augment=true", "augment.roll=phi", "model.dropout=0.2")];
/** More epochs than any test waits for. */
const ENDLESS = [...FINETUNE, ...set("training.epochs=100000", "training.patience=100000"), "--out", "runs/x"];

function set(...pairs: string[]): string[] {
  return pairs.flatMap((pair) => ["--set", pair]);
}

function workspaceWithToy(): Workspace {
  const workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 100);
  return workspace;
}

function options({ root, env }: Workspace, more: LaunchOptions = {}): LaunchOptions {
  return { cwd: REPOSITORY, ...more, env: { L2VIT_ROOT: root, ...env, ...more.env } };
}

/** What so many ranks are started with. */
function program(ranks: number, ...args: string[]): string {
  return ["deno task --quiet mpi", ...args, "--ranks", ranks].join(" ");
}

async function run(workspace: Workspace, launcher: Launcher, ranks: number, ...args: string[]): Promise<Outcome> {
  return await runRanks(launcher, ranks, program(ranks, ...args), options(workspace));
}

/** The largest difference of two numbers of a tensor, over all tensors of two weight files. */
function difference(workspace: Workspace, a: string, b: string): number {
  const [first, second] = [a, b].map((path) => decodeSafetensors(workspace.read(path)).tensors) as [Tensors, Tensors];
  assertEquals([...first.keys()], [...second.keys()]);
  return Math.max(...[...first].map(([name, tensor]) => {
    if (tensor.dtype !== "F32") return 0;
    const other = toFloats(second.get(name)!);
    return toFloats(tensor).reduce((most, value, i) => Math.max(most, Math.abs(value - other[i]!)), 0);
  }));
}

type Tensors = ReturnType<typeof decodeSafetensors>["tensors"];

/** The lines that say what went wrong; launchers add their own. */
function errors({ stderr }: Outcome): string[] {
  return stderr.split("\n").filter((line) => line.startsWith("error: "));
}

/** What a command prints that tests may run by way of a task alone. */
async function byTask(command: string): Promise<string> {
  return new TextDecoder().decode(
    (await new Deno.Command("deno", { args: ["task", "--quiet", "--eval", command] }).output()).stdout,
  );
}

/** Numbers of the processes that train in a workspace. */
async function ranksOf({ root }: Workspace): Promise<string[]> {
  // the brackets keep the pattern from finding itself
  return (await byTask(`pgrep -f '${root}.*tasks/mpi[.]ts'`)).split("\n").filter(Boolean);
}

function epochsOf(workspace: Workspace): number {
  try {
    return new TextDecoder().decode(workspace.read("runs/x/metrics.jsonl")).split("\n").length - 1;
  } catch {
    return 0;
  }
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Waits until a run has written the metrics of so many epochs. */
async function epochs(workspace: Workspace, child: Deno.ChildProcess, count: number): Promise<void> {
  let ended = false;
  child.status.then(() => ended = true);
  while (epochsOf(workspace) < count) {
    assert(!ended, "the run has ended before");
    await wait(20);
  }
}

async function kill(signal: string, process: string): Promise<void> {
  await byTask(`kill -s ${signal} ${process}`);
}

async function assertNoOrphans(workspace: Workspace): Promise<void> {
  for (let i = 0; i < 100 && (await ranksOf(workspace)).length > 0; i++) await wait(100);
  assertEquals(await ranksOf(workspace), []);
}

testRanks("2 ranks train what one process trains in 2 groups, and the same bits when they are started again", async (launcher) => {
  using workspace = workspaceWithToy();
  const steps = set("training.max_steps=3");
  await succeed(workspace, "finetune", ...FINETUNE, ...steps, ...set("training.batch_groups=2"), "--out", "runs/one");
  for (const out of ["runs/a", "runs/b"]) {
    const outcome = await run(workspace, launcher, 2, "finetune", ...FINETUNE, ...steps, "--out", out);
    assertEquals(outcome.code, 0, outcome.stderr);
    assertStringIncludes(outcome.stdout, `2 ranks, tied together by ${launcher.name}`);
    assertMatch(outcome.stdout, /rank 1 on .*: Running on /);
    // rank 0 alone speaks, and writes the folder
    assertEquals(outcome.stdout.match(/Done: all|Done: reached/g)?.length, 1, outcome.stdout);
  }
  assertEquals(workspace.read("runs/a/latest.safetensors"), workspace.read("runs/b/latest.safetensors"));
  const far = difference(workspace, "runs/one/latest.safetensors", "runs/a/latest.safetensors");
  assert(far < 1e-6, `weights differ by ${far}`);
  await assertNoOrphans(workspace);
});

testRanks("a rank that is killed ends all, and the run goes on to the bits that it would have had", async (launcher) => {
  using workspace = workspaceWithToy();
  const many = [...FINETUNE, ...set("training.epochs=15")];
  const whole = await run(workspace, launcher, 2, "finetune", ...many, "--out", "runs/whole");
  assertEquals(whole.code, 0, whole.stderr);
  const child = launch(launcher, 2, program(2, "finetune", ...many, "--out", "runs/x"), options(workspace)).spawn();
  await epochs(workspace, child, 2);
  await kill("KILL", (await ranksOf(workspace))[1]!);
  assertNotEquals((await child.output()).code, 0);
  await assertNoOrphans(workspace);
  const rest = await run(workspace, launcher, 2, "finetune", ...many, "--out", "runs/x");
  assertEquals(rest.code, 0, rest.stderr);
  assertStringIncludes(rest.stdout, "Resuming after epoch");
  assertEquals(workspace.read("runs/x/latest.safetensors"), workspace.read("runs/whole/latest.safetensors"));
});

testRanks("a signal that reaches one rank stops all, with the state saved once", async (launcher) => {
  using workspace = workspaceWithToy();
  const child = launch(launcher, 2, program(2, "finetune", ...ENDLESS), options(workspace)).spawn();
  await epochs(workspace, child, 1);
  await kill("TERM", (await ranksOf(workspace))[1]!);
  const { code, stderr } = await child.output();
  const text = new TextDecoder().decode(stderr);
  assertNotEquals(code, 0);
  assertEquals(text.match(/the state is saved in .*\. Run the same command again to go on/g)?.length, 1, text);
  await assertNoOrphans(workspace);
});

testRanks("a rank that hangs is not waited for without end", async (launcher) => {
  using workspace = workspaceWithToy();
  const command = program(2, "finetune", ...ENDLESS, "--wait", "15");
  const child = launch(launcher, 2, command, options(workspace)).spawn();
  await epochs(workspace, child, 1);
  await kill("STOP", (await ranksOf(workspace))[1]!);
  const { code, stderr } = await child.output();
  assertNotEquals(code, 0);
  assertMatch(new TextDecoder().decode(stderr), /error: rank \d has waited 15 s for .*: a rank hangs, or is slower than that/);
  await assertNoOrphans(workspace);
});

testRanks("what is wrong is said in one line, and the exit code is not 0", async (launcher) => {
  using workspace = workspaceWithToy();
  const cases: [args: string[], says: string, env?: Record<string, string>][] = [
    [["finetune", ...ENDLESS, "--ranks", "3"], "--ranks is 3, and"],
    [["finetune", ...ENDLESS, "--set", "training.epoch=1", "--ranks", "2"], "training.epoch"],
    [
      ["finetune", ...ENDLESS, "--set", "data.batch_size=7", "--ranks", "2"],
      "data.batch_size is 7, which 2",
    ],
    [["finetune", ...ENDLESS, "--set", "data.labelled_path=data/none.h5", "--ranks", "2"], "data/none.h5"],
    [["finetune", ...ENDLESS, "--ranks", "2"], "is no library of MPI", { L2VIT_MPI: "/usr/bin/true" }],
    [["finetune", ...ENDLESS, "--ranks", "2"], "No library of MPI was found", { L2VIT_MPI: "/nonexistent/libmpi.so" }],
  ];
  for (const [args, says, env = {}] of cases) {
    const outcome = await runRanks(launcher, 2, ["deno task --quiet mpi", ...args].join(" "), options(workspace, { env }));
    assertNotEquals(outcome.code, 0);
    // without a library no rank knows of another: each may say it
    const said = "L2VIT_MPI" in env ? [...new Set(errors(outcome))] : errors(outcome);
    assertEquals(said.length, 1, `${args.join(" ")}: ${outcome.stderr}`);
    assertStringIncludes(said[0]!, says);
  }
  await assertNoOrphans(workspace);
});

testRanks("the folder is rank 0's: the others need none, and rank 0 says if it cannot write", async (launcher) => {
  using workspace = workspaceWithToy();
  using other = workspaceWithToy();
  Deno.removeSync(`${other.root}runs`);
  Deno.writeTextFileSync(`${other.root}runs`, "no folder");
  const script = `${workspace.root}rank.sh`;
  for (const rank of [0, 1]) {
    Deno.writeTextFileSync(
      script,
      `if [ "$OMPI_COMM_WORLD_RANK$PMI_RANK" = ${rank} ]; then export L2VIT_ROOT=${other.root}; fi\nexec "$@"\n`,
    );
    const args = ["finetune", ...FINETUNE, ...set("training.max_steps=2"), "--out", "runs/x"];
    const outcome = await runRanks(launcher, 2, `sh ${script} ${program(2, ...args)}`, options(workspace));
    if (rank === 1) assertEquals(outcome.code, 0, outcome.stderr);
    else {
      assertNotEquals(outcome.code, 0);
      assertEquals(errors(outcome).length, 1, outcome.stderr);
      assertStringIncludes(errors(outcome)[0]!, "runs");
    }
  }
});
