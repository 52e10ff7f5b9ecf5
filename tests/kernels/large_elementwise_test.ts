/** @file Elementwise operations, losses, masks and results at sizes beyond one axis of the grid. */

import { assert, assertEquals } from "@std/assert";
import { kernelOf } from "../../lib/gpu/kernel.ts";
import { Plan } from "../../lib/gpu/plan.ts";
import { philox } from "../../lib/random.ts";
import { add, addRepeated } from "../../lib/tensor/ops/add.ts";
import { attentionReceived } from "../../lib/tensor/ops/attention_received.ts";
import { residual } from "../../lib/tensor/ops/dropout.ts";
import { gelu } from "../../lib/tensor/ops/gelu.ts";
import { l2Normalise } from "../../lib/tensor/ops/l2_normalise.ts";
import { crossEntropy, maskedError, smoothL1 } from "../../lib/tensor/ops/losses.ts";
import { meanTokens } from "../../lib/tensor/ops/mean_tokens.ts";
import { addPart, putRows, takeRows } from "../../lib/tensor/ops/part_sums.ts";
import { recordTotal, storeRows } from "../../lib/tensor/ops/record.ts";
import { fillMasked, randomMask } from "../../lib/tensor/ops/tokens.ts";
import { transpose } from "../../lib/tensor/ops/transpose.ts";
import { gpuTest } from "../support/gpu.ts";
import { assertEvery, LARGE_STEP, largeTest, N, PERIOD } from "../support/large.ts";
import { placed } from "../support/ops.ts";
import * as reference from "../support/reference.ts";

largeTest("add() adds and copies", { many: ["add.add", "add.copy"] }, async (run) => {
  const [a, x] = run.input("a", [N], 1), [b, y] = run.input("b", [N], 2);
  const { sum, copy } = await run.compute({ sum: add(run.tape, a, b), copy: add(run.tape, a) });
  assertEvery(sum, (i) => x[i]! + y[i]!, "sum");
  assertEvery(copy, (i) => x[i]!, "copy");
});

largeTest("addPart() gives means", { many: ["part_sums.mean"] }, async (run) => {
  const [a, x] = run.input("a", [N], 1), sum = run.output("sum", [N]);
  addPart(run.tape, a, sum, 0, 2);
  addPart(run.tape, a, sum, 1, 2);
  const { twice, mean } = await run.compute({ twice: sum, mean: a });
  assertEvery(twice, (i) => 2 * x[i]!, "sum");
  assertEvery(mean, (i) => x[i]!, "mean");
});

largeTest("putRows() and takeRows() move rows", { many: ["part_sums.put_rows", "part_sums.take_rows"] }, async (run) => {
  const [a, x] = run.input("a", [1_400_001, 3], 1), whole = run.output("whole", [1_400_001, 3]);
  putRows(run.tape, a, whole);
  const { put, taken } = await run.compute({ put: whole, taken: takeRows(run.tape, whole, a, 2) });
  assertEvery(put, (i) => x[i]!, "put");
  assertEvery(taken, (i) => 2 * x[i]!, "taken");
});

largeTest("addRepeated() adds to every repetition", { many: ["add.add_repeated"] }, async (run) => {
  const size = 1_400_001;
  const [x, values] = run.input("x", [3, size], 1), [p, repeated] = run.parameter("p", [1, size], 2);
  const { y } = await run.compute({ y: addRepeated(run.tape, x, p) });
  assertEvery(y, (i) => values[i]! + repeated[i % size]!, "y");
});

largeTest("gelu() is its formula, forward and backward", { many: ["gelu.forward", "gelu.backward"] }, async (run) => {
  const [x, values] = run.input("x", [N], 1);
  const output = gelu(run.tape, x);
  const dy = run.backward(output, 2);
  const { y, dx } = await run.compute({ y: output, dx: run.tape.gradient(x)! });
  const period = Float64Array.from(values.subarray(0, PERIOD));
  const forward = period.map(reference.gelu);
  const slope = period.map((v) => (1 + reference.erf(v / Math.SQRT2)) / 2 + v * Math.exp(-v * v / 2) / Math.sqrt(2 * Math.PI));
  assertEvery(y, (i) => forward[i % PERIOD]!, "y");
  assertEvery(dx, (i) => dy[i]! * slope[i % PERIOD]!, "dx");
});

largeTest("residual() draws what the host draws, forward and backward", { many: ["dropout.apply"] }, async (run) => {
  const images = 3, perImage = 1_400_001, rates = { dropout: 0.3, path: 0.4 };
  const [x, a] = run.input("x", [images, perImage], 1), [branch, b] = run.input("branch", [images, perImage], 2);
  const output = residual(run.tape, x, branch, rates);
  const dy = run.backward(output, 3);
  const { y, dbranch } = await run.compute({ y: output, dbranch: run.tape.gradient(branch)! });
  const { seed, step } = LARGE_STEP;
  const scales = reference.dropScales({ ...rates, stream: 0 }, images, perImage, { seed, step });
  assert(scales.some((scale) => scale > 0));
  assertEvery(y, (i) => a[i]! + scales[i]! * b[i]!, "y");
  assertEvery(dbranch, (i) => scales[i]! * dy[i]!, "gradient of the branch");
});

largeTest("meanTokens() averages, forward and backward", { many: ["mean_tokens.forward", "mean_tokens.backward"] }, async (run) => {
  const tokens = 3, dim = 2_100_001;
  const [x, values] = run.input("x", [2, tokens, dim], 1);
  const output = meanTokens(run.tape, x);
  const dy = run.backward(output, 2);
  const { y, dx } = await run.compute({ y: output, dx: run.tape.gradient(x)! });
  const at = (i: number, n: number) => values[(Math.floor(i / dim) * tokens + n) * dim + i % dim]!;
  assertEvery(y, (i) => (at(i, 0) + at(i, 1) + at(i, 2)) / 3, "y");
  assertEvery(dx, (i) => dy[Math.floor(i / (tokens * dim)) * dim + i % dim]! / 3, "dx");
});

largeTest(
  "l2Normalise() gives unit rows, forward and backward",
  { many: ["l2_normalise.forward", "l2_normalise.backward"] },
  async (run) => {
    const [x, values] = run.input("x", [N, 2], 1);
    const output = l2Normalise(run.tape, x);
    const dy = run.backward(output, 2);
    const { y, dx } = await run.compute({ y: output, dx: run.tape.gradient(x)! });
    const length = (i: number) => Math.hypot(values[i - i % 2]!, values[i - i % 2 + 1]!);
    const unit = (i: number) => values[i]! / length(i);
    assertEvery(y, unit, "y");
    const dot = (i: number) => unit(i - i % 2) * dy[i - i % 2]! + unit(i - i % 2 + 1) * dy[i - i % 2 + 1]!;
    // beside the terms that it is the difference of
    assertEvery(dx.map((v, i) => v * length(i)), (i) => dy[i]! - unit(i) * dot(i), "dx by the length");
  },
);

largeTest("crossEntropy() is its formula", { many: ["cross_entropy.forward"] }, async (run) => {
  const { tape } = run;
  const [logits, x] = run.input("logits", [N, 2], 1);
  const label = run.placed("label", [N], Uint32Array.from({ length: N }, (_, i) => i % 3 & 1), "u32");
  const outputs = crossEntropy(tape, logits, label, 1000);
  tape.backward(outputs.loss);
  const { loss, correct, dlogits } = await run.compute({ ...outputs, dlogits: tape.gradient(logits)! });
  const lead = (i: number) => (i % 3 & 1 ? 1 : -1) * (x[2 * i + 1]! - x[2 * i]!);
  assertEvery(loss, (i) => Math.log1p(Math.exp(-lead(i))), "loss");
  assertEvery(correct, (i) => lead(i) > 0 || (lead(i) === 0 && i % 3 !== 1) ? 1 : 0, "correct");
  const p = (i: number) => 1 / (1 + Math.exp(x[i ^ 1]! - x[i]!));
  const dlogit = (i: number) => p(i) - (i % 2 === ((i >> 1) % 3 & 1) ? 1 : 0);
  assertEvery(dlogits.map((v) => v * N / 1000), dlogit, "gradient");
});

largeTest("smoothL1() is its formula", { many: ["smooth_l1.forward"] }, async (run) => {
  const { tape } = run;
  const [prediction, p] = run.input("prediction", [N, 1], 1), [goal, g] = run.input("goal", [N], 2);
  const computed = smoothL1(tape, prediction, goal, 1000), [away] = computed.distances;
  tape.backward(computed.loss);
  const outputs = { loss: computed.loss, distance: away!, dprediction: tape.gradient(prediction)! };
  const { loss, distance, dprediction } = await run.compute(outputs);
  const d = (i: number) => p[i]! - g[i]!;
  assertEvery(loss, (i) => Math.abs(d(i)) < 1 ? d(i) ** 2 / 2 : Math.abs(d(i)) - 0.5, "loss");
  assertEvery(distance, (i) => Math.abs(d(i)), "distance");
  assertEvery(dprediction.map((v) => v * N / 1000), (i) => Math.max(-1, Math.min(1, d(i))), "gradient");
});

/** Masks of three tokens, of which two are visible: places go round from image to image. */
function threeTokens(images: number) {
  const place = (b: number, n: number) => (n + b) % 3;
  const token = (b: number, place: number) => (place + 2 * b) % 3;
  return {
    place,
    token,
    restore: Uint32Array.from({ length: 3 * images }, (_, i) => place(Math.floor(i / 3), i % 3)),
    keep: Uint32Array.from({ length: 2 * images }, (_, i) => token(i >> 1, i % 2)),
  };
}

largeTest("maskedError() is its formula", { many: ["masked_error.forward", "masked_error.backward"] }, async (run) => {
  const { tape } = run;
  const images = 1_400_001;
  const { place, restore } = threeTokens(images);
  const [prediction, p] = run.input("prediction", [images, 3, 1], 1), [patches, x] = run.input("patches", [images, 3, 1], 2);
  const places = run.placed("restore", [images, 3], restore, "u32");
  const mask = { restore: places, keep: { ...places, shape: [images, 2] } };
  const output = maskedError(tape, prediction, patches, { channels: 1, patch: 1 }, mask);
  tape.backward(output);
  const { loss, gradient } = await run.compute({ loss: output, gradient: tape.gradient(prediction)! });
  const masked = (i: number) => place(Math.floor(i / 3), i % 3) >= 2;
  assertEvery(loss, (i) => masked(i) ? (p[i]! - x[i]!) ** 2 : 0, "loss");
  assertEvery(gradient.map((v) => v * images), (i) => masked(i) ? 2 * (p[i]! - x[i]!) : 0, "gradient");
});

largeTest("fillMasked() fills, forward and backward", { many: ["pick_tokens.pick", "pick_tokens.beyond"] }, async (run) => {
  const { tape } = run;
  const images = 466_669, dim = 3;
  const { place, token, ...mask } = threeTokens(images);
  const [x, values] = run.input("x", [images, 2, dim], 1), [masked, filler, model] = run.parameter("masked", [1, 1, dim], 2);
  const restore = run.placed("restore", [images, 3], mask.restore, "u32");
  const keep = run.placed("keep", [images, 2], mask.keep, "u32");
  const output = fillMasked(tape, x, masked, { keep, restore });
  const dy = run.backward(output, 3);
  const { y, dx, dmasked } = await run.compute({ y: output, dx: tape.gradient(x)!, dmasked: model.get("masked").gradient });
  assertEvery(y, (i) => {
    const b = Math.floor(i / (3 * dim)), at = place(b, Math.floor(i / dim) % 3);
    return at < 2 ? values[(2 * b + at) * dim + i % dim]! : filler[i % dim]!;
  }, "y");
  assertEvery(dx, (i) => {
    const b = Math.floor(i / (2 * dim));
    return dy[(3 * b + token(b, Math.floor(i / dim) % 2)) * dim + i % dim]!;
  }, "dx");
  const sums = [0, 0, 0];
  dy.forEach((g, i) => sums[i % dim]! += place(Math.floor(i / (3 * dim)), Math.floor(i / dim) % 3) === 2 ? g : 0);
  assertEvery(dmasked, (i) => sums[i]!, "gradient of the filler", 1e-3);
});

largeTest("randomMask() draws what the host draws", { many: ["random_mask.draw", "random_mask.rank"] }, async (run) => {
  const images = 1_400_001;
  const mask = randomMask(run.tape, images, 3, 2);
  const found = await run.compute({ keep: mask.keep, restore: mask.restore });
  const [keep, restore] = [new Uint32Array(found.keep.buffer), new Uint32Array(found.restore.buffer)];
  const { seed, step } = LARGE_STEP;
  for (let b = 0; b < images; b++) {
    const words = [0, 1, 2].map((n) => philox([3 * b + n, 0, step, 0], [seed, 0])[0]!);
    for (let n = 0; n < 3; n++) {
      const place = words.filter((word, m) => word < words[n]! || (word === words[n] && m < n)).length;
      if (restore[3 * b + n] !== place || (place < 2 && keep[2 * b + place] !== n)) {
        assertEquals([b, n, restore[3 * b + n]], [b, n, place]);
      }
    }
  }
});

// total is given sums of what a software adapter does not add in one loop
largeTest("recordTotal() and storeRows() take all rows", { many: ["record.store_rows"] }, async (run) => {
  const { firstRow = 0 } = LARGE_STEP;
  const [x, values] = run.input("x", [N, 1], 1, Math.abs);
  const sums = run.output("sums", [1, 2]), rows = run.output("rows", [N + 3, 1]);
  recordTotal(run.tape, x, sums, 1, 0.5);
  storeRows(run.tape, x, rows);
  const found = await run.compute({ sums, rows });
  const total = values.reduce((sum, v) => sum + v, 0);
  assertEvery(found.sums.subarray(1), () => total / 2, "total");
  assertEvery(found.rows.subarray(firstRow), (i) => values[i]!, "rows");
  assert(found.rows.subarray(0, firstRow).every(Number.isNaN));
});

const RECEIVED = ["sum_keys", "masses", "sum_queries", "receive"].map((entry) => `attention_received.${entry}`);

largeTest("attentionReceived() is its formula", { many: RECEIVED }, async (run) => {
  const [qkv, x] = run.input("qkv", [N, 1, 3], 1);
  const { received } = await run.compute({ received: attentionReceived(run.tape, qkv, 1, 0.5) });
  const positive = (i: number) => Math.max(0, x[i]!);
  assertEvery(
    received,
    (i) => positive(3 * i) * positive(3 * i + 1) / Math.max(0.5, positive(3 * i) * positive(3 * i + 1)),
    "received",
  );
});

// an invocation moves 16 elements: more than 65,535 workgroups of them are no tensor that 128 MiB hold
largeTest("transpose() exchanges axes", { few: ["transpose.main"] }, async (run) => {
  const [rows, columns] = [2052, 2048];
  const [x, values] = run.input("x", [rows, columns], 1);
  const { y } = await run.compute({ y: transpose(run.tape, x) });
  assertEvery(y, (i) => values[i % rows * columns + Math.floor(i / rows)]!, "y");
});

gpuTest("Plan.firstNonFinite() looks at the last of more than 2^22 elements", async (gpu) => {
  const source = `
// uses lib/invocation.wgsl
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(WIDTH) fn main(ids: Ids) {
  let i = invocation(ids);
  if (i < arrayLength(&y)) { y[i] = x[i]; }
}`;
  for (const [last, expected] of [[1, undefined], [Infinity, "copy"]] as const) {
    const x = placed(gpu, "x", [N], new Float32Array(N).fill(last, N - 1));
    const copy = { label: "copy", bytes: 4 * N };
    const launch = { kernel: kernelOf("copy", source), entry: "main", label: "copy", constants: {}, workgroups: Math.ceil(N / 64) };
    using plan = new Plan(gpu, [{ ...launch, bindings: { x: x.storage, y: copy } }]);
    assertEquals(await plan.firstNonFinite(), expected);
    x.storage.place.buffer.destroy();
  }
});
