/** @file Operations on active tokens: what they are on those tokens alone, whatever stands at other places and in rows that no token has. */

import { assertEquals, assertThrows } from "@std/assert";
import type { Gpu } from "../../lib/gpu/device.ts";
import { activeTokens, fromPlaces, lineOf, tokenTensor, toPlaces } from "../../lib/tensor/ops/active_tokens.ts";
import { addRepeated } from "../../lib/tensor/ops/add.ts";
import { batchNorm } from "../../lib/tensor/ops/batch_norm.ts";
import { depthwiseConv, depthwiseConvGelu } from "../../lib/tensor/ops/depthwise_conv.ts";
import { dropout, residual } from "../../lib/tensor/ops/dropout.ts";
import { gelu } from "../../lib/tensor/ops/gelu.ts";
import { l2Normalise } from "../../lib/tensor/ops/l2_normalise.ts";
import { layerNorm } from "../../lib/tensor/ops/layer_norm.ts";
import { linear, rectifiedLinear } from "../../lib/tensor/ops/linear.ts";
import { linearAttention } from "../../lib/tensor/ops/linear_attention.ts";
import { meanTokens } from "../../lib/tensor/ops/mean_tokens.ts";
import { type Parameter, Parameters } from "../../lib/tensor/parameters.ts";
import { createStep, writeStep } from "../../lib/tensor/step.ts";
import { Tape } from "../../lib/tensor/tape.ts";
import { createTensor, type PlacedTensor, read, sizeOf, type Tensor, type Tokens, write } from "../../lib/tensor/tensor.ts";
import { gpuTest, variantsTest } from "../support/gpu.ts";
import { assertClose } from "../support/fixtures.ts";
import { type Arrays, checkOp, keep, placed, randoms } from "../support/ops.ts";
import * as reference from "../support/reference.ts";

const NONE = 2 ** 32 - 1;

/** Active tokens of images that are known on the host: places by image. */
function tokensOf(gpu: Gpu, active: readonly (readonly number[])[], places: number, most: number): Tokens {
  const images = active.length,
    capacity = images * most,
    flat = active.flatMap((list, image) => list.map((place) => ({ image, place })));
  const header = [flat.length, capacity, images, 0, 0], starts = header.length, cells = starts + images + 1;
  const words = new Uint32Array(cells + capacity);
  const rows = new Uint32Array(images * places).fill(NONE);
  words.set(header);
  active.forEach((list, image) => words[starts + image + 1] = words[starts + image]! + list.length);
  flat.forEach(({ image, place }, row) => {
    const cell = image * places + place;
    words[cells + row] = cell;
    rows[cell] = row;
  });
  const grid = Math.sqrt(places), shape = [images, grid, lineOf(grid)];
  return {
    ...{ images, places, most, atOnce: images },
    tables: [integers(gpu, "tokens", [words.length], words)],
    rows: integers(gpu, "rows", [images, places], rows),
    lines: integers(gpu, "lines", shape, linesOf(rows, grid)),
  };
}

function integers(gpu: Gpu, name: string, shape: readonly number[], values: Uint32Array): PlacedTensor {
  const tensor = createTensor(gpu, name, shape, "u32");
  write(gpu, tensor, values);
  return tensor;
}

/** What `lines` of active tokens should be. */
function linesOf(rows: Uint32Array, grid: number): Uint32Array {
  const line = lineOf(grid);
  return Uint32Array.from({ length: rows.length / grid * line }, (_, i) => {
    const of = rows.subarray(Math.floor(i / line) * grid, (Math.floor(i / line) + 1) * grid), word = i % line - 1;
    if (word < 0) return of.find((row) => row !== NONE) ?? 0;
    return of.subarray(32 * word, 32 * word + 32).reduce((bits, row, c) => row === NONE ? bits : bits + 2 ** c, 0);
  });
}

const PLACES = 9;
const ALL = Array.from({ length: PLACES }, (_, n) => n);

const SOME = "some of each image";
/** Active places of four images, and the room for each image. */
const BATCHES: Readonly<Record<string, readonly [active: readonly (readonly number[])[], most: number]>> = {
  [SOME]: [[[1, 4, 8], [0, 2, 3, 5, 7], [3], [0, 1, 2, 3, 4, 5, 8]], 9],
  "as many as there is room for": [[[1, 4], [0, 7], [3, 8], [0, 1]], 2],
  "images without any": [[[], [2, 5, 6], [], [0, 8]], 5],
  "one in all": [[[], [], [4], []], 3],
  "all places": [[ALL, ALL, ALL, ALL], 9],
};

/** An operation from tokens to tokens, and its formula for the tokens of the batch, row by row, image by image. */
interface TokenOp {
  readonly parameters?: (dim: number) => Record<string, readonly number[]>;
  readonly record: (tape: Tape, x: Tensor, p: Record<string, Parameter>) => Tensor;
  readonly reference: (rows: Float64Array, a: Arrays, images: readonly (readonly number[])[], dim: number) => Float64Array;
}

const affine = (dim: number) => ({ "n.weight": [dim], "n.bias": [dim] });
const layer = (dim: number) => ({ "w.weight": [dim, dim], "w.bias": [dim] });

const convolution = (dim: number) => ({ "c.weight": [dim, 1, 5, 5], "c.bias": [dim] });

/** The convolution of images. */
function convolved(all: Float64Array, a: Arrays, images: number): Float64Array {
  const weight = a["c.weight"]!, bias = a["c.bias"]!, dim = bias.length;
  const grid = Math.sqrt(all.length / images / dim), size = Math.sqrt(weight.length / dim);
  return reference.depthwiseConv(all, weight, bias, [images, grid, dim, size]);
}

/** Rows of tokens, computed with all places of their images, zeros where no token is. */
function atPlaces(
  rows: Float64Array,
  images: readonly (readonly number[])[],
  of: (all: Float64Array) => Float64Array,
): Float64Array {
  const cells = images.flatMap((list, image) => list.map((place) => image * PLACES + place)), dim = rows.length / cells.length;
  const all = new Float64Array(images.length * PLACES * dim);
  cells.forEach((cell, row) => all.set(rows.subarray(row * dim, (row + 1) * dim), cell * dim));
  const y = of(all);
  return Float64Array.from(cells.flatMap((cell) => [...y.subarray(cell * dim, (cell + 1) * dim)]));
}

function product(x: Float64Array, weight: Float64Array, bias: Float64Array): Float64Array {
  const [n, k] = [bias.length, weight.length / bias.length];
  return reference.matmul(x, weight, [x.length / k, n, k], false, true).map((value, i) => value + bias[i % n]!);
}

/** Rows of each image by themselves. */
function byImage(
  rows: Float64Array,
  images: readonly (readonly number[])[],
  of: (rows: Float64Array) => Float64Array,
): Float64Array {
  const dim = rows.length / images.flat().length;
  let first = 0;
  return Float64Array.from(images.flatMap(({ length }) => {
    const own = rows.slice(first * dim, (first + length) * dim);
    first += length;
    return length === 0 ? [] : [...of(own)];
  }));
}

const OPS: Readonly<Record<string, TokenOp>> = {
  "a move to places and back": {
    record: (tape, x) => fromPlaces(tape, toPlaces(tape, x), x.tokens!),
    reference: (rows) => rows,
  },
  "GELU": { record: (tape, x) => gelu(tape, x), reference: (rows) => rows.map(reference.gelu) },
  "a sum of two branches": {
    record: (tape, x) => residual(tape, x, gelu(tape, x)),
    reference: (rows) => rows.map((v) => v + reference.gelu(v)),
  },
  "a linear layer under GELU, as a branch": {
    parameters: layer,
    record: (tape, x, p) => linear(tape, x, p["w.weight"]!, p["w.bias"]!, { gelu: true, residual: { to: x } }),
    reference: (rows, a) => product(rows, a["w.weight"]!, a["w.bias"]!).map((v, i) => reference.gelu(v) + rows[i]!),
  },
  "layer normalisation": {
    parameters: affine,
    record: (tape, x, p) => layerNorm(tape, x, p["n.weight"]!, p["n.bias"]!),
    reference: (rows, a) => reference.layerNorm(rows, a["n.weight"]!, a["n.bias"]!),
  },
  "batch normalisation": {
    parameters: affine,
    record: (tape, x, p) => {
      const running = (name: string) => createTensor(tape.gpu, name, p["n.bias"]!.shape);
      const tensors = { weight: p["n.weight"]!, bias: p["n.bias"]!, runningMean: running("mean"), runningVar: running("var") };
      return batchNorm(tape, x, tensors, { views: 2 });
    },
    reference: (rows, a, images, dim) => {
      const first = images.slice(0, images.length / 2).flat().length * dim;
      const of = (part: Float64Array) => reference.batchNorm(part, a["n.weight"]!, a["n.bias"]!, 1);
      return Float64Array.from([...of(rows.slice(0, first)), ...of(rows.slice(first))]);
    },
  },
  "linear attention": {
    parameters: (dim) => ({ "w.weight": [3 * dim, dim], "w.bias": [3 * dim], "temperature": [dim / 4, 1, 1] }),
    record: (tape, x, p) => {
      const qkv = rectifiedLinear(tape, x, p["w.weight"]!, p["w.bias"]!, 2 * x.shape.at(-1)!);
      return linearAttention(tape, qkv, p["temperature"]!, 3);
    },
    reference: (rows, a, images, dim) =>
      byImage(product(rows, a["w.weight"]!, a["w.bias"]!), images, (qkv) => {
        return reference.linearAttention(qkv, a["temperature"]!, [1, qkv.length / 3 / dim, dim / 4, 4], 3);
      }),
  },
  "depthwise convolution": {
    parameters: convolution,
    record: (tape, x, p) => depthwiseConv(tape, x, p["c.weight"]!, p["c.bias"]!, { tokens: x.tokens }),
    reference: (rows, a, images) => atPlaces(rows, images, (all) => convolved(all, a, images.length)),
  },
  "depthwise convolution of all places, under GELU, between two of some": {
    parameters: convolution,
    record: (tape, x, p) => {
      const { y } = depthwiseConvGelu(tape, x, p["c.weight"]!, p["c.bias"]!);
      return depthwiseConv(tape, y, p["c.weight"]!, p["c.bias"]!, { tokens: x.tokens });
    },
    reference: (rows, a, images) =>
      atPlaces(rows, images, (all) => convolved(convolved(all, a, images.length).map(reference.gelu), a, images.length)),
  },
  "embedding of places": {
    parameters: (dim) => ({ "p": [1, PLACES, dim] }),
    record: (tape, x, p) => addRepeated(tape, x, p["p"]!),
    reference: (rows, a, images, dim) => {
      const places = images.flat();
      return rows.map((v, i) => v + a["p"]![places[Math.floor(i / dim)]! * dim + i % dim]!);
    },
  },
};

for (const [name, [active, most]] of Object.entries(BATCHES)) {
  for (const [what, op] of Object.entries(OPS)) {
    const dims = what === "linear attention" ? [4, 12] : [8, 5];
    for (const dim of name === SOME ? dims : dims.slice(0, 1)) {
      variantsTest(`${what} of active tokens, ${name}, ${dim} values each`, async (gpu) => {
        const tokens = tokensOf(gpu, active, PLACES, most);
        const cells = active.flatMap((places, image) => places.map((place) => (image * PLACES + place) * dim));
        await checkOp(gpu, {
          inputs: { x: [active.length, PLACES, dim] },
          parameters: op.parameters?.(dim) ?? {},
          record: (tape, { x }, p) => toPlaces(tape, op.record(tape, fromPlaces(tape, x!, tokens), p)),
          reference: (a) => {
            const rows = Float64Array.from(cells.flatMap((cell) => [...a["x"]!.subarray(cell, cell + dim)]));
            const y = op.reference(rows, a, active, dim), out = new Float64Array(active.length * PLACES * dim);
            cells.forEach((cell, row) => out.set(y.subarray(row * dim, (row + 1) * dim), cell));
            return out;
          },
          tolerance: 1e-4,
        });
      });
    }
  }

  variantsTest(`meanTokens() of active tokens, ${name}, is that of each image, 0 without any`, async (gpu) => {
    const tokens = tokensOf(gpu, active, PLACES, most), dim = 6;
    await checkOp(gpu, {
      inputs: { x: [active.length, PLACES, dim] },
      record: (tape, { x }) => meanTokens(tape, fromPlaces(tape, x!, tokens)),
      reference: (a) =>
        Float64Array.from(active.flatMap((places, image) =>
          Array.from({ length: dim }, (_, d) => {
            return places.reduce((sum, place) => sum + a["x"]![(image * PLACES + place) * dim + d]!, 0) /
              Math.max(1, places.length);
          })
        )),
    });
  });
}

for (const grid of [31, 32, 34, 65]) {
  variantsTest(
    `depthwise convolution of active tokens of a grid of ${grid} x ${grid} is that of all places, zeros elsewhere`,
    async (gpu) => {
      const places = grid * grid, dim = 4, shape = [3, places, dim];
      const all = Array.from({ length: places }, (_, n) => n);
      // columns at both ends of words, and some of the others; no token; all of them
      const active = [all.filter((n) => n % grid % 31 === 0 || n * 7919 % 13 < 4 && n % 3 !== 0), [], all];
      const tape = new Tape(gpu, { training: true });
      const here = Uint32Array.from(active.flatMap((list) => all.map((n) => Number(list.includes(n)))));
      const marks = integers(gpu, "marks", [3, places], here);
      const tokens = activeTokens(tape, marks, places), expected = tokensOf(gpu, active, places, places);
      const x = placed(gpu, "x", shape, randoms(sizeOf(shape), 1)), dy = placed(gpu, "dy", shape, randoms(sizeOf(shape), 2));
      const model = (some: boolean) => {
        const declared = Object.entries(convolution(dim)).map(([name, s], i) => ({
          name,
          shape: s,
          initial: randoms(sizeOf(s), 3 + i),
        }));
        const parameters = new Parameters(gpu, declared), weight = parameters.get("c.weight"), bias = parameters.get("c.bias");
        const mine = fromPlaces(tape, x, tokens), input = some ? mine : toPlaces(tape, mine);
        tape.watch(input);
        const y = depthwiseConv(tape, input, weight, bias, some ? { tokens } : {});
        const output = toPlaces(tape, some ? y : fromPlaces(tape, y, tokens));
        tape.replaceGradient(output, dy);
        return { output, input, parameters };
      };
      const runs = [true, false].map(model);
      tape.backward();
      const kept = runs.map(({ output, input }) => {
        const dx = tape.gradient(input)!;
        return [keep(tape, output), keep(tape, toPlaces(tape, dx.tokens ? dx : fromPlaces(tape, dx, tokens)))];
      });
      const lines = keep(tape, tokens.lines);
      tape.compile({ poison: true }).run();
      const [some, dense] = await Promise.all(
        kept.map(async (tensors) => await Promise.all(tensors.map((tensor) => read(gpu, tensor)))),
      );
      assertClose(some![0]!, dense![0]!, "output", 1e-6);
      assertClose(some![1]!, dense![1]!, "gradient of x", 1e-6);
      const [ofSome, ofAll] = await Promise.all(runs.map(({ parameters }) => parameters.gradientState()));
      for (const name of ["c.weight", "c.bias"]) {
        assertClose(ofSome!.get(name)!.values, ofAll!.get(name)!.values, `gradient of ${name}`, 1e-5);
      }
      const words = async (tensor: PlacedTensor) => new Uint32Array((await read(gpu, tensor)).buffer);
      assertEquals(await words(lines), await words(expected.lines as PlacedTensor));
    },
  );
}

variantsTest("dropout of a path leaves out the active tokens of whole images", async (gpu) => {
  const [active, most] = BATCHES[SOME]!, dim = 4;
  const step = createStep(gpu);
  writeStep(gpu, step, { seed: 3, step: 1 });
  const tape = new Tape(gpu, { training: true, step });
  const x = fromPlaces(
    tape,
    placed(gpu, "x", [4, PLACES, dim], new Float32Array(4 * PLACES * dim).fill(1)),
    tokensOf(gpu, active, PLACES, most),
  );
  const zeros = dropout(tape, x, 0);
  const y = keep(tape, toPlaces(tape, residual(tape, zeros, x, { path: 0.5 })));
  tape.compile({ poison: true }).run();
  const values = await read(gpu, y);
  const kept = active.map((places, image) => new Set(places.map((place) => values[(image * PLACES + place) * dim])));
  assertEquals(kept.map(({ size }) => size), [1, 1, 1, 1]);
  assertEquals(new Set(kept.flatMap((set) => [...set])), new Set([1, 3]));
});

gpuTest("Tape.dispatch() refuses active tokens to a kernel that knows nothing of them", (gpu) => {
  const tape = new Tape(gpu, { training: false });
  const x = tokenTensor(tape, "x", tokensOf(gpu, [[0, 1]], PLACES, 2), 4);
  assertThrows(() => l2Normalise(tape, x), Error, "l2_normalise");
  return Promise.resolve();
});
