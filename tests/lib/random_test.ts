import { assert, assertEquals } from "@std/assert";
import { philox, Random } from "../../lib/random.ts";

Deno.test("philox() gives the published known answers", () => {
  // Random123, kat_vectors: philox4x32 with 10 rounds
  const hex = (words: Uint32Array) => Array.from(words, (word) => word.toString(16).padStart(8, "0")).join(" ");
  assertEquals(hex(philox([0, 0, 0, 0], [0, 0])), "6627e8d5 e169c58d bc57ac4c 9b00dbd8");
  const ones = 0xffffffff;
  assertEquals(hex(philox([ones, ones, ones, ones], [ones, ones])), "408f276d 41c83b0e a20bc7c6 6d5451fd");
  assertEquals(
    hex(philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])),
    "d16cfe09 94fdcceb 5001e420 24126ea1",
  );
});

Deno.test("Random.normal() has mean 0 and deviation 1", () => {
  const random = new Random(1, 1);
  const values = Array.from({ length: 20_000 }, () => random.normal());
  const mean = values.reduce((a, b) => a + b) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
  assert(Math.abs(mean) < 0.03);
  assert(Math.abs(deviation - 1) < 0.02);
});

Deno.test("Random.shuffle() keeps every element and depends on the sequence number", () => {
  const order = (sequence: number) => [...new Random(3, 2, sequence).shuffle(Uint32Array.from({ length: 50 }, (_, i) => i))];
  assertEquals(order(1).toSorted((a, b) => a - b), Array.from({ length: 50 }, (_, i) => i));
  assert(order(1).join() !== order(2).join());
  assertEquals(order(1), order(1));
});
