/** @file Dropout and drop path: shares, scales, and the same draws forward and backward. */

import { assert, assertEquals } from "@std/assert";
import { philox } from "../../lib/random.ts";
import { dropout, residual } from "../../lib/tensor/ops/dropout.ts";
import { residualNorm, type RowWorker } from "../../lib/tensor/ops/layer_norm.ts";
import { Parameters } from "../../lib/tensor/parameters.ts";
import { createStep, writeStep } from "../../lib/tensor/step.ts";
import { Tape } from "../../lib/tensor/tape.ts";
import { read } from "../../lib/tensor/tensor.ts";
import { assertClose } from "../support/fixtures.ts";
import { gpuTest } from "../support/gpu.ts";
import { keep, placed, randoms } from "../support/ops.ts";

gpuTest("dropout() leaves out its share, scales the rest, and draws what the host's generator draws", async (gpu) => {
  const size = 40_003, rate = 0.3;
  const step = createStep(gpu);
  writeStep(gpu, step, { seed: 9, step: 2 });
  const x = placed(gpu, "x", [1, size], new Float32Array(size).fill(1));
  const tape = new Tape(gpu, { training: true, step });
  tape.watch(x);
  const y = dropout(tape, x, rate);
  tape.replaceGradient(y, x);
  tape.backward();
  const kept = [keep(tape, y), keep(tape, tape.gradient(x)!)];
  tape.compile({ poison: true }).run();
  const [forward, backward] = await Promise.all(kept.map((tensor) => read(gpu, tensor)));
  assertEquals(forward, backward);
  const expected = Float32Array.from({ length: size }, (_, i) => {
    const word = philox([i >> 2, 0, 2, 0], [9, 0])[i % 4]!;
    return (word >>> 8) * 2 ** -24 >= rate ? 1 / (1 - rate) : 0;
  });
  assert(forward!.every((value, i) => Math.abs(value - expected[i]!) < 1e-6));
  const share = forward!.filter((value) => value === 0).length / size;
  assert(Math.abs(share - rate) < 0.01, `share left out: ${share}`);
});

gpuTest("residual() drops the branch of whole images", async (gpu) => {
  const [images, perImage, path] = [2000, 6, 0.25];
  const step = createStep(gpu);
  writeStep(gpu, step, { seed: 9, step: 0 });
  const ones = placed(gpu, "branch", [images, perImage], new Float32Array(images * perImage).fill(1));
  const tape = new Tape(gpu, { training: true, step });
  const y = keep(tape, residual(tape, ones, ones, { path }));
  tape.compile({ poison: true }).run();
  const values = await read(gpu, y);
  let dropped = 0;
  for (let i = 0; i < images; i++) {
    const row = values.subarray(i * perImage, (i + 1) * perImage);
    assert(row.every((value) => value === row[0]));
    assert(row[0] === 1 || Math.abs(row[0]! - 1 - 1 / (1 - path)) < 1e-6);
    if (row[0] === 1) dropped++;
  }
  assert(Math.abs(dropped / images - path) < 0.04, `share dropped: ${dropped / images}`);
});

gpuTest("dropout() does nothing when predicting", (gpu) => {
  const x = placed(gpu, "x", [1, 4], [1, 2, 3, 4]);
  assertEquals(dropout(new Tape(gpu, { training: false }), x, 0.5), x);
  return Promise.resolve();
});

for (const dim of [8, 6]) {
  gpuTest(`residualNorm() in one pass drops what residual() drops, in ${dim} columns`, async (gpu) => {
    const shape = [5, 3, dim], size = 15 * dim;
    const step = createStep(gpu);
    writeStep(gpu, step, { seed: 9, step: 1 });
    const values = randoms(size, 1);
    const [x, branch] = [placed(gpu, "x", shape, values), placed(gpu, "branch", shape, randoms(size, 2))];
    const parameters = new Parameters(gpu, [
      { name: "n.weight", shape: [dim], initial: randoms(dim, 3) },
      { name: "n.bias", shape: [dim], initial: randoms(dim, 4) },
    ]);
    const run = async (by: RowWorker) => {
      const tape = new Tape(gpu, { training: true, step });
      const rates = { dropout: 0.2, path: 0.3 };
      const { sum, normed } = residualNorm(tape, x, branch, rates, parameters.get("n.weight"), parameters.get("n.bias"), {
        by,
      });
      const kept = [keep(tape, sum), keep(tape, normed)] as const;
      tape.compile({ poison: true }).run();
      return { sum: await read(gpu, kept[0]), normed: await read(gpu, kept[1]) };
    };
    const inOne = await run("workgroup"), inTwo = await run("invocation");
    assertClose(inOne.sum, Float64Array.from(inTwo.sum), "sum", 1e-6);
    assertClose(inOne.normed, Float64Array.from(inTwo.normed), "normalised sum", 1e-5);
    assert(inOne.sum.some((value, i) => value === values[i]), "nothing was dropped");
  });
}
