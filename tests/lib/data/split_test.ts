import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { sha256 } from "../../../lib/data/fingerprint.ts";
import { divide, randomSplit, type Split, stratifiedFolds, stratifiedSplit } from "../../../lib/data/split.ts";

const fixture = (name: string) => JSON.parse(Deno.readTextFileSync(new URL(`../../fixtures/${name}`, import.meta.url)));
const golden = fixture("split.json");

for (const name of ["small", "big"]) {
  Deno.test(`stratifiedSplit() is scikit-learn's split, index for index (${name})`, () => {
    const { labels, seed, train, val, test } = golden[name];
    const split = stratifiedSplit(labels, seed);
    assertEquals([...split.train], train);
    assertEquals([...split.val], val);
    assertEquals([...split.test], test);
  });
}

for (const { images, modulus, seed, ...hashes } of fixture("split/large.json")) {
  Deno.test(`stratifiedSplit() is scikit-learn's for ${images} images, their squares modulo ${modulus} as classes`, async () => {
    const labels = Float64Array.from({ length: images }, (_, i) => i * i % modulus);
    const split = stratifiedSplit(labels, seed);
    for (const part of ["train", "val", "test"] as const) assertEquals(await sha256(bytesOf(split[part])), hashes[part], part);
  });
}

for (const { labels, folds, seed, parts } of fixture("split/folds.json")) {
  Deno.test(`stratifiedFolds() is scikit-learn's StratifiedKFold (${labels.length} images, ${folds} parts)`, () => {
    assertEquals([...stratifiedFolds(labels, folds, seed)], parts);
  });
}

Deno.test("divide() has each image for testing in one part of a cross-validation, and divides all images each time", () => {
  const labels = Float64Array.from({ length: 97 }, (_, i) => i % 3 === 0 ? 1 : 0);
  const divisions = [0, 1, 2, 3, 4].map((fold) => divide(labels, { seed: 42, fold: [fold, 5] }));
  assertEquals(divisions.flatMap(({ test }) => [...test]).toSorted((a, b) => a - b), [...labels.keys()]);
  for (const division of divisions) assertEquals(new Set(partsOf(division).flatMap((part) => [...part])).size, 97);
  assertThrows(() => divide(labels, { seed: 42, fold: [0, 40] }), RangeError, "class 1 has 33 images");
});

Deno.test("stratifiedSplit() divides images of one class", () => {
  const split = stratifiedSplit(new Float64Array(400), 42);
  assertEquals(partsOf(split).map(({ length }) => length), [280, 40, 80]);
  assertEquals(new Set(partsOf(split).flatMap((part) => [...part])).size, 400);
});

Deno.test("stratifiedSplit() refuses a class with too few images, as scikit-learn does, and names it with its count", () => {
  const refused = (counts: readonly number[]) => {
    const labels = counts.flatMap((count, label) => new Array<number>(count).fill(label));
    return assertThrows(() => stratifiedSplit(labels, 42), RangeError).message;
  };
  assertEquals(
    refused([500, 1]),
    "Cannot divide the images: class 1 has 1 image; a class needs 2 to be divided. Add images of class 1, or remove it",
  );
  assertStringIncludes(refused([2, 2, 7]), "class 0 has 2 images, of which 1 is left for training and validation");
  assertStringIncludes(refused([3, 3]), "6 images of 2 classes");
  assertStringIncludes(refused([2]), "class 0 has 2 images");
  assertStringIncludes(refused([]), "0 images of 0 classes");
});

Deno.test("randomSplit() covers every image once", () => {
  const { train, val } = randomSplit(1000, 42);
  assertEquals(val.length, 50);
  assertEquals(new Set([...train, ...val]).size, 1000);
});

function partsOf({ train, val, test }: Split): Uint32Array[] {
  return [train, val, test];
}

function bytesOf(numbers: Uint32Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Uint32Array.from(numbers).buffer);
}
