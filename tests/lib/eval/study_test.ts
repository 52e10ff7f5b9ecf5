import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { compareStudies, type MemberPair } from "../../../lib/eval/compare_studies.ts";
import { spreadOf, studentQuantile } from "../../../lib/eval/spread.ts";
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

Deno.test("spreadOf() takes backbones and ways of finetuning as two crossed effects", () => {
  // two backbones that differ by 10 in each of three ways: the mean is known from two numbers, 15 and 5
  const backbones = spreadOf([14, 15, 16, 4, 5, 6], [1, 1, 1, 2, 2, 2]).interval!;
  assertAlmostEquals(backbones[1] - 10, 12.706204736 * Math.sqrt((150 + 2) / 6), 1e-7);
  // backbones that are alike add nothing: three numbers, 10, 12 and 14
  const ways = spreadOf([10, 12, 14, 10, 12, 14], [1, 1, 1, 2, 2, 2]).interval!;
  assertAlmostEquals(ways[1] - 12, 4.302652730 * Math.sqrt(8 / 6), 1e-7);
  // of one backbone it is Student's interval, of any labels
  assertEquals(spreadOf([1, 2, 4], [1, 1, 1]), spreadOf([1, 2, 4]));
  assertEquals(spreadOf([1, 2, null, 4], [1, 1, 2, 2]).interval, null);
  assertEquals(spreadOf([3, 3, 3, 3], [1, 1, 2, 2]).interval, [3, 3]);
});

Deno.test("spreadOf() of backbones and ways holds the true mean in 95 of 100 studies, and Student's interval would not", () => {
  const random = new Random(7, 81), studies = 2000, labels = [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3];
  const held = { crossed: 0, plain: 0 };
  for (let i = 0; i < studies; i++) {
    const backbones = [0, 0, 0].map(() => random.normal()), ways = [0, 0, 0, 0].map(() => random.normal());
    const values = labels.map((label, j) => backbones[label - 1]! + ways[j % 4]! + 0.5 * random.normal());
    const holds = ([low, high]: readonly [number, number]) => low < 0 && high > 0 ? 1 : 0;
    held.crossed += holds(spreadOf(values, labels).interval!);
    held.plain += holds(spreadOf(values).interval!);
  }
  assert(held.crossed / studies > 0.94, `crossed: ${held.crossed / studies}`);
  assert(held.plain / studies < 0.85, `plain: ${held.plain / studies}`);
});

/** Pairs of members that began with the same weights. */
function pairsOf(results: readonly (readonly [TestResults, TestResults])[]): MemberPair[] {
  return results.map(([first, second], i) => ({ first, second, images: "a", backbone: "", way: String(i) }));
}

/** Results on 300 images, right with a probability, and masses off by some GeV. */
function results(right: number, error: number, seed: number): TestResults {
  const random = new Random(seed, 80), made = new TestResults(2, 300);
  for (let i = 0; i < 300; i++) {
    const label = i % 2, says = random.uniform() < right ? label : 1 - label;
    const mass = 100 + i, score = 0.5 + (says - 0.5) * random.uniform();
    made.add({ class: says, probabilities: [1 - score, score], targets: [mass + error * random.normal()] }, label, [mass]);
  }
  return made;
}

Deno.test("compareStudies() finds a difference that is there, and none where there is none", () => {
  const pairs = (right: number) => [1, 2, 3, 4, 5].map((seed) => [results(0.9, 10, seed), results(right, 10, seed + 50)] as const);
  const better = compareStudies(pairsOf(pairs(0.75)), 1)["accuracy"]!, same = compareStudies(pairsOf(pairs(0.9)), 1)["accuracy"]!;
  assertAlmostEquals(better.difference, 0.15, 0.04);
  assert(better.p! < 0.01 && better.interval![0] > 0, `p ${better.p}, interval ${better.interval}`);
  assert(same.interval![0] < 0 && same.interval![1] > 0, `interval ${same.interval}`);
  const itself = results(0.8, 10, 1);
  assertEquals(compareStudies(pairsOf([[itself, itself]]), 1)["mass_mae"], { difference: 0, interval: [0, 0], p: 1 });
  const perfect = results(1, 10, 1), infinite = compareStudies(pairsOf([[perfect, perfect]]), 1)["background_rejection"];
  assertEquals(infinite, { difference: 0, interval: [0, 0], p: 1 });
});

Deno.test("compareStudies() knows less of two backbones than of as many members that have nothing in common", () => {
  const made = [0.7, 0.9].flatMap((right, backbone) =>
    [1, 2, 3, 4].map((way) => ({
      backbone,
      way,
      pair: [results(right, 10, 10 * backbone + way), results(0.8, 10, way + 50)] as const,
    }))
  );
  const crossed = made.map(({ backbone, way, pair: [first, second] }): MemberPair => {
    return { first, second, images: "a", backbone: String(backbone), way: String(way) };
  });
  const wide = compareStudies(crossed, 1)["accuracy"]!,
    narrow = compareStudies(pairsOf(made.map(({ pair }) => pair)), 1)["accuracy"]!;
  assertEquals(wide.difference, narrow.difference);
  const width = ({ interval }: typeof wide) => interval![1] - interval![0];
  assert(width(wide) > 1.3 * width(narrow), `${width(wide)} and ${width(narrow)}`);
});
