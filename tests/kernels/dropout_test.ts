/** @file Dropout and drop path: shares, scales, and the same draws forward and backward. */

import { assert, assertEquals } from "@std/assert";
import { philox } from "../../lib/random.ts";
import { dropout, residual } from "../../lib/tensor/ops/dropout.ts";
import { createStep, writeStep } from "../../lib/tensor/step.ts";
import { Tape } from "../../lib/tensor/tape.ts";
import { read } from "../../lib/tensor/tensor.ts";
import { gpuTest } from "../support/gpu.ts";
import { keep, placed } from "../support/ops.ts";

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
