/** @file Loss kernels: value, gradient and side results against their formulas. */

import { assertEquals } from "@std/assert";
import { crossEntropy, ntXent, smoothL1 } from "../../lib/tensor/ops/losses.ts";
import { Tape } from "../../lib/tensor/tape.ts";
import { createTensor, read, write } from "../../lib/tensor/tensor.ts";
import { assertClose } from "../support/fixtures.ts";
import { gpuTest } from "../support/gpu.ts";
import { keep, placed, randoms } from "../support/ops.ts";

function softmaxRow(row: number[]): number[] {
  const largest = Math.max(...row);
  const e = row.map((x) => Math.exp(x - largest));
  const sum = e.reduce((a, b) => a + b);
  return e.map((x) => x / sum);
}

/** A loss of PyTorch's over several targets. */
const GOLDEN:
  & Readonly<Record<"rows" | "targets" | "weight" | "loss", number>>
  & Readonly<Record<"prediction" | "goal" | "each" | "gradient" | "distance", number[]>> = JSON.parse(
    Deno.readTextFileSync(new URL("../fixtures/targets/loss.json", import.meta.url)),
  );

gpuTest("crossEntropy() is log-sum-exp minus the label's logit, for logits near the end of the floats too", async (gpu) => {
  const [rows, classes, weight] = [5, 3, 0.7];
  const values = randoms(rows * classes, 1).map((x, i) => i < 3 ? 3e37 * x : 4 * x);
  const labels = Uint32Array.of(0, 2, 1, 1, 0);
  const logits = placed(gpu, "logits", [rows, classes], values);
  const label = createTensor(gpu, "label", [rows], "u32");
  write(gpu, label, labels);
  const tape = new Tape(gpu, { training: true });
  tape.watch(logits);
  const { loss, correct } = crossEntropy(tape, logits, label, weight);
  tape.backward(loss);
  const kept = [loss, correct, tape.gradient(logits)!].map((x) => keep(tape, x));
  tape.compile({ poison: true }).run();
  const [l, c, g] = await Promise.all(kept.map((x) => read(gpu, x)));
  const table = Array.from({ length: rows }, (_, i) => Array.from(values.subarray(i * classes, (i + 1) * classes)));
  table.forEach((row, i) => {
    const largest = Math.max(...row);
    const lse = largest + Math.log(row.reduce((sum, x) => sum + Math.exp(x - largest), 0));
    assertClose([l![i]!], [lse - row[labels[i]!]!], `loss of row ${i}`, 1e-5, 1e-1);
    assertEquals(c![i], row.indexOf(largest) === labels[i] ? 1 : 0);
    const expected = softmaxRow(row).map((p, k) => (p - (k === labels[i] ? 1 : 0)) * weight / rows);
    assertClose(g!.subarray(i * classes, (i + 1) * classes), expected, `gradient of row ${i}`, 5e-5, 1e-3);
  });
});

gpuTest("losses of weighted rows and classes are those of each row, times its weight and that of its class", async (gpu) => {
  const [rows, classes] = [4, 3], values = randoms(rows * classes, 7);
  const labels = [2, 0, 1, 2], row = [0.5, 3, 0.25, 2], ofClass = [2, 0.5, 4], ones = (n: number) => new Array<number>(n).fill(1);
  const run = async (weights: { rows: readonly number[]; classes: readonly number[] } | undefined) => {
    const logits = placed(gpu, "logits", [rows, classes], values), mass = placed(gpu, "mass", [rows], values.subarray(0, rows));
    const label = createTensor(gpu, "label", [rows], "u32");
    write(gpu, label, Uint32Array.from(labels));
    const tape = new Tape(gpu, { training: true });
    tape.watch(logits);
    tape.watch(mass);
    const given = weights &&
      { rows: placed(gpu, "rows", [rows], weights.rows), classes: placed(gpu, "classes", [classes], weights.classes) };
    const { loss, correct } = crossEntropy(tape, logits, label, 0.7, 0.1, given);
    const goal = placed(gpu, "goal", [rows], [0, 5, -1, 0]), smooth = smoothL1(tape, mass, goal, 2, undefined, given?.rows);
    tape.backward(loss, smooth.loss);
    const kept = [loss, correct, tape.gradient(logits)!, smooth.loss, smooth.distances[0]!, tape.gradient(mass)!].map((x) =>
      keep(tape, x)
    );
    tape.compile({ poison: true }).run();
    return await Promise.all(kept.map((x) => read(gpu, x)));
  };
  const plain = await run(undefined), both = row.map((weight, i) => weight * ofClass[labels[i]!]!);
  assertEquals(await run({ rows: ones(rows), classes: ones(classes) }), plain);
  const weighted = await run({ rows: row, classes: ofClass });
  const factors = [both, row, both.flatMap((weight) => [weight, weight, weight]), row, row, row];
  plain.forEach((of, k) => assertClose(weighted[k]!, Array.from(of, (x, i) => x * factors[k]![i]!), `output ${k}`, 1e-6));
});

gpuTest("smoothL1() is quadratic within 1 and linear beyond", async (gpu) => {
  const goal = [0, 0, 0, 0, 5];
  const predicted = [0.5, -0.25, 3, -1, 5];
  const prediction = placed(gpu, "prediction", [5, 1], predicted);
  const tape = new Tape(gpu, { training: true });
  tape.watch(prediction);
  const { loss, distances: [distance] } = smoothL1(tape, prediction, placed(gpu, "goal", [5], goal), 2);
  tape.backward(loss);
  const kept = [loss, distance!, tape.gradient(prediction)!].map((x) => keep(tape, x));
  tape.compile({ poison: true }).run();
  const [l, d, g] = await Promise.all(kept.map((x) => read(gpu, x)));
  assertClose(l!, [0.125, 0.03125, 2.5, 0.5, 0], "loss");
  assertClose(d!, [0.5, 0.25, 3, 1, 0], "distance");
  assertClose(g!, [0.5, -0.25, 1, -1, 0].map((x) => x * 2 / 5), "gradient");
});

gpuTest("smoothL1() of several targets has PyTorch's loss and gradient, and gives the distance of each", async (gpu) => {
  const { rows, targets, weight, loss: mean, ...golden } = GOLDEN;
  const prediction = placed(gpu, "prediction", [rows, targets], golden.prediction), tape = new Tape(gpu, { training: true });
  tape.watch(prediction);
  const { loss, distances } = smoothL1(tape, prediction, placed(gpu, "goal", [rows, targets], golden.goal), weight);
  tape.backward(loss);
  const kept = [loss, tape.gradient(prediction)!, ...distances].map((x) => keep(tape, x));
  tape.compile({ poison: true }).run();
  const [each, gradient, ...away] = await Promise.all(kept.map((x) => read(gpu, x)));
  assertClose(each!, golden.each, "loss");
  assertClose([each!.reduce((sum, x) => sum + x, 0) / each!.length], [mean], "mean of the loss");
  assertClose(gradient!, golden.gradient, "gradient");
  assertEquals(away.length, targets);
  away.forEach((of, t) => assertClose(of, golden.distance.filter((_, i) => i % targets === t), `distance of target ${t}`));
});

gpuTest("ntXent() is the cross entropy of each row over all others, with the gradient of both roles", async (gpu) => {
  const [n, dim, temperature] = [5, 7, 0.3];
  const rows = 2 * n;
  const values = Float64Array.from(randoms(rows * dim, 3));
  for (let i = 0; i < rows; i++) {
    const row = values.subarray(i * dim, (i + 1) * dim);
    const length = Math.hypot(...row);
    row.forEach((x, k) => row[k] = x / length);
  }
  const total = (z: Float64Array): number => {
    let sum = 0;
    for (let i = 0; i < rows; i++) {
      const s = Array.from({ length: rows }, (_, j) => {
        let dot = 0;
        for (let k = 0; k < dim; k++) dot += z[i * dim + k]! * z[j * dim + k]!;
        return dot / temperature;
      });
      sum += Math.log(s.reduce((e, x, j) => j === i ? e : e + Math.exp(x), 0)) - s[(i + n) % rows]!;
    }
    return sum / rows;
  };
  const z = placed(gpu, "z", [rows, dim], values);
  const tape = new Tape(gpu, { training: true });
  tape.watch(z);
  const { loss } = ntXent(tape, z, temperature);
  tape.backward(loss);
  const kept = [loss, tape.gradient(z)!].map((x) => keep(tape, x));
  tape.compile({ poison: true }).run();
  const [l, g] = await Promise.all(kept.map((x) => read(gpu, x)));
  assertClose([l!.reduce((a, b) => a + b) / rows], [total(values)], "loss", 1e-5);
  const expected = values.map((value, i) => {
    const h = 1e-6;
    values[i] = value + h;
    const above = total(values);
    values[i] = value - h;
    const below = total(values);
    values[i] = value;
    return (above - below) / (2 * h);
  });
  assertClose(g!, expected, "gradient", 2e-5);
});
