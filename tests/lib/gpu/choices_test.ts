/** @file The memory of which variants are used. */

import { assertEquals } from "@std/assert";
import { Choices } from "../../../lib/gpu/choices.ts";

const VARIANTS = ["plain", "tiled"];
const name = (variant: string) => variant;

Deno.test("choose() takes the first variant for a question without an answer, and notes the question", () => {
  const choices = new Choices<number>();
  assertEquals(choices.choose("8 x 8", VARIANTS, name, 8), "plain");
  assertEquals(choices.open, [{ question: "8 x 8", details: 8 }]);
  assertEquals(choices.taken, {});
});

Deno.test("choose() takes the variant of the answer, and notes that it was used", () => {
  const choices = new Choices<number>();
  choices.answer({ "8 x 8": "tiled", "9 x 9": "plain" });
  assertEquals(choices.choose("8 x 8", VARIANTS, name, 8), "tiled");
  assertEquals(choices.open, []);
  assertEquals(choices.taken, { "8 x 8": "tiled" });
});

Deno.test("choose() takes an answer that names no variant for none, whatever it is", () => {
  for (const answer of ["", "__proto__", "vectorised"]) {
    const choices = new Choices<number>();
    choices.answer({ "8 x 8": answer });
    assertEquals(choices.choose("8 x 8", VARIANTS, name, 8), "plain");
    assertEquals(choices.open.length, 1);
  }
});

Deno.test("answer() forgets what was asked before", () => {
  const choices = new Choices<number>();
  choices.answer({ "8 x 8": "tiled" });
  choices.choose("8 x 8", VARIANTS, name, 8);
  choices.choose("9 x 9", VARIANTS, name, 9);
  choices.answer({});
  assertEquals([choices.taken, choices.open], [{}, []]);
});
