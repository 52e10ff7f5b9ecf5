/** @file Layers, images and the optimiser at sizes beyond one axis of the grid. */

import { assert, assertEquals } from "@std/assert";
import { philox } from "../../lib/random.ts";
import { AdamW } from "../../lib/tensor/ops/adamw.ts";
import { add } from "../../lib/tensor/ops/add.ts";
import { batchNorm } from "../../lib/tensor/ops/batch_norm.ts";
import { columnSum } from "../../lib/tensor/ops/column_sum.ts";
import { depthwiseConvGelu } from "../../lib/tensor/ops/depthwise_conv.ts";
import { ImageViews, NO_AUGMENTATION, type PackedTensors } from "../../lib/tensor/ops/images.ts";
import { layerNorm, type RowWorker } from "../../lib/tensor/ops/layer_norm.ts";
import { linearAttention } from "../../lib/tensor/ops/linear_attention.ts";
import { ntXent } from "../../lib/tensor/ops/losses.ts";
import { patchEmbedding } from "../../lib/tensor/ops/patch_embedding.ts";
import { RunningMean } from "../../lib/tensor/ops/running_mean.ts";
import { softmaxAttention } from "../../lib/tensor/ops/softmax_attention.ts";
import { write } from "../../lib/tensor/tensor.ts";
import { assertEvery, LARGE_STEP, type LargeRun, largeTest, N, PERIOD, periodic } from "../support/large.ts";
import * as reference from "../support/reference.ts";

type Doubles = Float64Array<ArrayBuffer>;

/** GELU's derivative. */
const SLOPE = (v: number) => (1 + reference.erf(v / Math.SQRT2)) / 2 + v * Math.exp(-v * v / 2) / Math.sqrt(2 * Math.PI);

largeTest("columnSum() adds rows", { many: ["column_sum.sum_segments", "column_sum.add_partials"] }, async (run) => {
  const [x, values] = run.input("x", [2, N], 1);
  const y = run.tape.tensor("y", [N]);
  columnSum(run.tape, x, y);
  const found = await run.compute({ y });
  assertEvery(found.y, (i) => values[i]! + values[N + i]!, "y");
});

const TRAINING = ["statistics", "merge", "update_running", "normalise", "backward_sums", "backward_merge", "backward_input"]
  .map((entry) => `batch_norm.${entry}`);

largeTest("batchNorm() is its formula, forward and backward", { many: TRAINING }, async (run) => {
  const rows = 3;
  const [x, values] = run.input("x", [rows, N], 1);
  const [weight, w, model] = run.parameter("n.weight", [N], 2), [bias, b, biases] = run.parameter("n.bias", [N], 3);
  const runningMean = run.placed("mean", [N], new Float32Array(N)), runningVar = run.placed("var", [N], new Float32Array(N));
  const output = batchNorm(run.tape, x, { weight, bias, runningMean, runningVar });
  const dy = run.backward(output, 4);
  const [dweight, dbias] = [model.get("n.weight").gradient, biases.get("n.bias").gradient];
  const found = await run.compute({ y: output, dx: run.tape.gradient(x)!, runningMean, runningVar, dweight, dbias });
  const [mean, variance, sums, products] = [0, 1, 2, 3].map(() => new Float64Array(N)) as [Doubles, Doubles, Doubles, Doubles];
  for (let i = 0; i < rows * N; i++) mean[i % N]! += values[i]! / rows;
  for (let i = 0; i < rows * N; i++) variance[i % N]! += (values[i]! - mean[i % N]!) ** 2 / rows;
  const rstd = variance.map((v) => 1 / Math.sqrt(v + 1e-5));
  const xhat = (i: number) => (values[i]! - mean[i % N]!) * rstd[i % N]!;
  for (let i = 0; i < rows * N; i++) {
    sums[i % N]! += dy[i]!;
    products[i % N]! += dy[i]! * xhat(i);
  }
  assertEvery(found.y, (i) => xhat(i) * w[i % N]! + b[i % N]!, "y", 1e-4);
  assertEvery(found.runningMean, (c) => 0.1 * mean[c]!, "running mean");
  assertEvery(found.runningVar, (c) => 0.1 * variance[c]! * rows / (rows - 1), "running variance");
  assertEvery(found.dbias, (c) => sums[c]!, "dbias");
  assertEvery(found.dweight, (c) => products[c]!, "dweight", 1e-4);
  // beside the terms that it is the difference of
  found.dx.forEach((v, i) => found.dx[i] = v / rstd[i % N]!);
  const dx = (i: number) => w[i % N]! * (dy[i]! - sums[i % N]! / rows - xhat(i) * products[i % N]! / rows);
  assertEvery(found.dx, dx, "dx by rstd", 1e-4);
});

const PREDICTING = ["batch_norm.from_running", "batch_norm.normalise"];

largeTest("batchNorm() predicts by the running statistics", { many: PREDICTING }, async (run) => {
  const [x, values] = run.input("x", [2, N], 1);
  const [weight, w] = run.parameter("n.weight", [N], 2), [bias, b] = run.parameter("n.bias", [N], 3);
  const [runningMean, mean] = run.input("mean", [N], 4), [runningVar, variance] = run.input("var", [N], 5, (v) => v * v);
  const { y } = await run.compute({ y: batchNorm(run.tape, x, { weight, bias, runningMean, runningVar }) });
  const expected = (i: number) => (values[i]! - mean[i % N]!) / Math.sqrt(variance[i % N]! + 1e-5) * w[i % N]! + b[i % N]!;
  assertEvery(y, expected, "y", 1e-4);
}, { training: false });

/** Layer normalisation of rows and columns, checked row by row. */
async function checkLayerNorm(run: LargeRun, [rows, dim]: readonly [number, number], by: RowWorker): Promise<void> {
  const [x, values] = run.input("x", [rows, dim], 1);
  const [weight, w, model] = run.parameter("n.weight", [dim], 2), [bias, b, biases] = run.parameter("n.bias", [dim], 3);
  const output = layerNorm(run.tape, x, weight, bias, { by });
  const dy = run.backward(output, 4);
  const [dweight, dbias] = [model.get("n.weight").gradient, biases.get("n.bias").gradient];
  const found = await run.compute({ y: output, dx: run.tape.gradient(x)!, dweight, dbias });
  const [xhat, expected, rstd] = [dim, dim, 1].map((n) => new Float64Array(rows * n)) as [Doubles, Doubles, Doubles];
  const [weights, biasSums] = [new Float64Array(dim), new Float64Array(dim)];
  for (let row = 0, first = 0; row < rows; row++, first += dim) {
    let mean = 0, variance = 0, g = 0, gx = 0;
    for (let c = 0; c < dim; c++) mean += values[first + c]! / dim;
    for (let c = 0; c < dim; c++) variance += (values[first + c]! - mean) ** 2 / dim;
    rstd[row] = 1 / Math.sqrt(variance + 1e-5);
    for (let c = 0; c < dim; c++) {
      const d = dy[first + c]!, x = xhat[first + c] = (values[first + c]! - mean) * rstd[row]!;
      g += d * w[c]! / dim;
      gx += d * w[c]! * x / dim;
      weights[c]! += d * x;
      biasSums[c]! += d;
    }
    for (let c = 0; c < dim; c++) expected[first + c] = dy[first + c]! * w[c]! - g - xhat[first + c]! * gx;
  }
  assertEvery(found.y, (i) => xhat[i]! * w[i % dim]! + b[i % dim]!, "y", 1e-3);
  // beside the terms that it is the difference of
  found.dx.forEach((v, i) => found.dx[i] = v / rstd[Math.floor(i / dim)]!);
  assertEvery(found.dx, (i) => expected[i]!, "dx by rstd", 1e-3);
  const scale = Math.sqrt(rows);
  assertEvery(found.dweight.map((v) => v / scale), (c) => weights[c]! / scale, "dweight", 1e-3);
  assertEvery(found.dbias.map((v) => v / scale), (c) => biasSums[c]! / scale, "dbias", 1e-3);
}

// the weight's gradient takes a workgroup for 64 columns: rows of 4 million are more than a software adapter adds in one loop
const few = ["layer_norm.backward_weight"];
const SHORT = { many: ["layer_norm.forward_short", "layer_norm.backward_input_short"], few };
// an invocation a row
const LONG = { few: ["layer_norm.forward", "layer_norm.backward_input", ...few] };
const BY_WORKGROUPS = { many: ["layer_norm_group.forward", "layer_norm_group.backward_input"], few };

largeTest("layerNorm() by invocations is its formula in short rows", SHORT, (run) => checkLayerNorm(run, [N, 3], "invocation"));
largeTest("layerNorm() by invocations is its formula in long rows", LONG, (run) => checkLayerNorm(run, [66_001, 65], "invocation"));
largeTest(
  "layerNorm() by workgroups is its formula",
  BY_WORKGROUPS,
  (run) => checkLayerNorm(run, [66_001, 65], "workgroup"),
);
const CONVOLUTION = ["reorder", "forward", "combine", "backward_weight", "finish_weight"].map((entry) => `depthwise_conv.${entry}`);

largeTest("depthwiseConvGelu() is its formula, forward and backward", { many: CONVOLUTION }, async (run) => {
  const images = 2;
  const [x, values] = run.input("x", [images, 1, N], 1);
  const [weight, w, model] = run.parameter("c.weight", [N, 1, 1, 1], 2), [bias, b] = run.parameter("c.bias", [N], 3);
  const { y, moments } = depthwiseConvGelu(run.tape, x, weight, bias, { fused: true });
  const dy = run.backward(y, 4);
  const dweight = model.get("c.weight").gradient;
  const found = await run.compute({ y, moments: moments!, dx: run.tape.gradient(x)!, dweight });
  // a channel and its image say where in the period each factor is
  const tables = [0, 1].map((image) => {
    const pre = Float64Array.from({ length: PERIOD }, (_, c) => w[c]! * values[(image * N + c) % PERIOD]! + b[c]!);
    return { y: pre.map(reference.gelu), slope: pre.map(SLOPE) };
  });
  const table = (i: number) => tables[i < N ? 0 : 1]!;
  const dpre = dy.map((d, i) => d * table(i).slope[i % N % PERIOD]!);
  assertEvery(found.y, (i) => table(i).y[i % N % PERIOD]!, "y");
  assertEvery(found.moments, (i) => i % (2 * N) < N ? tables[Math.floor(i / (2 * N))]!.y[i % N % PERIOD]! : 0, "moments");
  assertEvery(found.dx, (i) => dpre[i]! * w[i % N]!, "dx");
  assertEvery(found.dweight, (c) => dpre[c]! * values[c]! + dpre[N + c]! * values[N + c]!, "dweight");
});

const ATTENTION = ["normalise", "backward_rows", "backward_ksum", "backward_matrices", "backward_relu"]
  .map((entry) => `linear_attention.${entry}`);

// of one token, head and element every matrix is a number
largeTest("linearAttention() is its formula, forward and backward", {
  many: [...ATTENTION, "matmul.general"],
}, async (run) => {
  const floor = 0.5;
  const x = periodic(3 * N, 1).map((v, i) => i % 3 < 2 ? Math.max(0, v) : v);
  const values = run.placed("qkv", [N, 1, 3], x);
  run.tape.watch(values);
  const [temperature, temperatures, model] = run.parameter("a.temperature", [1, 1, 1], 2), t = temperatures[0]!;
  const output = linearAttention(run.tape, { values, columns: 2 }, temperature, floor);
  const dy = run.backward(output, 3);
  const dtemperature = model.get("a.temperature").gradient;
  const found = await run.compute({ y: output, dqkv: run.tape.gradient(values)!, dtemperature });
  const y = new Float64Array(N), dqkv = new Float64Array(3 * N);
  let sum = 0, size = 0;
  for (let i = 0; i < N; i++) {
    const q = x[3 * i]!, k = x[3 * i + 1]!, v = x[3 * i + 2]!, mass = q * k, w = 1 / Math.max(mass, floor), g = dy[i]! * w;
    y[i] = t * q * k * v * w;
    const dmass = mass >= floor ? -dy[i]! * y[i]! * w : 0;
    dqkv[3 * i] = q > 0 ? t * g * k * v + dmass * k : 0;
    dqkv[3 * i + 1] = k > 0 ? t * v * q * g + dmass * q : 0;
    dqkv[3 * i + 2] = t * k * q * g;
    sum += g * q * k * v;
    size += Math.abs(g * q * k * v);
  }
  assertEvery(found.y, (i) => y[i]!, "y");
  assertEvery(found.dqkv, (i) => dqkv[i]!, "gradient of qkv");
  assertEvery(found.dtemperature.map((v) => v / size), () => sum / size, "gradient of the temperature");
});

const SOFTMAX = ["forward", "backward_delta", "backward_query", "backward_key"].map((entry) => `softmax_attention.${entry}`);

// to one token an image everything is attention to itself
largeTest("softmaxAttention() is its formula, forward and backward", { many: SOFTMAX }, async (run) => {
  const [qkv, x] = run.input("qkv", [N, 1, 3], 1);
  const output = softmaxAttention(run.tape, qkv, 1, "attention");
  const dy = run.backward(output, 2);
  const { y, dqkv } = await run.compute({ y: output, dqkv: run.tape.gradient(qkv)! });
  assertEvery(y, (i) => x[3 * i + 2]!, "y");
  assertEvery(dqkv, (i) => i % 3 === 2 ? dy[Math.floor(i / 3)]! : 0, "gradient of qkv", 1e-4);
});

/** Packed images of a size whose pixels are all there, as bytes. */
function fullImages(run: LargeRun, images: number, pixels: number): PackedTensors & { value: (i: number) => number } {
  const value = (i: number) => 1 + i % 251;
  const words = Uint32Array.from({ length: images * pixels }, (_, i) => i % pixels * 256 + value(i));
  const ranges = Uint32Array.from({ length: 2 * images }, (_, i) => (i + 1 >> 1) * pixels);
  return {
    ranges: run.placed("ranges", [images, 2], ranges, "u32"),
    words: run.placed("words", [words.length], words, "u32"),
    wordsPerEntry: 1,
    mostPerImage: pixels,
    value,
  };
}

largeTest("ImageViews draws for every row what the host draws", { many: ["images.draw"] }, async (run) => {
  const images = run.placed("ranges", [N, 2], new Uint32Array(2 * N), "u32");
  const packed = { ranges: images, words: images, wordsPerEntry: 1, mostPerImage: 1 } as const;
  const augmentation = { ...NO_AUGMENTATION, flipEta: true, flipPhi: true };
  const draws = run.output("draws", [N, 4], "u32");
  new ImageViews(run.tape, packed, { channels: 1, size: 1, patch: 1 }, { normScale: 255 }, 1, augmentation, draws);
  const words = new Uint32Array((await run.compute({ draws })).draws.buffer);
  for (let row = 0; row < N; row++) {
    const flags = philox([row, 0, 2, 0], [9, 0])[0]! & 3;
    if (words[4 * row] !== flags || words[4 * row + 1] || words[4 * row + 3]) assertEquals([row, words[4 * row]], [row, flags]);
  }
});

largeTest(
  "ImageViews writes every patch and lists every entry",
  { many: ["images.clear", "images.scatter", "images.list"] },
  async (run) => {
    const images = 66_001, pixels = 81;
    const { value, ...packed } = fullImages(run, images, pixels);
    const views = new ImageViews(run.tape, packed, { channels: 1, size: 9, patch: 1 }, { normScale: 255 }, 1, NO_AUGMENTATION);
    const { patches, listed } = await run.compute({ patches: views.patches, listed: views.entries().listed });
    assertEvery(patches, (i) => value(i) / 255, "patches");
    assertEvery(listed.filter((_, i) => i % 2 === 1), (i) => value(i) / 255, "values");
    const entries = new Uint32Array(listed.buffer);
    for (let i = 0; i < images * pixels; i++) if (entries[2 * i] !== i % pixels) assertEquals([i, entries[2 * i]], [i, i % pixels]);
  },
);

// its gradient has a part of the weight's size for each segment: more than 65,535 workgroups of them are no tensor that 128 MiB hold
largeTest("patchEmbedding() is its formula, forward and backward", {
  many: ["patch_embedding.forward"],
  few: ["patch_embedding.backward_weight"],
}, async (run) => {
  // 9 quads: no two rows fit a workgroup of sixteen
  const images = 66_001, pixels = 16, features = 4, tokens = 4, dim = 36;
  const { value, ...packed } = fullImages(run, images, pixels);
  const views = new ImageViews(run.tape, packed, { channels: features, size: 2, patch: 1 }, { normScale: 255 }, 1, NO_AUGMENTATION);
  const [weight, w, model] = run.parameter("p.weight", [dim, features], 1), [bias, b] = run.parameter("p.bias", [dim], 2);
  const output = patchEmbedding(run.tape, views, weight, bias);
  const dy = run.backward(output, 3);
  const { y, dweight } = await run.compute({ y: output, dweight: model.get("p.weight").gradient });
  const pixel = (token: number, f: number) => value(token * features + f) / 255;
  assertEvery(y, (i) => {
    const token = Math.floor(i / dim);
    let sum = b[i % dim]!;
    for (let f = 0; f < features; f++) sum += pixel(token, f) * w[i % dim * features + f]!;
    return sum;
  }, "y");
  const sums = new Float64Array(dim * features);
  for (let i = 0; i < images * tokens * dim; i++) {
    for (let f = 0; f < features; f++) sums[i % dim * features + f]! += dy[i]! * pixel(Math.floor(i / dim), f);
  }
  const scale = Math.sqrt(images * tokens);
  assertEvery(dweight.map((v) => v / scale), (i) => sums[i]! / scale, "dweight", 1e-3);
});

largeTest("ntXent() of 1,025 pairs is its formula", { many: ["nt_xent.backward"], few: ["nt_xent.forward"] }, async (run) => {
  const pairs = 1025, rows = 2 * pairs, dim = 4, temperature = 0.5;
  const [z, values] = run.input("z", [rows, dim], 1);
  const outputs = ntXent(run.tape, z, temperature);
  run.tape.backward(outputs.loss);
  const { loss, correct, dz } = await run.compute({ ...outputs, dz: run.tape.gradient(z)! });
  const s = reference.matmul(Float64Array.from(values), Float64Array.from(values), [rows, rows, dim], false, true);
  const exp = s.map((x, i) => i % (rows + 1) === 0 ? 0 : Math.exp(x / temperature));
  const other = (i: number) => (i + pairs) % rows;
  const total = Float64Array.from({ length: rows }, (_, i) => exp.subarray(i * rows, (i + 1) * rows).reduce((sum, e) => sum + e));
  const h = exp.map((e, at) => {
    const i = Math.floor(at / rows), j = at % rows;
    return (e / total[i]! + e / total[j]! - (j === other(i) ? 2 : 0)) / rows;
  });
  const gradient = reference.matmul(h, Float64Array.from(values), [rows, dim, rows]).map((g) => g / temperature);
  assertEvery(loss, (i) => Math.log(total[i]!) - s[i * rows + other(i)]! / temperature, "loss");
  const best = (i: number) => exp.subarray(i * rows, (i + 1) * rows).every((e) => e <= exp[i * rows + other(i)]!);
  assertEvery(correct, (i) => best(i) ? 1 : 0, "correct");
  assertEvery(dz.map((g) => g * rows), (i) => gradient[i]! * rows, "gradient", 1e-4);
});

// a fixed number of workgroups goes through all elements
largeTest("AdamW takes its step", { few: ["adamw.square_sums", "adamw.update"] }, async (run) => {
  const [w, values, model] = run.parameter("w", [N], 1), [gradient, g] = run.input("gradient", [N], 2);
  using optimiser = new AdamW(run.gpu, model, { weightDecay: 0.1, clipNorm: 1 });
  run.tape.accumulateParameter(w, (target) => void add(run.tape, gradient, undefined, target));
  const report = run.output("report", [1, 2]);
  optimiser.update(run.tape, report);
  const found = await run.compute({ w, m: optimiser.m, v: optimiser.v, report });
  const norm = Math.sqrt(g.reduce((sum, x) => sum + x * x, 0)), t = LARGE_STEP.step + 1;
  const clipped = (i: number) => g[i]! / (norm + 1e-6);
  assert(norm > 1);
  assertEvery(found.report, (i) => i === 0 ? norm : 0, "report", 1e-4);
  assertEvery(found.m.subarray(0, N).map((m) => m * norm), (i) => 0.1 * clipped(i) * norm, "first moments");
  assertEvery(found.v.subarray(0, N).map((v) => v * norm ** 2), (i) => 0.001 * (clipped(i) * norm) ** 2, "second moments");
  assertEvery(found.w, (i) => {
    const m = 0.1 * clipped(i) / (1 - 0.9 ** t), v = 0.001 * clipped(i) ** 2 / (1 - 0.999 ** t);
    return values[i]! * (1 - 0.01 * 0.1) - 0.01 * m / (Math.sqrt(v) + 1e-8);
  }, "w");
});

// parameters are padded, so that four always lie side by side
largeTest("a running mean follows its weights", { few: ["running_mean.update"] }, async (run) => {
  const [w, before, model] = run.parameter("w", [N], 1), after = periodic(N, 2);
  using mean = new RunningMean(run.gpu, model, 0.75);
  write(run.gpu, w, after);
  mean.update(run.tape, run.placed("report", [1, 2], new Float32Array(2)));
  const found = await run.compute({ values: mean.values });
  assertEvery(found.values.subarray(0, N), (i) => before[i]! + 0.25 * (after[i]! - before[i]!), "mean");
});
