/** @file AdamW and clipping against PyTorch's formulas, and what happens to a step that is not finite. */

import { assertEquals } from "@std/assert";
import type { Gpu } from "../../lib/gpu/device.ts";
import { AdamW } from "../../lib/tensor/ops/adamw.ts";
import { linear } from "../../lib/tensor/ops/linear.ts";
import { smoothL1 } from "../../lib/tensor/ops/losses.ts";
import { Parameters } from "../../lib/tensor/parameters.ts";
import { createStep, writeStep } from "../../lib/tensor/step.ts";
import { Tape } from "../../lib/tensor/tape.ts";
import { createTensor, read } from "../../lib/tensor/tensor.ts";
import { assertClose } from "../support/fixtures.ts";
import { gpuTest } from "../support/gpu.ts";
import { placed, randoms } from "../support/ops.ts";

/** A linear model whose gradient on its weight is known: d loss / d w = x clamped difference / B. */
function problem(gpu: Gpu, x: Float32Array, weight: Float32Array, clipNorm: number) {
  const dim = weight.length;
  const parameters = new Parameters(gpu, [
    { name: "w.weight", shape: [1, dim], initial: weight },
    { name: "w.bias", shape: [1], initial: Float32Array.of(0) },
    { name: "unused", shape: [3], initial: Float32Array.of(1, 2, 3) },
  ]);
  const step = createStep(gpu);
  const report = createTensor(gpu, "report", [1, 2]);
  const tape = new Tape(gpu, { training: true, step });
  const y = linear(tape, placed(gpu, "x", [1, dim], x), parameters.get("w.weight"), parameters.get("w.bias"));
  const { loss } = smoothL1(tape, y, placed(gpu, "goal", [1], [1e3]));
  tape.backward(loss);
  const optimiser = new AdamW(gpu, parameters, { weightDecay: 0.1, clipNorm, groupOf: ({ name }) => name === "w.bias" ? 2 : 0 });
  optimiser.update(tape, report);
  const plan = tape.compile({ poison: true });
  const run = (t: number) => {
    writeStep(gpu, step, { seed: 0, step: t, learningRates: [0.01, 0, 0.5] });
    plan.run();
  };
  return { parameters, report, optimiser, run };
}

gpuTest("AdamW takes PyTorch's steps, clipped by the global norm, each group at its own rate", async (gpu) => {
  const dim = 150;
  const x = randoms(dim, 1), weight = randoms(dim, 2);
  const { parameters, report, run } = problem(gpu, x, weight, 0.5);
  // far below the goal the gradient of the loss is -x for the weight and -1 for the bias
  const gradient = [...x, 1].map((v) => -v);
  const norm = Math.hypot(...gradient);
  const w = [...weight, 0], m = w.map(() => 0), v = w.map(() => 0);
  for (let t = 1; t <= 4; t++) {
    run(t - 1);
    gradient.forEach((raw, i) => {
      const g = raw * Math.min(1, 0.5 / (norm + 1e-6));
      const lr = i === dim ? 0.5 : 0.01;
      m[i] = 0.9 * m[i]! + 0.1 * g;
      v[i] = 0.999 * v[i]! + 0.001 * g * g;
      w[i] = w[i]! * (1 - lr * 0.1) - lr * (m[i]! / (1 - 0.9 ** t)) / (Math.sqrt(v[i]! / (1 - 0.999 ** t)) + 1e-8);
    });
  }
  const state = await parameters.state();
  assertClose(state.get("w.weight")!.values, w.slice(0, dim), "weight", 1e-5);
  assertClose(state.get("w.bias")!.values, w.slice(dim), "bias", 1e-5);
  assertClose([(await read(gpu, report))[0]!], [norm], "norm", 1e-5);
  assertEquals([...state.get("unused")!.values], [1, 2, 3]);
});

gpuTest("AdamW changes nothing in a step whose gradient is not finite, and reports it", async (gpu) => {
  const weight = randoms(70, 2);
  const { parameters, report, optimiser, run } = problem(gpu, new Float32Array(70).fill(Infinity), weight, 1);
  run(0);
  assertEquals([...(await parameters.state()).get("w.weight")!.values], [...weight]);
  assertEquals((await read(gpu, optimiser.m)).every((value) => value === 0), true);
  assertEquals((await read(gpu, report))[1], 1);
});
