import { assertAlmostEquals } from "@std/assert";
import { learningRateFactor } from "../../../lib/train/schedule.ts";

const golden: { warmup: number; total: number; factors: number[] }[] = JSON.parse(
  Deno.readTextFileSync(new URL("../../fixtures/schedule.json", import.meta.url)),
);

for (const { warmup, total, factors } of golden) {
  Deno.test(`learningRateFactor() warms up for ${warmup} of ${total} epochs, then follows the cosine`, () => {
    factors.forEach((factor, epoch) => assertAlmostEquals(learningRateFactor(epoch, warmup, total), factor, 1e-12));
  });
}
