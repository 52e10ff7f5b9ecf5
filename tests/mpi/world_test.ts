/** @file Processes that mpirun has started: what they tell one another, what they compute together, and how they end. */

import { assertEquals, assertNotEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { sharedAdapters } from "../../lib/cli/ranks.ts";
import { MpiError, NOT_FOUND, openLibrary } from "../../lib/mpi/library.ts";
import { temporaryFolder } from "../support/files.ts";
import { testGpu } from "../support/gpu.ts";
import { type Launcher, libraryOf, type Outcome, runRanks, testRanks } from "../support/mpi.ts";
import { assertAgree, train, type Trained } from "../support/parts.ts";
import { hashOf, numbersOf, TRAINED } from "./rank.ts";

const SCRIPT = new URL("./rank.ts", import.meta.url).pathname;

interface Facts {
  readonly rank: number;
  readonly size: number;
  readonly node: string;
  readonly version: string;
  readonly sums: string;
  readonly word: string;
  readonly gathered: number[];
}

async function run(launcher: Launcher, deeds: string, ranks: number, patience = 120, file = "/nonexistent"): Promise<Outcome> {
  const path = await libraryOf(launcher);
  const permissions = `--allow-run --allow-env=XDG_RUNTIME_DIR --allow-write=${file} --allow-ffi=${path}`;
  const program = `deno run --quiet --no-check ${permissions} ${SCRIPT} ${deeds} ${path} ${ranks} ${patience} ${file}`;
  return await runRanks(launcher, ranks, program);
}

function assertFacts(facts: readonly Facts[], launcher: Launcher, ranks: number): void {
  assertEquals(facts.map(({ rank, size }) => [rank, size]), Array.from({ length: ranks }, (_, rank) => [rank, ranks]));
  const all = Array.from({ length: ranks }, (_, rank) => numbersOf(rank));
  const sums = all[0]!.map((first, i) => 0.5 * all.slice(1).reduce((sum, numbers) => Math.fround(sum + numbers[i]!), first));
  for (const { sums: found, word, gathered, version, node } of facts) {
    assertEquals(found, hashOf(sums));
    assertEquals(word, "hello");
    assertEquals(gathered, Array.from({ length: ranks }, (_, rank) => [rank, 10 * rank]).flat());
    assertStringIncludes(version, launcher.name);
    assertNotEquals(node, "");
  }
}

/** What one process computes with the images of a batch in so many groups; launchers are compared with the same numbers. */
const alone = new Map<string, Promise<Trained>>();
function computeAlone(name: string, groups: number): Promise<Trained> {
  const key = `${name} ${groups}`;
  const trained = alone.get(key) ?? testGpu().then((gpu) => train(gpu, name, { groups }));
  alone.set(key, trained);
  return trained;
}

for (const ranks of [2, 4]) {
  testRanks(
    `${ranks} ranks know one another, add up in the order of their numbers, and train what one process trains in ${ranks} groups`,
    async (launcher) => {
      using folder = temporaryFolder();
      const file = `${folder.path}/trained.json`;
      const { code, stdout, stderr } = await run(launcher, "calls,train", ranks, 120, file);
      assertEquals(code, 0, stderr);
      const lines = stdout.trim().split("\n").filter((line) => line.startsWith("{"));
      assertFacts(lines.map((line): Facts => JSON.parse(line)).toSorted((a, b) => a.rank - b.rank), launcher, ranks);
      const methods: Record<string, Record<string, number[]>> = JSON.parse(Deno.readTextFileSync(file));
      assertEquals(Object.keys(methods), [...TRAINED]);
      for (const [name, numbers] of Object.entries(methods)) {
        const trained = Object.entries(numbers).map(([what, values]) => [what, Float32Array.from(values)] as const);
        assertAgree(Object.fromEntries(trained), await computeAlone(name, ranks));
      }
    },
    // the device is kept for the next test
    { sanitizeResources: false },
  );
}

testRanks("a rank that never comes is not waited for longer than patience lasts, and timers go on meanwhile", async (launcher) => {
  const { code, stdout, stderr } = await run(launcher, "wait", 2, 2);
  assertNotEquals(code, 0);
  assertStringIncludes(stdout, JSON.stringify({ rank: 0, turns: 5 }));
  assertStringIncludes(stderr, "waited too long for the others");
});

for (const deed of ["fail", "die"]) {
  testRanks(`one rank that ${deed}s ends all, and the launcher tells`, async (launcher) => {
    const { code, stdout } = await run(launcher, deed, 3);
    assertNotEquals(code, 0);
    assertEquals(stdout.includes("done"), false, "a rank has gone on");
  });
}

Deno.test("no library, and a file that is none, are named with what to do", () => {
  assertThrows(() => openLibrary(NOT_FOUND), MpiError, "No library of MPI was found. Install one");
});

Deno.test("ranks of one machine whose GPUs have one name are warned that it may be one GPU", () => {
  const warnings = sharedAdapters([["a", "H100"], ["b", "H100"], ["a", "H100"], ["b", ""], ["b", ""]]);
  assertEquals(warnings.length, 1);
  assertStringIncludes(warnings[0]!, "Warning: ranks 0, 2 run on H100 of a, which is one GPU unless each was given its own");
});
