/** @file Operations on active tokens: what they are on those tokens alone, whatever stands at other places and in rows that no token has. */

import { assertEquals } from "@std/assert";
import type { Gpu } from "../../lib/gpu/device.ts";
import { fromPlaces, toPlaces } from "../../lib/tensor/ops/active_tokens.ts";
import { addRepeated } from "../../lib/tensor/ops/add.ts";
import { batchNorm } from "../../lib/tensor/ops/batch_norm.ts";
import { dropout, residual } from "../../lib/tensor/ops/dropout.ts";
import { gelu } from "../../lib/tensor/ops/gelu.ts";
import { layerNorm } from "../../lib/tensor/ops/layer_norm.ts";
import { linear, rectifiedLinear } from "../../lib/tensor/ops/linear.ts";
import { linearAttention } from "../../lib/tensor/ops/linear_attention.ts";
import { meanTokens } from "../../lib/tensor/ops/mean_tokens.ts";
import type { Parameter } from "../../lib/tensor/parameters.ts";
import { createStep, writeStep } from "../../lib/tensor/step.ts";
import { Tape } from "../../lib/tensor/tape.ts";
import { createTensor, read, type Tensor, type Tokens, write } from "../../lib/tensor/tensor.ts";
import { variantsTest } from "../support/gpu.ts";
import { type Arrays, checkOp, keep, placed } from "../support/ops.ts";
import * as reference from "../support/reference.ts";

const NONE = 2 ** 32 - 1;

/** Active tokens of images that are known on the host: places by image. */
function tokensOf(gpu: Gpu, active: readonly (readonly number[])[], places: number, most: number): Tokens {
  const images = active.length,
    capacity = images * most,
    flat = active.flatMap((list, image) => list.map((place) => ({ image, place })));
  const words = new Uint32Array(6 + images + 1 + 2 * capacity);
  const rows = new Uint32Array(images * places).fill(NONE);
  words.set([flat.length, capacity, images, places, 0, 0]);
  active.forEach((list, image) => words[6 + image + 1] = words[6 + image]! + list.length);
  flat.forEach(({ image, place }, row) => {
    words[6 + images + 1 + row] = image;
    words[6 + images + 1 + capacity + row] = place;
    rows[image * places + place] = row;
  });
  const table = createTensor(gpu, "tokens", [words.length], "u32"), rowsAt = createTensor(gpu, "rows", [images, places], "u32");
  write(gpu, table, words);
  write(gpu, rowsAt, rows);
  return { images, places, most, atOnce: images, tables: [table], rows: rowsAt };
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
