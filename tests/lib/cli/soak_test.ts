/** @file The soak tells a leak from noise. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { judgeSoak, type SoakSample } from "../../../lib/cli/soak.ts";
import { succeed, Workspace } from "../../support/tasks.ts";

const MIB = 2 ** 20;
const rounds = (change: (i: number) => Partial<SoakSample> = () => ({})): SoakSample[] =>
  Array.from({ length: 40 }, (_, i) => ({
    minutes: i,
    steps: 10,
    stepsPerSecond: 20 + i % 3,
    resident: 300 * MIB + (i % 5) * 4 * MIB,
    heap: 8 * MIB,
    buffers: 0,
    bufferBytes: 0,
    ...change(i),
  }));

Deno.test("judgeSoak() accepts memory that wanders and does not grow", () => {
  const { problems, steps } = judgeSoak(rounds());
  assertEquals(problems, []);
  assertEquals(steps, 400);
});

Deno.test("judgeSoak() gives the slope of memory that grows, and refuses it", () => {
  const { problems, slope, growth } = judgeSoak(rounds((i) => ({ resident: (300 + 3 * i) * MIB })));
  assert(Math.abs(slope / MIB - 180) < 1e-6);
  assert(Math.abs(growth / MIB - 57) < 1e-6);
  assertStringIncludes(problems.join(), "memory grew by 57 MiB");
});

Deno.test("judgeSoak() refuses buffers that are left over, rounds that become slow, and too few rounds", () => {
  const leak = rounds((i) => i === 30 ? { buffers: 1, bufferBytes: 64 } : {});
  assertStringIncludes(judgeSoak(leak).problems.join(), "1 buffers (64 bytes) are left");
  assertStringIncludes(judgeSoak(rounds((i) => ({ stepsPerSecond: 20 - i / 3 }))).problems.join(), "times the speed");
  assertStringIncludes(judgeSoak(rounds().slice(0, 3)).problems.join(), "only 3 rounds");
});

Deno.test("deno task soak finds no leak in a minute of runs", async () => {
  using workspace = new Workspace();
  const { stdout } = await succeed(workspace, "soak", "--minutes", "1", "--json");
  const { samples, problems } = JSON.parse(stdout);
  assertEquals(problems, []);
  assert(samples.every(({ buffers, steps }: SoakSample) => buffers === 0 && steps > 0));
});
