/** @file The soak tells a leak from noise. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { evaluateSoak, type SoakSample } from "./soak.ts";
import { Workspace } from "../support/tasks.ts";

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

Deno.test("evaluateSoak() accepts memory that wanders and does not grow", () => {
  const { problems, steps } = evaluateSoak(rounds());
  assertEquals(problems, []);
  assertEquals(steps, 400);
});

Deno.test("evaluateSoak() gives the slope of memory that grows, and refuses it", () => {
  const { problems, slope, growth } = evaluateSoak(rounds((i) => ({ resident: (300 + 3 * i) * MIB })));
  assert(Math.abs(slope / MIB - 180) < 1e-6);
  assert(Math.abs(growth / MIB - 57) < 1e-6);
  assertStringIncludes(problems.join(), "memory grew by 57 MiB over the second half, with a standard error of 0");
});

Deno.test("evaluateSoak() says nothing of growth that the scatter of few rounds explains", () => {
  // what is given back late by as many runs as the test below makes
  const resident = [389, 347, 421, 352, 398, 361, 443, 380, 455, 401];
  const few = rounds((i) => ({ resident: resident[i % 10]! * MIB })).slice(0, 20);
  assert(evaluateSoak(few).growth > 40 * MIB);
  assertEquals(evaluateSoak(few).problems, []);
  const leak = few.map((sample, i) => ({ ...sample, resident: sample.resident + 20 * i * MIB }));
  assertStringIncludes(evaluateSoak(leak).problems.join(), "memory grew by");
});

Deno.test("evaluateSoak() refuses buffers that are left over, rounds that become slow, and too few rounds", () => {
  const leak = rounds((i) => i === 30 ? { buffers: 1, bufferBytes: 64 } : {});
  assertStringIncludes(evaluateSoak(leak).problems.join(), "1 buffers (64 bytes) are left");
  assertStringIncludes(evaluateSoak(rounds((i) => ({ stepsPerSecond: 20 - i / 3 }))).problems.join(), "times the speed");
  assertStringIncludes(evaluateSoak(rounds().slice(0, 3)).problems.join(), "only 3 rounds");
});

Deno.test("deno task soak finds no leak in twenty runs", async () => {
  using workspace = new Workspace();
  const { code, stdout } = await workspace.task("soak", "--rounds", "20", "--json");
  const { samples, problems }: { samples: SoakSample[]; problems: string[] } = JSON.parse(stdout);
  // how fast the last rounds are is a matter of what else the machine does
  const leaks = problems.filter((problem) => !problem.includes("times the speed"));
  assertEquals([leaks, code], [[], problems.length > 0 ? 1 : 0]);
  assertEquals(samples.length, 20);
  assert(samples.every(({ buffers, steps }) => buffers === 0 && steps > 0));
});
