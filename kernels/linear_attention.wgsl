// ReLU linear attention with a temperature a head and a floor under the denominator
// (L2ViT, arXiv:2501.16182). For each image and head, with q, k, v (N, HEAD_DIM):
//
//   q+ = relu(q)    k+ = relu(k)
//   context = k+^T v          (HEAD_DIM, HEAD_DIM)
//   ksum    = sum_n k+[n]     (HEAD_DIM)
//   mass[n] = q+[n] . ksum
//   out[n]  = temperature q+[n] context / max(mass[n], FLOOR)
//
// and backward, with w[n] = 1 / max(mass[n], FLOOR):
//
//   dmass[n]     = -(dout[n] . out[n]) w[n]  where mass[n] >= FLOOR, else 0
//   gcontext     = q+^T (w dout)                       gradient of temperature * context
//   dksum        = sum_n dmass[n] q+[n]
//   dtemperature = sum of gcontext * context
//   dq[n] = (temperature w[n] dout[n] context^T + dmass[n] ksum)  where q > 0
//   dk[n] = (temperature v[n] gcontext^T + dksum)                 where k > 0
//   dv[n] =  temperature k+[n] gcontext
//
// qkv, dqkv          (B, N, 3, HEADS, HEAD_DIM): the output of one linear layer
// out, dout          (B, N, HEADS, HEAD_DIM)
// context, gcontext  (B, HEADS, HEAD_DIM, HEAD_DIM)
// ksum, dksum        (B, HEADS, HEAD_DIM)
// mass, dmass        (B, HEADS, N)
// temperature        (HEADS)
// dtemperature_parts (B, HEADS), added over B by column_sum.finish
//
// contract: one invocation a T x T tile of context (or gcontext), over all N tokens.
// expand:   one invocation T tokens x T columns of out, dq, dk or dv, over HEAD_DIM.
// Each of them loads 2 T values for T T multiplications, four values at a time ("quads") from the bindings
// whose names end in 4 if HEAD_DIM is a multiple of 4 (VECTOR).

const N: u32 = 9u;
const HEADS: u32 = 2u;
const HEAD_DIM: u32 = 8u;
const FLOOR: f32 = 100.0;
const T: u32 = 4u; // a multiple of 4
const VECTOR: bool = false;
// which of its results an entry point computes (exactly one of each pair or four is true)
const CONTEXT: bool = true;
const GCONTEXT: bool = false;
const OUT: bool = true;
const OUT_OR_DQ: bool = true;
const DQ: bool = false;
const TRANSPOSED: bool = false; // for dq and dk, which multiply by the transpose of the matrix, where it is not given transposed
const DK: bool = false;
const DV: bool = false;

const DIM: u32 = HEADS * HEAD_DIM;
const T4: u32 = T / 4u;
const TILES: u32 = (HEAD_DIM + T - 1u) / T;
const TOKEN_TILES: u32 = (N + T - 1u) / T;

struct Dims {
  images: u32,
}

@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> temperature: array<f32>;
@group(0) @binding(2) var<storage, read_write> context_out: array<f32>;
@group(0) @binding(3) var<storage, read_write> ksum_out: array<f32>;
@group(0) @binding(4) var<storage, read> context: array<f32>;
@group(0) @binding(5) var<storage, read> ksum: array<f32>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;
@group(0) @binding(7) var<storage, read_write> mass_out: array<f32>;
@group(0) @binding(8) var<storage, read> mass: array<f32>;
@group(0) @binding(9) var<storage, read> dout: array<f32>;
@group(0) @binding(10) var<storage, read> out_in: array<f32>;
@group(0) @binding(11) var<storage, read_write> dmass_out: array<f32>;
@group(0) @binding(12) var<storage, read> dmass: array<f32>;
@group(0) @binding(13) var<storage, read> gcontext: array<f32>;
@group(0) @binding(14) var<storage, read> dksum: array<f32>;
@group(0) @binding(15) var<storage, read_write> dqkv: array<f32>;
@group(0) @binding(16) var<storage, read_write> dtemperature_parts: array<f32>;
@group(0) @binding(17) var<storage, read> qkv4: array<vec4<f32>>;
@group(0) @binding(18) var<storage, read> dout4: array<vec4<f32>>;
@group(0) @binding(19) var<storage, read> context4: array<vec4<f32>>;
@group(0) @binding(20) var<storage, read> gcontext4: array<vec4<f32>>;
@group(0) @binding(21) var<uniform> dims: Dims;
@group(0) @binding(22) var<storage, read> ksum4: array<vec4<f32>>;
@group(0) @binding(23) var<storage, read> dksum4: array<vec4<f32>>;
@group(0) @binding(24) var<storage, read_write> context_out4: array<vec4<f32>>;
@group(0) @binding(25) var<storage, read_write> out4: array<vec4<f32>>;
@group(0) @binding(26) var<storage, read_write> dqkv4: array<vec4<f32>>;

// 1 where elements i ... i + 3 of a head exist, 0 beyond its end.
fn within(i: u32) -> vec4<f32> {
  return select(vec4<f32>(), vec4<f32>(1.0), vec4<u32>(i, i + 1u, i + 2u, i + 3u) < vec4<u32>(HEAD_DIM));
}

// Elements i ... i + 3 of the head or matrix row that begins at base; zeros beyond the end.
fn qkv_quad(base: u32, i: u32) -> vec4<f32> {
  if (VECTOR) {
    return qkv4[(base + i) / 4u];
  } else {
    let last = base + HEAD_DIM - 1u;
    let at = base + i;
    return within(i) * vec4<f32>(qkv[min(at, last)], qkv[min(at + 1u, last)], qkv[min(at + 2u, last)], qkv[min(at + 3u, last)]);
  }
}

fn dout_quad(base: u32, i: u32) -> vec4<f32> {
  if (VECTOR) {
    return dout4[(base + i) / 4u];
  } else {
    let last = base + HEAD_DIM - 1u;
    let at = base + i;
    return within(i) * vec4<f32>(dout[min(at, last)], dout[min(at + 1u, last)], dout[min(at + 2u, last)], dout[min(at + 3u, last)]);
  }
}

// Of context for out and dq, of gcontext for dk and dv.
fn matrix_quad(base: u32, i: u32) -> vec4<f32> {
  let last = base + HEAD_DIM - 1u;
  let at = base + i;
  if (OUT_OR_DQ) {
    if (VECTOR) {
      return context4[at / 4u];
    } else {
      return vec4<f32>(context[min(at, last)], context[min(at + 1u, last)], context[min(at + 2u, last)], context[min(at + 3u, last)]);
    }
  } else {
    if (VECTOR) {
      return gcontext4[at / 4u];
    } else {
      return vec4<f32>(gcontext[min(at, last)], gcontext[min(at + 1u, last)], gcontext[min(at + 2u, last)], gcontext[min(at + 3u, last)]);
    }
  }
}

// The last quad of a head stands in for those beyond its end, which are computed and not stored.
fn quad_start(i: u32) -> u32 {
  if (VECTOR) {
    return min(i, HEAD_DIM - 4u);
  } else {
    return i;
  }
}

// Index of q (part 0), k (1) or v (2) of a token.
fn part(b: u32, n: u32, which: u32, head: u32) -> u32 {
  return ((b * N + n) * 3u + which) * DIM + head * HEAD_DIM;
}

fn weight(b: u32, head: u32, n: u32) -> f32 {
  return 1.0 / max(mass[(b * HEADS + head) * N + n], FLOOR);
}

@compute @workgroup_size(64)
fn contract(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let index = id.x + id.y * groups.x * 64u;
  let tile = index % (TILES * TILES);
  let pair = index / (TILES * TILES);
  let head = pair % HEADS;
  let b = pair / HEADS;
  if (pair >= arrayLength(&ksum_out) / HEAD_DIM) {
    return;
  }
  let e0 = (tile / TILES) * T;
  let f0 = (tile % TILES) * T;
  // sum[e T4 + j] holds columns 4 j ... 4 j + 3 of row e of the tile
  var sum: array<vec4<f32>, T * T4>;
  var row_sum: array<vec4<f32>, T4>;
  for (var n = 0u; n < N; n++) {
    var x: array<vec4<f32>, T4>;
    var y: array<vec4<f32>, T4>;
    // unroll
    for (var i = 0u; i < T4; i++) {
      let e = quad_start(e0 + 4u * i);
      let f = quad_start(f0 + 4u * i);
      if (CONTEXT) {
        x[i] = max(qkv_quad(part(b, n, 1u, head), e), vec4<f32>());
        y[i] = qkv_quad(part(b, n, 2u, head), f);
        row_sum[i] += x[i];
      }
      if (GCONTEXT) {
        x[i] = max(qkv_quad(part(b, n, 0u, head), e), vec4<f32>());
        y[i] = dout_quad((b * N + n) * DIM + head * HEAD_DIM, f) * weight(b, head, n);
        row_sum[i] += x[i] * dmass[pair * N + n];
      }
    }
    // unroll
    for (var e = 0u; e < T; e++) {
      // unroll
      for (var j = 0u; j < T4; j++) {
        sum[e * T4 + j] = fma(vec4<f32>(x[e / 4u][e % 4u]), y[j], sum[e * T4 + j]);
      }
    }
  }
  // unroll
  for (var i = 0u; i < T; i++) {
    let e = e0 + i;
    if (e < HEAD_DIM) {
      if (f0 == 0u) {
        ksum_out[pair * HEAD_DIM + e] = row_sum[i / 4u][i % 4u];
      }
      // unroll
      for (var j = 0u; j < T4; j++) {
        let f = f0 + 4u * j;
        let at = (pair * HEAD_DIM + e) * HEAD_DIM + f;
        if (VECTOR) {
          if (f < HEAD_DIM) {
            context_out4[at / 4u] = sum[i * T4 + j];
          }
        } else {
          // unroll
          for (var s = 0u; s < 4u; s++) {
            if (f + s < HEAD_DIM) {
              context_out[at + s] = sum[i * T4 + j][s];
            }
          }
        }
      }
    }
  }
}

@compute @workgroup_size(64)
fn expand(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let index = id.x + id.y * groups.x * 64u;
  let token_tile = index % TOKEN_TILES;
  let tile = (index / TOKEN_TILES) % TILES;
  let pair = index / (TOKEN_TILES * TILES);
  let head = pair % HEADS;
  let b = pair / HEADS;
  if (b >= dims.images) {
    return;
  }
  let n0 = token_tile * T;
  let j0 = tile * T;
  let matrix = pair * HEAD_DIM * HEAD_DIM;
  // sum[r T4 + j] holds columns 4 j ... 4 j + 3 of token r of the tile
  var sum: array<vec4<f32>, T * T4>;
  var row_mass: array<f32, T>;
  for (var i = 0u; i < HEAD_DIM; i += 4u) {
    // left[r] holds elements i ... i + 3 of token r, right[p T4 + j] columns 4 j ... 4 j + 3 of row i + p
    var left: array<vec4<f32>, T>;
    var right: array<vec4<f32>, T>;
    // unroll
    for (var r = 0u; r < T; r++) {
      let n = min(n0 + r, N - 1u);
      if (OUT) {
        left[r] = max(qkv_quad(part(b, n, 0u, head), i), vec4<f32>());
      }
      if (DQ) {
        left[r] = dout_quad((b * N + n) * DIM + head * HEAD_DIM, i);
      }
      if (DK) {
        left[r] = qkv_quad(part(b, n, 2u, head), i);
      }
      if (DV) {
        left[r] = max(qkv_quad(part(b, n, 1u, head), i), vec4<f32>());
      }
    }
    // unroll
    for (var j = 0u; j < T4; j++) {
      var block: mat4x4<f32>;
      // unroll
      for (var p = 0u; p < 4u; p++) {
        if (TRANSPOSED) {
          block[p] = matrix_quad(matrix + min(j0 + 4u * j + p, HEAD_DIM - 1u) * HEAD_DIM, i);
        } else {
          block[p] = matrix_quad(matrix + min(i + p, HEAD_DIM - 1u) * HEAD_DIM, quad_start(j0 + 4u * j));
        }
      }
      if (TRANSPOSED) {
        block = transpose(block);
      }
      // unroll
      for (var p = 0u; p < 4u; p++) {
        right[p * T4 + j] = block[p];
      }
    }
    if (OUT) {
      let base = pair * HEAD_DIM;
      let last = base + HEAD_DIM - 1u;
      var s: vec4<f32>;
      if (VECTOR) {
        s = ksum4[(base + i) / 4u];
      } else {
        s = vec4<f32>(
          ksum[min(base + i, last)],
          ksum[min(base + i + 1u, last)],
          ksum[min(base + i + 2u, last)],
          ksum[min(base + i + 3u, last)],
        );
      }
      // unroll
      for (var r = 0u; r < T; r++) {
        row_mass[r] += dot(left[r], s);
      }
    }
    // unroll
    for (var r = 0u; r < T; r++) {
      // unroll
      for (var j = 0u; j < T4; j++) {
        // unroll
        for (var p = 0u; p < 4u; p++) {
          sum[r * T4 + j] = fma(vec4<f32>(left[r][p]), right[p * T4 + j], sum[r * T4 + j]);
        }
      }
    }
  }
  let t = temperature[head];
  // what dq and dk add to each row, loaded before the first store: no compiler knows that a store leaves it as it is
  var row: array<vec4<f32>, T4>;
  if (VECTOR) {
    // unroll
    for (var j = 0u; j < T4; j++) {
      let at = (pair * HEAD_DIM + quad_start(j0 + 4u * j)) / 4u;
      if (DQ) {
        row[j] = ksum4[at];
      }
      if (DK) {
        row[j] = dksum4[at];
      }
    }
  }
  // unroll
  for (var r = 0u; r < T; r++) {
    let n = n0 + r;
    if (n < N) {
      var scale = t;
      if (OUT) {
        scale /= max(row_mass[r], FLOOR);
        if (j0 == 0u) {
          mass_out[pair * N + n] = row_mass[r];
        }
      }
      if (DQ) {
        scale *= weight(b, head, n);
      }
      // unroll
      for (var j = 0u; j < T4; j++) {
        let column = j0 + 4u * j;
        let value = scale * sum[r * T4 + j];
        if (VECTOR) {
          if (column < HEAD_DIM) {
            store_quad(b, n, head, column, value, row[j]);
          }
        } else {
          // unroll
          for (var s = 0u; s < 4u; s++) {
            if (column + s < HEAD_DIM) {
              store_value(b, n, head, column + s, value[s]);
            }
          }
        }
      }
    }
  }
}

fn store_value(b: u32, n: u32, head: u32, j: u32, value: f32) {
  let pair = b * HEADS + head;
  if (OUT) {
    out[(b * N + n) * DIM + head * HEAD_DIM + j] = value;
  }
  if (DQ) {
    let at = part(b, n, 0u, head) + j;
    dqkv[at] = select(0.0, fma(dmass[pair * N + n], ksum[pair * HEAD_DIM + j], value), qkv[at] > 0.0);
  }
  if (DK) {
    let at = part(b, n, 1u, head) + j;
    dqkv[at] = select(0.0, value + dksum[pair * HEAD_DIM + j], qkv[at] > 0.0);
  }
  if (DV) {
    dqkv[part(b, n, 2u, head) + j] = value;
  }
}

// store_value() for elements j ... j + 3, those of ksum or dksum being given.
fn store_quad(b: u32, n: u32, head: u32, j: u32, value: vec4<f32>, row: vec4<f32>) {
  let pair = b * HEADS + head;
  if (OUT) {
    out4[((b * N + n) * DIM + head * HEAD_DIM + j) / 4u] = value;
  }
  if (DQ) {
    let at = (part(b, n, 0u, head) + j) / 4u;
    dqkv4[at] = select(vec4<f32>(), value + dmass[pair * N + n] * row, qkv4[at] > vec4<f32>());
  }
  if (DK) {
    let at = (part(b, n, 1u, head) + j) / 4u;
    dqkv4[at] = select(vec4<f32>(), value + row, qkv4[at] > vec4<f32>());
  }
  if (DV) {
    dqkv4[(part(b, n, 2u, head) + j) / 4u] = value;
  }
}

// One invocation a token and head.
@compute @workgroup_size(64)
fn backward_mass(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let index = id.x + id.y * groups.x * 64u;
  if (index >= arrayLength(&mass)) {
    return;
  }
  let pair = index / N;
  let row = ((pair / HEADS) * N + index % N) * DIM + (pair % HEADS) * HEAD_DIM;
  var dot = 0.0;
  for (var i = 0u; i < HEAD_DIM; i++) {
    dot = fma(dout[row + i], out_in[row + i], dot);
  }
  dmass_out[index] = select(0.0, -dot / mass[index], mass[index] >= FLOOR);
}

// One invocation an image and head.
@compute @workgroup_size(64)
fn backward_temperature(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= arrayLength(&dtemperature_parts)) {
    return;
  }
  let matrix = id.x * HEAD_DIM * HEAD_DIM;
  var sum = 0.0;
  for (var i = 0u; i < HEAD_DIM * HEAD_DIM; i++) {
    sum = fma(context[matrix + i], gcontext[matrix + i], sum);
  }
  dtemperature_parts[id.x] = sum;
}
