/** @file Every kernel with a gradient against its formula in double precision, at sizes that no tile divides. */

import { assertThrows } from "@std/assert";
import { type Gpu, GpuError } from "../../lib/gpu/device.ts";
import { addRepeated } from "../../lib/tensor/ops/add.ts";
import { batchNorm } from "../../lib/tensor/ops/batch_norm.ts";
import { depthwiseConv, depthwiseConvGelu } from "../../lib/tensor/ops/depthwise_conv.ts";
import { residual } from "../../lib/tensor/ops/dropout.ts";
import { gelu } from "../../lib/tensor/ops/gelu.ts";
import { l2Normalise } from "../../lib/tensor/ops/l2_normalise.ts";
import { layerNorm, residualNorm } from "../../lib/tensor/ops/layer_norm.ts";
import { linear, rectifiedLinear } from "../../lib/tensor/ops/linear.ts";
import { linearAttention } from "../../lib/tensor/ops/linear_attention.ts";
import { meanTokens } from "../../lib/tensor/ops/mean_tokens.ts";
import { softmaxAttention } from "../../lib/tensor/ops/softmax_attention.ts";
import { Parameters } from "../../lib/tensor/parameters.ts";
import { Tape } from "../../lib/tensor/tape.ts";
import { createTensor } from "../../lib/tensor/tensor.ts";
import { gpuTest } from "../support/gpu.ts";
import { checkOp, placed, randoms } from "../support/ops.ts";
import * as reference from "../support/reference.ts";

for (const [m, n, k] of [[7, 5, 3], [37, 29, 23], [36, 20, 28], [52, 68, 12], [130, 4, 36]] as const) {
  for (const withGelu of [false, true]) {
    gpuTest(`linear() of ${m} x ${k} by ${n} is x W^T + b${withGelu ? " under GELU" : ""}, forward and backward`, async (gpu) => {
      await checkOp(gpu, {
        inputs: { x: [m, k] },
        parameters: { "w.weight": [n, k], "w.bias": [n] },
        record: (tape, { x }, p) => linear(tape, x!, p["w.weight"]!, p["w.bias"]!, { gelu: withGelu }),
        reference: (a) => {
          const y = reference.matmul(a["x"]!, a["w.weight"]!, [m, n, k], false, true).map((v, i) => v + a["w.bias"]![i % n]!);
          return withGelu ? y.map(reference.gelu) : y;
        },
      });
    });
  }
}

/** True if all subgroups of an adapter have one size, so that a workgroup can be made of one. */
function hasSubgroups({ adapter: { subgroup: [least, most] } }: Gpu): boolean {
  return least === most && least > 0;
}

for (const by of ["invocation", "workgroup", "subgroup"] as const) {
  for (const [rows, dim] of [[3, 5], [70, 9], [4, 300]] as const) {
    gpuTest(`layerNorm() of ${rows} x ${dim} is its formula, forward and backward, a row by one ${by}`, async (gpu) => {
      if (by === "subgroup" && !hasSubgroups(gpu)) return;
      await checkOp(gpu, {
        inputs: { x: [rows, dim] },
        parameters: { "n.weight": [dim], "n.bias": [dim] },
        record: (tape, { x }, p) => layerNorm(tape, x!, p["n.weight"]!, p["n.bias"]!, { by }),
        reference: (a) => reference.layerNorm(a["x"]!, a["n.weight"]!, a["n.bias"]!),
      });
    });
  }
}

gpuTest("layerNorm() of rows that a software adapter does not add in one loop is refused there", async (gpu) => {
  const dim = 70_001;
  const record = () => {
    const tape = new Tape(gpu, { training: false });
    const model = new Parameters(gpu, ["n.weight", "n.bias"].map((name) => ({ name, shape: [dim], initial: randoms(dim, 1) })));
    layerNorm(tape, placed(gpu, "x", [1, dim], randoms(dim, 2)), model.get("n.weight"), model.get("n.bias"), { by: "invocation" });
    return tape.compile();
  };
  if (gpu.mostTurns === Infinity) record().run();
  else assertThrows(record, GpuError, 'kernel layer_norm.forward for "n" (elements: x 70001');
  await gpu.finish();
});

for (const by of ["invocation", "workgroup", "subgroup"] as const) {
  for (const [rows, dim] of [[6, 5], [6, 12]] as const) {
    gpuTest(
      `residualNorm() of ${dim} columns is the norm of a sum, with both gradients, a row by one ${by}`,
      async (gpu) => {
        if (by === "subgroup" && !hasSubgroups(gpu)) return;
        await checkOp(gpu, {
          inputs: { x: [rows, dim], branch: [rows, dim] },
          parameters: { "n.weight": [dim], "n.bias": [dim] },
          record: (tape, { x, branch }, p) => {
            const { sum, normed } = residualNorm(tape, x!, branch!, {}, p["n.weight"]!, p["n.bias"]!, { by });
            return residual(tape, sum, normed);
          },
          reference: (a) => {
            const sum = a["x"]!.map((v, i) => v + a["branch"]![i]!);
            return reference.layerNorm(sum, a["n.weight"]!, a["n.bias"]!).map((v, i) => v + sum[i]!);
          },
        });
      },
    );
  }
}

gpuTest("layerNorm() adds the gradient that its input has already", async (gpu) => {
  const [rows, dim] = [9, 12];
  await checkOp(gpu, {
    inputs: { x: [rows, dim] },
    parameters: { "n.weight": [dim], "n.bias": [dim] },
    record: (tape, { x }, p) => residual(tape, x!, layerNorm(tape, x!, p["n.weight"]!, p["n.bias"]!)),
    reference: (a) => reference.layerNorm(a["x"]!, a["n.weight"]!, a["n.bias"]!).map((v, i) => v + a["x"]![i]!),
  });
});

for (const groups of [1, 2]) {
  gpuTest(`batchNorm() with ${groups} group(s) normalises by the batch, forward and backward`, async (gpu) => {
    const [rows, dim] = [26, 7];
    await checkOp(gpu, {
      inputs: { x: [rows, dim] },
      parameters: { "n.weight": [dim], "n.bias": [dim] },
      record: (tape, { x }, p) => {
        const running = { runningMean: createTensor(gpu, "mean", [dim]), runningVar: createTensor(gpu, "variance", [dim]) };
        return batchNorm(tape, x!, { weight: p["n.weight"]!, bias: p["n.bias"]!, ...running }, { views: groups });
      },
      reference: (a) => reference.batchNorm(a["x"]!, a["n.weight"]!, a["n.bias"]!, groups),
    });
  });
}

for (const floor of [0.05, 20]) {
  for (const size of [5, 12]) {
    gpuTest(
      `linearAttention() of rectifiedLinear() with head size ${size} and floor ${floor} is its formula, forward and backward`,
      async (gpu) => {
        const [batch, tokens, heads, features] = [2, 11, 3, 6];
        const width = 3 * heads * size;
        await checkOp(gpu, {
          inputs: { x: [batch, tokens, features] },
          parameters: { "qkv.weight": [width, features], "qkv.bias": [width], "a.temperature": [heads, 1, 1] },
          record: (tape, { x }, p) => {
            const qkv = rectifiedLinear(tape, x!, p["qkv.weight"]!, p["qkv.bias"]!, 2 * heads * size);
            return linearAttention(tape, qkv, p["a.temperature"]!, floor);
          },
          reference: (a) => {
            const product = reference.matmul(a["x"]!, a["qkv.weight"]!, [batch * tokens, width, features], false, true);
            const qkv = product.map((value, i) => value + a["qkv.bias"]![i % width]!);
            return reference.linearAttention(qkv, a["a.temperature"]!, [batch, tokens, heads, size], floor);
          },
        });
      },
    );
  }
}

for (const [tokens, dim] of [[11, 5], [9, 12], [14, 8]] as const) {
  gpuTest(`softmaxAttention() of ${tokens} tokens with head size ${dim} is its formula, forward and backward`, async (gpu) => {
    const [batch, heads] = [2, 3];
    await checkOp(gpu, {
      inputs: { qkv: [batch, tokens, 3 * heads * dim] },
      record: (tape, { qkv }) => softmaxAttention(tape, qkv!, heads, "attention"),
      reference: (a) => reference.softmaxAttention(a["qkv"]!, [batch, tokens, heads, dim]),
    });
  });
}

for (const [grid, dim, size] of [[3, 6, 3], [7, 5, 5], [6, 3, 7], [2, 4, 7]] as const) {
  gpuTest(`depthwiseConv() of ${size} x ${size} on a ${grid} x ${grid} grid is its formula, forward and backward`, async (gpu) => {
    const batch = 3;
    await checkOp(gpu, {
      inputs: { x: [batch, grid * grid, dim] },
      parameters: { "c.weight": [dim, 1, size, size], "c.bias": [dim] },
      record: (tape, { x }, p) => depthwiseConv(tape, x!, p["c.weight"]!, p["c.bias"]!),
      reference: (a) => reference.depthwiseConv(a["x"]!, a["c.weight"]!, a["c.bias"]!, [batch, grid, dim, size]),
    });
  });
}

for (const fused of [false, true]) {
  for (const [dim, groups] of [[6, 1], [8, 2]] as const) {
    const how = `${fused ? "in one pass with its moments" : "in two passes"}, in ${groups} group(s)`;
    gpuTest(`depthwiseConvGelu() under batchNorm() is their formula, forward and backward, ${how}`, async (gpu) => {
      const [batch, grid, size] = [4, 5, 3];
      await checkOp(gpu, {
        inputs: { x: [batch, grid * grid, dim] },
        parameters: { "c.weight": [dim, 1, size, size], "c.bias": [dim], "n.weight": [dim], "n.bias": [dim] },
        record: (tape, { x }, p) => {
          const { y, moments } = depthwiseConvGelu(tape, x!, p["c.weight"]!, p["c.bias"]!, { fused });
          const running = { runningMean: createTensor(gpu, "mean", [dim]), runningVar: createTensor(gpu, "variance", [dim]) };
          return batchNorm(tape, y, { weight: p["n.weight"]!, bias: p["n.bias"]!, ...running }, { views: groups }, moments);
        },
        reference: (a) => {
          const y = reference.depthwiseConv(a["x"]!, a["c.weight"]!, a["c.bias"]!, [batch, grid, dim, size]).map(reference.gelu);
          return reference.batchNorm(y, a["n.weight"]!, a["n.bias"]!, groups);
        },
        tolerance: 1e-4,
      });
    });
  }
}

gpuTest("gelu() is x Phi(x) from -9 to 9, forward and backward", async (gpu) => {
  const x = Float32Array.from({ length: 301 }, (_, i) => -9 + 0.06 * i);
  await checkOp(gpu, {
    inputs: { x: [301] },
    values: { x },
    record: (tape, { x }) => gelu(tape, x!),
    reference: (a) => a["x"]!.map(reference.gelu),
  });
});

gpuTest("meanTokens() averages over tokens, forward and backward", async (gpu) => {
  const [batch, tokens, dim] = [3, 13, 7];
  await checkOp(gpu, {
    inputs: { x: [batch, tokens, dim] },
    record: (tape, { x }) => meanTokens(tape, x!),
    reference: (a) =>
      Float64Array.from({ length: batch * dim }, (_, i) => {
        let sum = 0;
        for (let n = 0; n < tokens; n++) sum += a["x"]![(Math.floor(i / dim) * tokens + n) * dim + i % dim]!;
        return sum / tokens;
      }),
  });
});

gpuTest("l2Normalise() gives rows of length 1, forward and backward", async (gpu) => {
  const [rows, dim] = [9, 11];
  await checkOp(gpu, {
    inputs: { x: [rows, dim] },
    record: (tape, { x }) => l2Normalise(tape, x!),
    reference: ({ x }) => x!.map((v, i) => v / Math.hypot(...x!.subarray(i - i % dim, i - i % dim + dim))),
  });
});

gpuTest("addRepeated() adds a parameter to every repetition, forward and backward", async (gpu) => {
  await checkOp(gpu, {
    inputs: { x: [5, 3, 7] },
    parameters: { pos: [1, 3, 7] },
    record: (tape, { x }, p) => addRepeated(tape, x!, p["pos"]!),
    reference: (a) => a["x"]!.map((v, i) => v + a["pos"]![i % 21]!),
  });
});

gpuTest("a parameter that is used twice receives the sum of both gradients", async (gpu) => {
  await checkOp(gpu, {
    inputs: { x: [6, 8] },
    parameters: { "w.weight": [8, 8], "w.bias": [8] },
    record: (tape, { x }, p) => {
      const layer = (input: typeof x) => linear(tape, input!, p["w.weight"]!, p["w.bias"]!);
      return layer(layer(x));
    },
    reference: (a) => {
      const layer = (input: Float64Array) =>
        reference.matmul(input, a["w.weight"]!, [6, 8, 8], false, true).map((v, i) => v + a["w.bias"]![i % 8]!);
      return layer(layer(a["x"]!));
    },
  });
});
