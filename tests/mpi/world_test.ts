/** @file Processes that mpirun has started: what they tell one another, and how they end. */

import { assertEquals, assertNotEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { MpiError, NOT_FOUND, openLibrary } from "../../lib/mpi/library.ts";
import { type Launcher, libraryOf, type Outcome, runRanks, testRanks } from "../support/mpi.ts";
import { hashOf, numbersOf } from "./rank.ts";

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

async function run(
  launcher: Launcher,
  deed: string,
  ranks: number,
  told = ranks,
  patience = 60,
  library?: string,
): Promise<Outcome> {
  const path = library ?? await libraryOf(launcher);
  const program = `deno run --quiet --no-check --allow-run --allow-ffi=${path} ${SCRIPT} ${deed} ${path} ${told} ${patience}`;
  return await runRanks(launcher, ranks, program);
}

for (const ranks of [1, 2, 3, 4]) {
  testRanks(`${ranks} ranks know one another, and add up in the order of their numbers`, async (launcher) => {
    const { code, stdout, stderr } = await run(launcher, "calls", ranks);
    assertEquals(code, 0, stderr);
    const facts = stdout.trim().split("\n").map((line): Facts => JSON.parse(line)).toSorted((a, b) => a.rank - b.rank);
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
  });
}

testRanks("a rank that never comes is not waited for longer than patience lasts, and timers go on meanwhile", async (launcher) => {
  const { code, stdout, stderr } = await run(launcher, "wait", 2, 2, 2);
  assertNotEquals(code, 0);
  assertStringIncludes(stdout, JSON.stringify({ rank: 0, turns: 5 }));
  assertStringIncludes(stderr, "waited too long for the others");
});

for (const deed of ["fail", "die"]) {
  testRanks(`one rank that ${deed}s ends all, and the launcher tells`, async (launcher) => {
    const { code, stdout } = await run(launcher, deed, 3);
    assertNotEquals(code, 0);
    assertEquals(stdout.includes("null"), false, "a rank has gone on");
  });
}

testRanks("a number of ranks that is not the launcher's is refused", async (launcher) => {
  const { code, stderr } = await run(launcher, "calls", 2, 3);
  assertNotEquals(code, 0);
  assertStringIncludes(stderr, "--ranks is 3, and ");
  assertStringIncludes(stderr, "knows of 2 ranks. Use --ranks 2, or start 3 processes");
});

testRanks("the library of another launcher is refused", async (launcher) => {
  const others = { "Open MPI": "libmpich.so.12", "MPICH": "libmpi.so.40" };
  const own = await libraryOf(launcher);
  const other = own.replace(/[^/]+$/, others[launcher.name]);
  if (!exists(other)) return console.log(`Not run: ${other} is not installed`);
  const { code, stderr } = await run(launcher, "calls", 2, 2, 60, other);
  assertNotEquals(code, 0);
  assertStringIncludes(stderr, "knows of 1 rank. Either nothing started 2 processes");
  assertStringIncludes(stderr, "set L2VIT_MPI to the one that does");
});

Deno.test("no library, and a file that is none, are named with what to do", () => {
  assertThrows(() => openLibrary(NOT_FOUND), MpiError, "No library of MPI was found. Install one");
});

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
