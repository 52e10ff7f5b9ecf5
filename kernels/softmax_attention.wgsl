// Softmax attention (Vaswani et al., arXiv:1706.03762), without the matrix of scores in memory
// (Dao et al., arXiv:2205.14135). For each image and head, with q, k, v (N, HEAD_DIM):
//
//   s[n, m] = SCALE q[n] . k[m]                       SCALE = 1 / sqrt(HEAD_DIM)
//   lse[n]  = log(sum over m of exp(s[n, m]))
//   out[n]  = sum over m of exp(s[n, m] - lse[n]) v[m]
//
// and backward, with p[n, m] = exp(s[n, m] - lse[n]) computed again:
//
//   delta[n]  = dout[n] . out[n]
//   ds[n, m]  = p[n, m] (dout[n] . v[m] - delta[n])
//   dq[n] = SCALE sum over m of ds[n, m] k[m]
//   dk[m] = SCALE sum over n of ds[n, m] q[n]
//   dv[m] =       sum over n of  p[n, m] dout[n]
//
// qkv, dqkv   (B, N, 3, HEADS, HEAD_DIM): the output of one linear layer
// out, dout   (B, N, HEADS, HEAD_DIM)
// lse, delta  (B, HEADS, N)
//
// forward, backward_query: one invocation T queries of a head, over all keys. The sums of forward are kept
// relative to the largest score so far. backward_key: one invocation T keys, over all queries.
// backward_delta: one invocation a query.
//
// uses lib/invocation.wgsl, lib/number.wgsl

// one number, or four side by side where HEAD_DIM allows
alias Number = f32;
const N: u32 = 9u;
const HEADS: u32 = 2u;
const HEAD_DIM: u32 = 8u;
const NUMBERS: u32 = 8u; // in a head
const SCALE: f32 = 1.0;
const T: u32 = 2u;

const TILES: u32 = (N + T - 1u) / T;

struct Dims {
  images: u32,
}

@group(0) @binding(0) var<storage, read> qkv: array<Number>;
@group(0) @binding(1) var<storage, read_write> out: array<Number>;
@group(0) @binding(2) var<storage, read_write> lse_out: array<f32>;
@group(0) @binding(3) var<storage, read> out_in: array<Number>;
@group(0) @binding(4) var<storage, read> dout: array<Number>;
@group(0) @binding(5) var<storage, read_write> delta_out: array<f32>;
@group(0) @binding(6) var<storage, read> lse: array<f32>;
@group(0) @binding(7) var<storage, read> delta: array<f32>;
@group(0) @binding(8) var<storage, read_write> dqkv: array<Number>;
@group(0) @binding(9) var<uniform> dims: Dims;

// First Number of the query (which 0), key (1) or value (2) of a token.
fn qkv_of(image: u32, token: u32, which: u32, head: u32) -> u32 {
  return (((image * N + token) * 3u + which) * HEADS + head) * NUMBERS;
}

// The same in out and dout.
fn out_of(image: u32, token: u32, head: u32) -> u32 {
  return ((image * N + token) * HEADS + head) * NUMBERS;
}

struct Tile {
  image: u32,
  head: u32,
  first: u32, // of its T tokens
}

fn tile_of(i: u32) -> Tile {
  return Tile(i / (TILES * HEADS), i / TILES % HEADS, i % TILES * T);
}

@compute @workgroup_size(WIDTH)
fn forward(ids: Ids) {
  let tile = tile_of(invocation(ids));
  if (tile.image >= dims.images) {
    return;
  }
  var q: array<Number, T * NUMBERS>;
  var sum: array<Number, T * NUMBERS>;
  var largest: array<f32, T>;
  var weights: array<f32, T>;
  // unroll
  for (var t = 0u; t < T; t++) {
    let start = qkv_of(tile.image, min(tile.first + t, N - 1u), 0u, tile.head);
    largest[t] = -1e30;
    // unroll
    for (var c = 0u; c < NUMBERS; c++) {
      q[t * NUMBERS + c] = SCALE * qkv[start + c];
    }
  }
  for (var m = 0u; m < N; m++) {
    let k = qkv_of(tile.image, m, 1u, tile.head);
    let v = qkv_of(tile.image, m, 2u, tile.head);
    var s: array<Number, T>;
    var kept: array<f32, T>;
    var p: array<f32, T>;
    // unroll
    for (var c = 0u; c < NUMBERS; c++) {
      let key = qkv[k + c];
      // unroll
      for (var t = 0u; t < T; t++) {
        s[t] = fma(q[t * NUMBERS + c], key, s[t]);
      }
    }
    // unroll
    for (var t = 0u; t < T; t++) {
      let score = total(s[t]);
      let new_largest = max(largest[t], score);
      kept[t] = exp(largest[t] - new_largest);
      p[t] = exp(score - new_largest);
      weights[t] = fma(weights[t], kept[t], p[t]);
      largest[t] = new_largest;
    }
    // unroll
    for (var c = 0u; c < NUMBERS; c++) {
      let value = qkv[v + c];
      // unroll
      for (var t = 0u; t < T; t++) {
        sum[t * NUMBERS + c] = fma(Number(p[t]), value, kept[t] * sum[t * NUMBERS + c]);
      }
    }
  }
  // unroll
  for (var t = 0u; t < T; t++) {
    if (tile.first + t < N) {
      let to = out_of(tile.image, tile.first + t, tile.head);
      // unroll
      for (var c = 0u; c < NUMBERS; c++) {
        out[to + c] = sum[t * NUMBERS + c] / weights[t];
      }
      lse_out[(tile.image * HEADS + tile.head) * N + tile.first + t] = largest[t] + log(weights[t]);
    }
  }
}

@compute @workgroup_size(WIDTH)
fn backward_delta(ids: Ids) {
  let i = invocation(ids);
  if (i >= arrayLength(&delta_out)) {
    return;
  }
  let start = out_of(i / (HEADS * N), i % N, i / N % HEADS);
  var sum = Number();
  for (var c = 0u; c < NUMBERS; c++) {
    sum = fma(dout[start + c], out_in[start + c], sum);
  }
  delta_out[i] = total(sum);
}

@compute @workgroup_size(WIDTH)
fn backward_query(ids: Ids) {
  let tile = tile_of(invocation(ids));
  if (tile.image >= dims.images) {
    return;
  }
  let row = (tile.image * HEADS + tile.head) * N;
  var q: array<Number, T * NUMBERS>;
  var dy: array<Number, T * NUMBERS>;
  var dq: array<Number, T * NUMBERS>;
  // unroll
  for (var t = 0u; t < T; t++) {
    let n = min(tile.first + t, N - 1u);
    let start = qkv_of(tile.image, n, 0u, tile.head);
    let from_out = out_of(tile.image, n, tile.head);
    // unroll
    for (var c = 0u; c < NUMBERS; c++) {
      q[t * NUMBERS + c] = SCALE * qkv[start + c];
      dy[t * NUMBERS + c] = dout[from_out + c];
    }
  }
  for (var m = 0u; m < N; m++) {
    let k = qkv_of(tile.image, m, 1u, tile.head);
    let v = qkv_of(tile.image, m, 2u, tile.head);
    var s: array<Number, T>;
    var dp: array<Number, T>;
    var ds: array<f32, T>;
    // unroll
    for (var c = 0u; c < NUMBERS; c++) {
      let key = qkv[k + c];
      let value = qkv[v + c];
      // unroll
      for (var t = 0u; t < T; t++) {
        s[t] = fma(q[t * NUMBERS + c], key, s[t]);
        dp[t] = fma(dy[t * NUMBERS + c], value, dp[t]);
      }
    }
    // unroll
    for (var t = 0u; t < T; t++) {
      let at = row + min(tile.first + t, N - 1u);
      ds[t] = SCALE * exp(total(s[t]) - lse[at]) * (total(dp[t]) - delta[at]);
    }
    // unroll
    for (var c = 0u; c < NUMBERS; c++) {
      let key = qkv[k + c];
      // unroll
      for (var t = 0u; t < T; t++) {
        dq[t * NUMBERS + c] = fma(Number(ds[t]), key, dq[t * NUMBERS + c]);
      }
    }
  }
  // unroll
  for (var t = 0u; t < T; t++) {
    if (tile.first + t < N) {
      let to = qkv_of(tile.image, tile.first + t, 0u, tile.head);
      // unroll
      for (var c = 0u; c < NUMBERS; c++) {
        dqkv[to + c] = dq[t * NUMBERS + c];
      }
    }
  }
}

@compute @workgroup_size(WIDTH)
fn backward_key(ids: Ids) {
  let tile = tile_of(invocation(ids));
  if (tile.image >= dims.images) {
    return;
  }
  let row = (tile.image * HEADS + tile.head) * N;
  var k: array<Number, T * NUMBERS>;
  var v: array<Number, T * NUMBERS>;
  var dk: array<Number, T * NUMBERS>;
  var dv: array<Number, T * NUMBERS>;
  // unroll
  for (var t = 0u; t < T; t++) {
    let m = min(tile.first + t, N - 1u);
    let from_k = qkv_of(tile.image, m, 1u, tile.head);
    let from_v = qkv_of(tile.image, m, 2u, tile.head);
    // unroll
    for (var c = 0u; c < NUMBERS; c++) {
      k[t * NUMBERS + c] = SCALE * qkv[from_k + c];
      v[t * NUMBERS + c] = qkv[from_v + c];
    }
  }
  for (var n = 0u; n < N; n++) {
    let q = qkv_of(tile.image, n, 0u, tile.head);
    let dy = out_of(tile.image, n, tile.head);
    var s: array<Number, T>;
    var dp: array<Number, T>;
    var ds: array<f32, T>;
    var p: array<f32, T>;
    // unroll
    for (var c = 0u; c < NUMBERS; c++) {
      let query = qkv[q + c];
      let d = dout[dy + c];
      // unroll
      for (var t = 0u; t < T; t++) {
        s[t] = fma(k[t * NUMBERS + c], query, s[t]);
        dp[t] = fma(v[t * NUMBERS + c], d, dp[t]);
      }
    }
    // unroll
    for (var t = 0u; t < T; t++) {
      p[t] = exp(total(s[t]) - lse[row + n]);
      ds[t] = SCALE * p[t] * (total(dp[t]) - delta[row + n]);
    }
    // unroll
    for (var c = 0u; c < NUMBERS; c++) {
      let query = qkv[q + c];
      let d = dout[dy + c];
      // unroll
      for (var t = 0u; t < T; t++) {
        dk[t * NUMBERS + c] = fma(Number(ds[t]), query, dk[t * NUMBERS + c]);
        dv[t * NUMBERS + c] = fma(Number(p[t]), d, dv[t * NUMBERS + c]);
      }
    }
  }
  // unroll
  for (var t = 0u; t < T; t++) {
    if (tile.first + t < N) {
      let to_k = qkv_of(tile.image, tile.first + t, 1u, tile.head);
      let to_v = qkv_of(tile.image, tile.first + t, 2u, tile.head);
      // unroll
      for (var c = 0u; c < NUMBERS; c++) {
        dqkv[to_k + c] = dk[t * NUMBERS + c];
        dqkv[to_v + c] = dv[t * NUMBERS + c];
      }
    }
  }
}
