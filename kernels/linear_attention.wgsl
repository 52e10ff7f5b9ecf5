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
// Each of them loads 2 T values for T T multiplications.

const N: u32 = 9u;
const HEADS: u32 = 2u;
const HEAD_DIM: u32 = 8u;
const FLOOR: f32 = 100.0;
const T: u32 = 4u;
// which of its results an entry point computes (exactly one of each pair or four is true)
const CONTEXT: bool = true;
const GCONTEXT: bool = false;
const OUT: bool = true;
const DQ: bool = false;
const DK: bool = false;
const DV: bool = false;

const DIM: u32 = HEADS * HEAD_DIM;
const TILES: u32 = (HEAD_DIM + T - 1u) / T;
const TOKEN_TILES: u32 = (N + T - 1u) / T;

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
  var sum: array<f32, T * T>;
  var column_sum: array<f32, T>;
  for (var n = 0u; n < N; n++) {
    var x: array<f32, T>;
    var y: array<f32, T>;
    var x_weight = 1.0;
    // unroll
    for (var i = 0u; i < T; i++) {
      let e = min(e0 + i, HEAD_DIM - 1u);
      let f = min(f0 + i, HEAD_DIM - 1u);
      if (CONTEXT) {
        x[i] = max(qkv[part(b, n, 1u, head) + e], 0.0);
        y[i] = qkv[part(b, n, 2u, head) + f];
      }
      if (GCONTEXT) {
        x[i] = max(qkv[part(b, n, 0u, head) + e], 0.0);
        y[i] = dout[(b * N + n) * DIM + head * HEAD_DIM + f];
      }
    }
    if (GCONTEXT) {
      let w = weight(b, head, n);
      // unroll
      for (var i = 0u; i < T; i++) {
        y[i] *= w;
      }
      x_weight = dmass[pair * N + n];
    }
    // unroll
    for (var i = 0u; i < T; i++) {
      column_sum[i] = fma(x[i], x_weight, column_sum[i]);
      // unroll
      for (var j = 0u; j < T; j++) {
        sum[i * T + j] = fma(x[i], y[j], sum[i * T + j]);
      }
    }
  }
  // unroll
  for (var i = 0u; i < T; i++) {
    let e = e0 + i;
    if (f0 == 0u && e < HEAD_DIM) {
      ksum_out[pair * HEAD_DIM + e] = column_sum[i];
    }
    // unroll
    for (var j = 0u; j < T; j++) {
      if (e < HEAD_DIM && f0 + j < HEAD_DIM) {
        context_out[(pair * HEAD_DIM + e) * HEAD_DIM + f0 + j] = sum[i * T + j];
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
  if (pair >= arrayLength(&qkv) / (3u * N * HEAD_DIM)) {
    return;
  }
  let n0 = token_tile * T;
  let j0 = tile * T;
  let matrix = pair * HEAD_DIM * HEAD_DIM;
  var sum: array<f32, T * T>;
  var row_mass: array<f32, T>;
  for (var i = 0u; i < HEAD_DIM; i++) {
    var left: array<f32, T>;
    var right: array<f32, T>;
    // unroll
    for (var r = 0u; r < T; r++) {
      let n = min(n0 + r, N - 1u);
      let j = min(j0 + r, HEAD_DIM - 1u);
      if (OUT) {
        left[r] = max(qkv[part(b, n, 0u, head) + i], 0.0);
        right[r] = context[matrix + i * HEAD_DIM + j];
      }
      if (DQ) {
        left[r] = dout[(b * N + n) * DIM + head * HEAD_DIM + i];
        right[r] = context[matrix + j * HEAD_DIM + i];
      }
      if (DK) {
        left[r] = qkv[part(b, n, 2u, head) + i];
        right[r] = gcontext[matrix + j * HEAD_DIM + i];
      }
      if (DV) {
        left[r] = max(qkv[part(b, n, 1u, head) + i], 0.0);
        right[r] = gcontext[matrix + i * HEAD_DIM + j];
      }
    }
    if (OUT) {
      let s = ksum[pair * HEAD_DIM + i];
      // unroll
      for (var r = 0u; r < T; r++) {
        row_mass[r] = fma(left[r], s, row_mass[r]);
      }
    }
    // unroll
    for (var r = 0u; r < T; r++) {
      // unroll
      for (var s = 0u; s < T; s++) {
        sum[r * T + s] = fma(left[r], right[s], sum[r * T + s]);
      }
    }
  }
  let t = temperature[head];
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
      for (var s = 0u; s < T; s++) {
        let j = j0 + s;
        if (j < HEAD_DIM) {
          let value = scale * sum[r * T + s];
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
      }
    }
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
