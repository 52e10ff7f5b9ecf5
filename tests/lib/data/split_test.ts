import { assertEquals, assertThrows } from "@std/assert";
import { randomSplit, stratifiedSplit } from "../../../lib/data/split.ts";

const golden = JSON.parse(Deno.readTextFileSync(new URL("../../fixtures/split.json", import.meta.url)));

for (const name of ["small", "big"]) {
  Deno.test(`stratifiedSplit() is scikit-learn's split, index for index (${name})`, () => {
    const { labels, seed, train, val, test } = golden[name];
    const split = stratifiedSplit(labels, seed);
    assertEquals([...split.train], train);
    assertEquals([...split.val], val);
    assertEquals([...split.test], test);
  });
}

Deno.test("stratifiedSplit() refuses a class with one image", () => {
  assertThrows(() => stratifiedSplit([0, 0, 0, 0, 0, 1], 42), RangeError, "class 1 has 1 image");
});

Deno.test("randomSplit() covers every image once", () => {
  const { train, val } = randomSplit(1000, 42);
  assertEquals(val.length, 50);
  assertEquals(new Set([...train, ...val]).size, 1000);
});
