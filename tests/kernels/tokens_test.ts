/** @file Masks and masked tokens: what is drawn, taken and put back. */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Random } from "../../lib/random.ts";
import { fillMasked, randomMask, takeVisible } from "../../lib/tensor/ops/tokens.ts";
import { createStep, writeStep } from "../../lib/tensor/step.ts";
import { Tape } from "../../lib/tensor/tape.ts";
import { createTensor, write } from "../../lib/tensor/tensor.ts";
import type { Gpu } from "../../lib/gpu/device.ts";
import { gpuTest } from "../support/gpu.ts";
import { checkOp } from "../support/ops.ts";

const [BATCH, TOKENS, VISIBLE] = [3, 13, 4];

/** A mask that is known on the host too. */
function shuffled(gpu: Gpu) {
  const orders = Array.from({ length: BATCH }, (_, b) => {
    return new Random(1, 99, b).shuffle(Uint32Array.from({ length: TOKENS }, (_, n) => n));
  });
  const keep = createTensor(gpu, "keep", [BATCH, VISIBLE], "u32");
  const restore = createTensor(gpu, "restore", [BATCH, TOKENS], "u32");
  const places = orders.map((order) => Uint32Array.from(order, (_, n) => order.indexOf(n)));
  write(gpu, keep, Uint32Array.from(orders.flatMap((order) => [...order.subarray(0, VISIBLE)])));
  write(gpu, restore, Uint32Array.from(places.flatMap((place) => [...place])));
  return { mask: { keep, restore }, orders, places };
}

for (const dim of [5, 8]) {
  gpuTest(`takeVisible() takes the first tokens of the order, ${dim} values each, forward and backward`, async (gpu) => {
    const { mask, orders } = shuffled(gpu);
    await checkOp(gpu, {
      inputs: { x: [BATCH, TOKENS, dim] },
      record: (tape, { x }) => takeVisible(tape, x!, mask),
      reference: (a) =>
        Float64Array.from({ length: BATCH * VISIBLE * dim }, (_, i) => {
          const [b, place] = [Math.floor(i / dim / VISIBLE), Math.floor(i / dim) % VISIBLE];
          return a["x"]![(b * TOKENS + orders[b]![place]!) * dim + i % dim]!;
        }),
    });
  });

  gpuTest(`fillMasked() puts them back and fills the rest, ${dim} values each, forward and backward`, async (gpu) => {
    const { mask, places } = shuffled(gpu);
    await checkOp(gpu, {
      inputs: { x: [BATCH, VISIBLE, dim] },
      parameters: { mask_token: [1, 1, dim] },
      record: (tape, { x }, p) => fillMasked(tape, x!, p["mask_token"]!, mask),
      reference: (a) =>
        Float64Array.from({ length: BATCH * TOKENS * dim }, (_, i) => {
          const b = Math.floor(i / dim / TOKENS), place = places[b]![Math.floor(i / dim) % TOKENS]!;
          return place < VISIBLE ? a["x"]![(b * VISIBLE + place) * dim + i % dim]! : a["mask_token"]![i % dim]!;
        }),
    });
  });
}

gpuTest(
  "randomMask() draws a permutation for each image, another one each step, every token as often as any other",
  async (gpu) => {
    const [batch, tokens, visible, steps] = [64, 25, 6, 40];
    const step = createStep(gpu);
    const tape = new Tape(gpu, { training: true, step });
    const { keep, restore } = randomMask(tape, batch, tokens, visible);
    const plan = tape.compile({ poison: true });
    const read = async (x: typeof keep) => {
      const { buffer, offset } = plan.placeOf(x.storage);
      return new Uint32Array(await gpu.read(buffer, offset, x.storage.bytes));
    };
    const seen = new Float64Array(tokens);
    let last: Uint32Array | undefined;
    for (let s = 0; s < steps; s++) {
      writeStep(gpu, step, { seed: 7, step: s });
      plan.run();
      const [kept, places] = [await read(keep), await read(restore)];
      for (let b = 0; b < batch; b++) {
        const place = places.subarray(b * tokens, (b + 1) * tokens);
        assertEquals([...place].toSorted((a, b) => a - b), Array.from({ length: tokens }, (_, n) => n));
        kept.subarray(b * visible, (b + 1) * visible).forEach((n, i) => {
          assertEquals(place[n], i);
          seen[n] = seen[n]! + 1;
        });
      }
      if (last) assertNotEquals(last, places);
      last = places;
    }
    const expected = batch * steps * visible / tokens;
    // five standard deviations of a binomial count
    const most = 5 * Math.sqrt(expected * (1 - visible / tokens));
    assert(seen.every((count) => Math.abs(count - expected) < most), `visible ${seen.join(" ")}, expected ${expected}`);
  },
);
