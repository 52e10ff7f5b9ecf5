/** @file Linear layers with all that may follow them, whoever computes their gradient, also where tensors are bound in ranges. */

import type { GpuOptions } from "../../lib/gpu/device.ts";
import { batchNorm } from "../../lib/tensor/ops/batch_norm.ts";
import { type Draw, residual } from "../../lib/tensor/ops/dropout.ts";
import { linear, type LinearOptions, rectifiedLinear } from "../../lib/tensor/ops/linear.ts";
import { linearAttention } from "../../lib/tensor/ops/linear_attention.ts";
import { matmul } from "../../lib/tensor/ops/matmul.ts";
import type { MatmulOptions } from "../../lib/tensor/ops/matmul_product.ts";
import type { Parameter } from "../../lib/tensor/parameters.ts";
import type { Tape } from "../../lib/tensor/tape.ts";
import { createTensor, type Tensor } from "../../lib/tensor/tensor.ts";
import { gpuTest } from "../support/gpu.ts";
import { type Arrays, checkOp, OP_STEP } from "../support/ops.ts";
import * as reference from "../support/reference.ts";

const IMAGES = 12, TOKENS = 4, ROWS = IMAGES * TOKENS;

/** What kernels are for, and the most bytes they may bind: less than the tokens of all images, more than what is summed over them. */
const devices = (maxBinding: number): Readonly<Record<string, GpuOptions>> => ({
  "by the kernels of the adapter": {},
  "by those for GPUs": { software: false },
  "bound in ranges": { maxBinding },
  "bound in ranges, by those for GPUs": { maxBinding, software: false },
});

/** In, hidden and out: sizes in fours, and others. */
const WIDTHS = [[4, 8, 4], [3, 7, 6]] as const;

/** What may follow a layer; a residual is added to `other`. */
interface Ending {
  readonly gelu?: boolean;
  readonly dropout?: number;
  readonly path?: number;
  readonly ends?: boolean;
}

const ENDINGS: readonly Ending[] = [
  {},
  { gelu: true },
  { dropout: 0.3 },
  { gelu: true, dropout: 0.3 },
  { ends: true },
  { ends: true, dropout: 0.3, path: 0.4 },
  { ends: true, gelu: true },
  { ends: true, gelu: true, dropout: 0.3, path: 0.4 },
];

function optionsOf({ gelu = false, dropout = 0, path = 0, ends = false }: Ending, to: Tensor): LinearOptions {
  return ends ? { gelu, residual: { to, dropout, path } } : { gelu, dropout };
}

function formula(ending: Ending, from: number, to: number): (a: Arrays) => Float64Array {
  const draw: Draw = { dropout: 0, path: 0, stream: 0, ...ending };
  const scales = reference.dropScales(draw, IMAGES, TOKENS * to, OP_STEP);
  return (a) => {
    const product = reference.matmul(a["x"]!, a["w.weight"]!, [ROWS, to, from], false, true);
    return product.map((value, i) => {
      const biased = value + a["w.bias"]![i % to]!;
      return scales[i]! * (ending.gelu ? reference.gelu(biased) : biased) + (ending.ends ? a["other"]![i]! : 0);
    });
  };
}

/** Who computes the gradient of the layer's result: it may do what is left to do on it in the same pass, or not. */
interface Reader {
  readonly record: (tape: Tape, y: Tensor, p: Record<string, Parameter>) => Tensor;
  readonly reference: (y: Float64Array, a: Arrays) => Float64Array;
}

function readers(width: number, out: number): Record<string, Reader> {
  const layer = (tape: Tape, y: Tensor, p: Record<string, Parameter>) => linear(tape, y, p["v.weight"]!, p["v.bias"]!);
  const product = (y: Float64Array, a: Arrays) => {
    return reference.matmul(y, a["v.weight"]!, [ROWS, out, width], false, true).map((v, i) => v + a["v.bias"]![i % out]!);
  };
  const sum = (x: Float64Array) => Float64Array.from({ length: ROWS * out }, (_, i) => x[i]! + x[i]!);
  return {
    nobody: { record: (_, y) => y, reference: (y) => y },
    "another layer": { record: layer, reference: product },
    "another layer, twice": {
      record: (tape, y, p) => residual(tape, layer(tape, y, p), layer(tape, y, p)),
      reference: (y, a) => sum(product(y, a)),
    },
    "a batch normalisation": {
      record: (tape, y, p) => {
        const running = {
          runningMean: createTensor(tape.gpu, "mean", [width]),
          runningVar: createTensor(tape.gpu, "var", [width]),
        };
        return batchNorm(tape, y, { weight: p["n.weight"]!, bias: p["n.bias"]!, ...running });
      },
      reference: (y, a) => reference.batchNorm(y, a["n.weight"]!, a["n.bias"]!, 1),
    },
  };
}

for (const [device, options] of Object.entries(devices(1024))) {
  for (const [from, width, out] of WIDTHS) {
    for (const ending of ENDINGS) {
      const what = Object.entries(ending).map(([name, value]) => value === true ? name : `${name} ${value}`).join(", ");
      gpuTest(`linear() of ${from} to ${width} with { ${what} } is its formula, forward and backward, ${device}`, async (gpu) => {
        const layer = formula(ending, from, width);
        for (const [reader, { record, reference }] of Object.entries(readers(width, out))) {
          const read = { another: /layer/.test(reader), normalised: /norm/.test(reader) };
          // what is linear in the bias is the same after a normalisation, whatever the bias
          if (read.normalised && !ending.gelu && !ending.dropout) continue;
          await checkOp(gpu, {
            inputs: { x: [IMAGES, TOKENS, from], ...(ending.ends && { other: [IMAGES, TOKENS, width] }) },
            parameters: {
              ...{ "w.weight": [width, from], "w.bias": [width] },
              ...(read.another && { "v.weight": [out, width], "v.bias": [out] }),
              ...(read.normalised && { "n.weight": [width], "n.bias": [width] }),
            },
            record: (tape, inputs, p) => {
              const y = linear(tape, inputs["x"]!, p["w.weight"]!, p["w.bias"]!, optionsOf(ending, inputs["other"]!));
              return record(tape, y, p);
            },
            reference: (a) => reference(layer(a), a),
            tolerance: 1e-4,
          });
        }
      }, options);
    }
  }
}

for (const [device, options] of Object.entries(devices(2048))) {
  for (const size of [3, 4]) {
    gpuTest(`linearAttention() of rectifiedLinear() with head size ${size} is its formula, ${device}`, async (gpu) => {
      const heads = 2, features = 4, width = 3 * heads * size;
      await checkOp(gpu, {
        inputs: { x: [IMAGES, TOKENS, features] },
        parameters: { "qkv.weight": [width, features], "qkv.bias": [width], "a.temperature": [heads, 1, 1] },
        record: (tape, { x }, p) => {
          const qkv = rectifiedLinear(tape, x!, p["qkv.weight"]!, p["qkv.bias"]!, 2 * heads * size);
          return linearAttention(tape, qkv, p["a.temperature"]!, 0.5);
        },
        reference: (a) => {
          const product = reference.matmul(a["x"]!, a["qkv.weight"]!, [ROWS, width, features], false, true);
          const qkv = product.map((value, i) => value + a["qkv.bias"]![i % width]!);
          return reference.linearAttention(qkv, a["a.temperature"]!, [IMAGES, TOKENS, heads, size], 0.5);
        },
        tolerance: 1e-4,
      });
    }, options);
  }
}

Deno.test("linear() and matmul() do not type-check with what cannot be combined", () => {
  const combinations = (x: Tensor, draw: Draw, batches: { images: number; heads: number }): [LinearOptions[], MatmulOptions[]] => [
    [
      // @ts-expect-error: the dropout of a branch is its residual's
      { dropout: 0.1, residual: { to: x } },
      // @ts-expect-error: what went through ReLU is no tensor, but the result of rectifiedLinear()
      { relu: 4 },
    ],
    [
      // @ts-expect-error: sums are those of rows of a transposed A
      { rowSums: x },
      // @ts-expect-error: sums of a transposed A may be cut
      { aTransposed: true, bias: x },
      // @ts-expect-error: likewise
      { aTransposed: true, relu: 4 },
      // @ts-expect-error: many products have no epilogue
      { batches, geluPre: x },
      // @ts-expect-error: likewise
      { batches, drop: draw },
    ],
  ];
  // @ts-expect-error: what went through ReLU is no tensor
  const chain = (tape: Tape, p: Parameter) => linear(tape, rectifiedLinear(tape, p, p, p, 4), p, p);
  // @ts-expect-error: attention takes what went through ReLU
  const attention = (tape: Tape, p: Parameter) => linearAttention(tape, linear(tape, p, p, p), p, 1);
  void [combinations, chain, attention, matmul];
});
