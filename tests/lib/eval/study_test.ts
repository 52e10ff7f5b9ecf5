import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { compareStudies, spreadOf, studentQuantile } from "../../../lib/eval/study.ts";
import { TestResults } from "../../../lib/eval/test_results.ts";
import { Random } from "../../../lib/random.ts";

Deno.test("studentQuantile() is scipy's t.ppf(0.975, n)", () => {
  const expected = { 1: 12.706204736, 2: 4.302652730, 3: 3.182446305, 4: 2.776445105, 9: 2.262157163, 30: 2.042272456 };
  for (const [freedom, value] of Object.entries(expected)) assertAlmostEquals(studentQuantile(Number(freedom)), value, 1e-8);
});

Deno.test("spreadOf() gives mean, deviation and interval of the values that are defined", () => {
  const { members, mean, deviation, interval } = spreadOf([1, 2, null, 3]);
  assertEquals([members, mean, deviation], [3, 2, 1]);
  assertAlmostEquals(interval![1] - 2, 4.302652730 / Math.sqrt(3), 1e-8);
  assertEquals(spreadOf([null]), { members: 0, mean: null, deviation: null, interval: null });
  // no background passes for any of them
  assertEquals(spreadOf([Infinity, Infinity, 3]), { members: 3, mean: Infinity, deviation: null, interval: null });
  assertEquals(spreadOf([5]), { members: 1, mean: 5, deviation: null, interval: null });
});

/** Results on 300 images, right with a probability, and masses off by some GeV. */
function results(right: number, error: number, seed: number): TestResults {
  const random = new Random(seed, 80), made = new TestResults(2, 300);
  for (let i = 0; i < 300; i++) {
    const label = i % 2, says = random.uniform() < right ? label : 1 - label;
    const mass = 100 + i, score = 0.5 + (says - 0.5) * random.uniform();
    made.add({ class: says, probabilities: [1 - score, score], mass: mass + error * random.normal() }, label, mass);
  }
  return made;
}

Deno.test("compareStudies() finds a difference that is there, and none where there is none", () => {
  const pairs = (right: number) => [1, 2, 3, 4, 5].map((seed) => [results(0.9, 10, seed), results(right, 10, seed + 50)] as const);
  const images = ["a", "a", "a", "a", "a"];
  const better = compareStudies(pairs(0.75), images, 1)["accuracy"]!, same = compareStudies(pairs(0.9), images, 1)["accuracy"]!;
  assertAlmostEquals(better.difference, 0.15, 0.04);
  assert(better.p! < 0.01 && better.interval![0] > 0, `p ${better.p}, interval ${better.interval}`);
  assert(same.interval![0] < 0 && same.interval![1] > 0, `interval ${same.interval}`);
  const itself = results(0.8, 10, 1);
  assertEquals(compareStudies([[itself, itself]], ["a"], 1)["mass_mae"], { difference: 0, interval: [0, 0], p: 1 });
  const perfect = results(1, 10, 1), infinite = compareStudies([[perfect, perfect]], ["a"], 1)["background_rejection"];
  assertEquals(infinite, { difference: 0, interval: [0, 0], p: 1 });
});
