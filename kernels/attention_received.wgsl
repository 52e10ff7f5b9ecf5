// How much of the linear attention each token receives (L2ViT, arXiv:2501.16182). With q+ = relu(q) and k+ = relu(k),
// query n of a head spreads its attention over the tokens m by
//
//   A[n, m] = q+[n] . k+[m] / max(q+[n] . ksum, FLOOR)         ksum = sum over m of k+[m]
//
// which adds up to 1 over m wherever the floor is not reached, and
//
//   received[m] = mean over heads of the sum over n of A[n, m]
//               = mean over heads of k+[m] . qsum              qsum = sum over n of q+[n] / max(q+[n] . ksum, FLOOR)
//
// so that a token with an even share receives 1. No matrix of N x N is made.
//
// qkv       (B, N, 3, HEADS, HEAD_DIM): the output of one linear layer
// ksum      (B, HEADS, HEAD_DIM)
// mass      (B, HEADS, N): q+[n] . ksum
// qsum      (B, HEADS, HEAD_DIM)
// received  (B, N)
//
// sum_keys, sum_queries: one invocation an image, head and element. masses: one an image, head and token.
// receive: one an image and token.
//
// uses lib/invocation.wgsl

const N: u32 = 9u;
const HEADS: u32 = 2u;
const HEAD_DIM: u32 = 8u;
const FLOOR: f32 = 100.0;

const DIM: u32 = HEADS * HEAD_DIM;

@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read_write> ksum_out: array<f32>;
@group(0) @binding(2) var<storage, read> ksum: array<f32>;
@group(0) @binding(3) var<storage, read_write> mass_out: array<f32>;
@group(0) @binding(4) var<storage, read> mass: array<f32>;
@group(0) @binding(5) var<storage, read_write> qsum_out: array<f32>;
@group(0) @binding(6) var<storage, read> qsum: array<f32>;
@group(0) @binding(7) var<storage, read_write> received: array<f32>;

// Element e of relu(q) (which 0) or relu(k) (1) of a token.
fn positive(b: u32, n: u32, which: u32, head: u32, e: u32) -> f32 {
  return max(qkv[((b * N + n) * 3u + which) * DIM + head * HEAD_DIM + e], 0.0);
}

@compute @workgroup_size(WIDTH)
fn sum_keys(ids: Ids) {
  let i = invocation(ids);
  if (i >= arrayLength(&ksum_out)) {
    return;
  }
  let pair = i / HEAD_DIM;
  var sum = 0.0;
  for (var n = 0u; n < N; n++) {
    sum += positive(pair / HEADS, n, 1u, pair % HEADS, i % HEAD_DIM);
  }
  ksum_out[i] = sum;
}

@compute @workgroup_size(WIDTH)
fn masses(ids: Ids) {
  let i = invocation(ids);
  if (i >= arrayLength(&mass_out)) {
    return;
  }
  let pair = i / N;
  var sum = 0.0;
  for (var e = 0u; e < HEAD_DIM; e++) {
    sum = fma(positive(pair / HEADS, i % N, 0u, pair % HEADS, e), ksum[pair * HEAD_DIM + e], sum);
  }
  mass_out[i] = sum;
}

@compute @workgroup_size(WIDTH)
fn sum_queries(ids: Ids) {
  let i = invocation(ids);
  if (i >= arrayLength(&qsum_out)) {
    return;
  }
  let pair = i / HEAD_DIM;
  var sum = 0.0;
  for (var n = 0u; n < N; n++) {
    sum += positive(pair / HEADS, n, 0u, pair % HEADS, i % HEAD_DIM) / max(mass[pair * N + n], FLOOR);
  }
  qsum_out[i] = sum;
}

@compute @workgroup_size(WIDTH)
fn receive(ids: Ids) {
  let i = invocation(ids);
  if (i >= arrayLength(&received)) {
    return;
  }
  let b = i / N;
  var sum = 0.0;
  for (var head = 0u; head < HEADS; head++) {
    for (var e = 0u; e < HEAD_DIM; e++) {
      sum = fma(positive(b, i % N, 1u, head, e), qsum[(b * HEADS + head) * HEAD_DIM + e], sum);
    }
  }
  received[i] = sum / f32(HEADS);
}
