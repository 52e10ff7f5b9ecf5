/** @file Elementary functions beside those of the engine, which are right but not everywhere to the last bit. */

import { assert, assertEquals } from "@std/assert";
import { cos, cosAndSin, exp, log, power } from "../../lib/elementary.ts";
import { philox } from "../../lib/random.ts";

/** 20,000 numbers in [0, 1), the same in every engine. */
const UNIFORM = Float64Array.from({ length: 20_000 }, (_, i) => philox([i, 0, 0, 0], [1, 2])[0]! / 2 ** 32);

/** Distance in units of the last place of the second. */
function unitsBetween(a: number, b: number): number {
  const next = new Float64Array([Math.abs(b)]);
  new BigUint64Array(next.buffer)[0]! += 1n;
  return a === b ? 0 : Math.abs(a - b) / (next[0]! - Math.abs(b));
}

Deno.test("exp(), log() and cosAndSin() are within two units in the last place of the engine's", () => {
  for (const u of UNIFORM) {
    for (const x of [-40 * u, 1418 * (u - 0.5)]) assert(unitsBetween(exp(x), Math.exp(x)) <= 2, `exp(${x})`);
    for (const x of [u, 1 + u / 1000, 2 ** (2000 * (u - 0.5))]) assert(unitsBetween(log(x), Math.log(x)) <= 3, `log(${x})`);
    const angle = 2 * Math.PI * u;
    const [cosine, sine] = cosAndSin(angle);
    assert(Math.abs(cosine - Math.cos(angle)) <= 2 ** -52 && Math.abs(sine - Math.sin(angle)) <= 2 ** -52, `angle ${angle}`);
  }
});

Deno.test("elementary functions are right where they begin and end", () => {
  assertEquals([0, -Infinity, Infinity, NaN, -745, 709.78, 710, -746].map(exp), [
    1,
    0,
    Infinity,
    NaN,
    5e-324,
    Math.exp(709.78),
    Infinity,
    0,
  ]);
  assertEquals([1, 0, -1, Infinity, NaN, 5e-324].map(log), [0, -Infinity, NaN, Infinity, NaN, Math.log(5e-324)]);
  assertEquals([0, Math.PI, 2 * Math.PI].map(cos), [1, -1, 1]);
  assertEquals([power(0.9, 0), power(0.9, 1), power(0.5, 10), power(0, 0), power(1, 1e6)], [1, 0.9, 2 ** -10, 1, 1]);
});

Deno.test("elementary functions have the same bits in every engine", async () => {
  const values = Float64Array.from(UNIFORM, (u) => exp(-20 * u) + log(u + 1e-9) + cos(7 * u) * cosAndSin(5 * u)[1] + power(u, 9));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", values));
  assertEquals(hash.toHex().slice(0, 16), "4bb140c7fce5734f");
});
