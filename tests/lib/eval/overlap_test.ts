/** @file Images of a test set that weights were trained on, in their file and in others. */

import { assertEquals, assertThrows } from "@std/assert";
import { hashImages, parseTrainedOn, type TrainedOn } from "../../../lib/data/provenance.ts";
import { stratifiedSplit } from "../../../lib/data/split.ts";
import { seenImages } from "../../../lib/eval/overlap.ts";

const NONE = new Uint32Array(0);

/** Labelled images that are known by these check sums, divided with a seed. */
async function dataOf(checks: Uint32Array, seed = 42) {
  const labels = Array.from(checks, (check) => check % 2), split = stratifiedSplit(labels, seed);
  const [train, val, test] = [split.train.length, split.val.length, split.test.length];
  const { fingerprint, checks: kept } = await hashImages(checks, split);
  const shared = { path: "jets.h5", keys: {}, images: checks.length, seed, train, val, test };
  const trainedOn: TrainedOn = { ...shared, fingerprint, checks: kept, labels: fingerprint, split: "stratified" };
  return { trainedOn, checks, labels, split };
}

/** Check sums of different images. */
const images = (count: number, first = 0) => Uint32Array.from({ length: count }, (_, i) => 2654435761 * (first + i + 1) >>> 0);

Deno.test("seenImages() finds images trained on in files that hold some of them, in another order, or among others", async () => {
  const known = await dataOf(images(1000));
  const used = new Set([...known.split.train, ...known.split.val].map((image) => known.checks[image]));
  const others = {
    "the same file": known.checks,
    "some of them": known.checks.slice(300, 700),
    "all in another order": known.checks.toReversed(),
    "all twice": Uint32Array.of(...known.checks, ...known.checks),
    "among others": Uint32Array.of(...images(500, 5000), ...known.checks.subarray(0, 500)),
    "others": images(1000, 5000),
  };
  for (const [name, checks] of Object.entries(others)) {
    const data = await dataOf(checks, 7), { test } = data.split;
    const expected = test.filter((image) => used.has(checks[image])).length;
    assertEquals(seenImages([known.trainedOn], data, test), { labelled: expected, unlabelled: 0 }, name);
    assertEquals(expected > 0, name !== "others", name);
  }
});

Deno.test("seenImages() tells images that weights were pretrained on from those that they were finetuned on", async () => {
  const known = await dataOf(images(100)), data = await dataOf(images(200));
  const pretrained: TrainedOn = { ...known.trainedOn, split: "random", labels: null };
  const { unlabelled, labelled } = seenImages([pretrained], data, data.split.test);
  const used = new Set([...known.split.train, ...known.split.val]);
  assertEquals([unlabelled, labelled], [data.split.test.filter((image) => used.has(image)).length, 0]);
});

Deno.test("seenImages() knows no images of weights that earlier versions wrote, but in their own file", async () => {
  const { trainedOn: { checks: _, ...earlier } } = await dataOf(images(100)), part = await dataOf(images(80));
  assertEquals(seenImages([earlier], part, part.split.test), { labelled: 0, unlabelled: 0 });
});

Deno.test("images that hold nothing are alike in every file, and so is one by chance: neither has been seen", async () => {
  const empty = 0x811c9dc5, known = await dataOf(Uint32Array.of(...images(90), ...new Uint32Array(10).fill(empty)));
  const other = images(50, 5000).fill(empty, 0, 20), test = Uint32Array.from({ length: 50 }, (_, i) => i);
  assertEquals(seenImages([known.trainedOn], await dataOf(other), test), { labelled: 0, unlabelled: 0 });
  other[30] = known.checks[known.split.train.find((image) => image < 90)!]!;
  assertEquals(seenImages([known.trainedOn], await dataOf(other), test), { labelled: 0, unlabelled: 0 });
});

Deno.test("weights keep no more than 65,536 check sums, those of the same images in every file", async () => {
  const checks = images(100_000), all = Uint32Array.from(checks.keys());
  const kept = await hashImages(checks, { train: all, val: NONE });
  assertEquals(kept.checks.length, 4 * Math.ceil(65_536 * 4 / 3));
  const [train, val] = [all.toReversed().subarray(0, 50_000), all.toReversed().subarray(50_000)];
  assertEquals((await hashImages(checks, { train, val })).checks, kept.checks);
});

Deno.test("parseTrainedOn() refuses check sums that are none", async () => {
  const { trainedOn } = await dataOf(images(20));
  assertEquals(parseTrainedOn(JSON.stringify([trainedOn])), [trainedOn]);
  for (const checks of ["AAA", "?", 3, null, "AAAAAAA="]) {
    assertThrows(() => parseTrainedOn(JSON.stringify([{ ...trainedOn, checks }])), Error, "trained_on");
  }
});
