/** @file The formulas of the kernels, in double precision and plain loops. */

import { philox } from "../../lib/random.ts";
import type { Draw } from "../../lib/tensor/ops/dropout.ts";

/** op(A) op(B); A is (m, k) or, transposed, (k, m); B is (k, n) or (n, k). */
export function matmul(
  a: Float64Array,
  b: Float64Array,
  [m, n, k]: readonly [number, number, number],
  aTransposed = false,
  bTransposed = false,
): Float64Array {
  const c = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let p = 0; p < k; p++) sum += a[aTransposed ? p * m + i : i * k + p]! * b[bTransposed ? j * k + p : p * n + j]!;
      c[i * n + j] = sum;
    }
  }
  return c;
}

/** erf by its Taylor series or, far out, by a continued fraction: good to 1e-15. */
export function erf(x: number): number {
  const z = Math.abs(x);
  if (z > 6) return Math.sign(x);
  let value: number;
  if (z < 2.5) {
    let term = z, sum = z;
    for (let n = 1; Math.abs(term) > 1e-18; n++) {
      term *= -z * z / n;
      sum += term / (2 * n + 1);
    }
    value = 2 / Math.sqrt(Math.PI) * sum;
  } else {
    let fraction = 0;
    for (let n = 60; n > 0; n--) fraction = n / 2 / (z + fraction);
    value = 1 - Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + fraction);
  }
  return Math.sign(x) * value;
}

/** x Phi(x). */
export function gelu(x: number): number {
  return 0.5 * x * (1 + erf(x / Math.SQRT2));
}

/** What dropout and drop path multiply each element by; each image is so many elements. */
export function dropScales(
  { dropout, path, stream }: Draw,
  images: number,
  perImage: number,
  { seed, step }: { readonly seed: number; readonly step: number },
): Float64Array {
  const kept = (word: number, rate: number) => (word >>> 8) * 2 ** -24 >= rate;
  return Float64Array.from({ length: images * perImage }, (_, i) => {
    const element = philox([i >> 2, stream, step, 0], [seed, 0])[i % 4]!;
    const image = philox([Math.floor(i / perImage), stream, step, 1], [seed, 0])[0]!;
    return kept(element, dropout) && kept(image, path) ? 1 / ((1 - dropout) * (1 - path)) : 0;
  });
}

/** Layer normalisation of rows of length dim. */
export function layerNorm(x: Float64Array, weight: Float64Array, bias: Float64Array): Float64Array {
  const dim = weight.length;
  const rows = Array.from({ length: x.length / dim }, (_, r) => moments(x.subarray(r * dim, (r + 1) * dim)));
  return x.map((value, i) => {
    const [mean, variance] = rows[Math.floor(i / dim)]!;
    return (value - mean) / Math.sqrt(variance + 1e-5) * weight[i % dim]! + bias[i % dim]!;
  });
}

/** Mean and biased variance. */
export function moments(values: Float64Array): [mean: number, variance: number] {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  return [mean, values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length];
}

/** Batch normalisation of columns, each of `groups` equal parts of the rows by itself. */
export function batchNorm(x: Float64Array, weight: Float64Array, bias: Float64Array, groups: number): Float64Array {
  const dim = weight.length, rows = x.length / dim / groups;
  const statistics = new Map<string, [number, number]>();
  return x.map((value, i) => {
    const c = i % dim, g = Math.floor(i / dim / rows), key = `${g},${c}`;
    let found = statistics.get(key);
    if (!found) statistics.set(key, found = moments(Float64Array.from({ length: rows }, (_, r) => x[(g * rows + r) * dim + c]!)));
    return (value - found[0]) / Math.sqrt(found[1] + 1e-5) * weight[c]! + bias[c]!;
  });
}

/** An element of the query (part 0), key (1) or value (2) of a token; qkv is (B, N, 3, H, d). */
function qkvReader(qkv: Float64Array, tokens: number, heads: number, dim: number) {
  return (b: number, n: number, part: number, h: number, i: number) => qkv[(((b * tokens + n) * 3 + part) * heads + h) * dim + i]!;
}

/** ReLU linear attention; qkv is (B, N, 3, H, d). */
export function linearAttention(
  qkv: Float64Array,
  temperature: Float64Array,
  [batch, tokens, heads, dim]: readonly [number, number, number, number],
  floor: number,
): Float64Array {
  const at = qkvReader(qkv, tokens, heads, dim);
  const out = new Float64Array(batch * tokens * heads * dim);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const context = new Float64Array(dim * dim), ksum = new Float64Array(dim);
      for (let n = 0; n < tokens; n++) {
        for (let i = 0; i < dim; i++) {
          const k = Math.max(0, at(b, n, 1, h, i));
          ksum[i] = ksum[i]! + k;
          for (let j = 0; j < dim; j++) context[i * dim + j] = context[i * dim + j]! + k * at(b, n, 2, h, j);
        }
      }
      for (let n = 0; n < tokens; n++) {
        let mass = 0;
        for (let i = 0; i < dim; i++) mass += Math.max(0, at(b, n, 0, h, i)) * ksum[i]!;
        for (let j = 0; j < dim; j++) {
          let sum = 0;
          for (let i = 0; i < dim; i++) sum += Math.max(0, at(b, n, 0, h, i)) * context[i * dim + j]!;
          out[((b * tokens + n) * heads + h) * dim + j] = sum * temperature[h]! / Math.max(mass, floor);
        }
      }
    }
  }
  return out;
}

/** Softmax attention; qkv is (B, N, 3, H, d). */
export function softmaxAttention(
  qkv: Float64Array,
  [batch, tokens, heads, dim]: readonly [number, number, number, number],
): Float64Array {
  const at = qkvReader(qkv, tokens, heads, dim);
  const out = new Float64Array(batch * tokens * heads * dim);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let n = 0; n < tokens; n++) {
        const scores = Array.from({ length: tokens }, (_, m) => {
          let sum = 0;
          for (let i = 0; i < dim; i++) sum += at(b, n, 0, h, i) * at(b, m, 1, h, i);
          return Math.exp(sum / Math.sqrt(dim));
        });
        const total = scores.reduce((sum, s) => sum + s, 0);
        for (let i = 0; i < dim; i++) {
          const sum = scores.reduce((sum, s, m) => sum + s * at(b, m, 2, h, i), 0);
          out[((b * tokens + n) * heads + h) * dim + i] = sum / total;
        }
      }
    }
  }
  return out;
}

/** Depthwise convolution; x is (B, g, g, D), weight (D, 1, k, k). */
export function depthwiseConv(
  x: Float64Array,
  weight: Float64Array,
  bias: Float64Array,
  [batch, grid, dim, size]: readonly [number, number, number, number],
): Float64Array {
  const pad = size >> 1;
  const y = new Float64Array(x.length);
  for (let b = 0; b < batch; b++) {
    for (let r = 0; r < grid; r++) {
      for (let c = 0; c < grid; c++) {
        for (let d = 0; d < dim; d++) {
          let sum = bias[d]!;
          for (let i = 0; i < size; i++) {
            for (let j = 0; j < size; j++) {
              const row = r + i - pad, column = c + j - pad;
              if (row < 0 || row >= grid || column < 0 || column >= grid) continue;
              sum += weight[(d * size + i) * size + j]! * x[((b * grid + row) * grid + column) * dim + d]!;
            }
          }
          y[((b * grid + r) * grid + c) * dim + d] = sum;
        }
      }
    }
  }
  return y;
}
