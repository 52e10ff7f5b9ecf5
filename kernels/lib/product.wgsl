// Library for other kernels: what all variants of the matrix product share, its formula, its bindings and its epilogue.
//
//   C = epilogue(op(A) op(B))       C is (M, N), the sum runs over K
//
//   A_TRANSPOSED false: A is (M, K)        true: A is (K, M)
//   B_TRANSPOSED false: B is (K, N)        true: B is (N, K)
//
//   epilogue, in this order:
//     value = alpha value + bias[column]      (if dims.bias: products with and without one share their compiled code)
//     ReLU in columns below dims.relu
//     GELU           gelu(value), the value before it being kept in pre_out, or in a pass of its own having been kept in pre
//     GELU_BACKWARD  value gelu'(pre[i])
//     DROP           dropout and drop path, drawn as lib/drop.wgsl says
//     RESIDUAL       value + residual[i]
//
//   and beside the product, where A is transposed (in general always)
//     row_sums[m] = sum over k of A[k, m]     the gradient of a bias, or the normaliser of linear attention, for few additions
//
//   A linear layer y = x W^T + b with W (out, in) as in PyTorch takes, forward, A = x and B = W transposed;
//   for dx = dy W, A = dy and B = W; for dW = dy^T x, A = dy transposed and B = x.
//
// BATCHES of products of one size, dims.batches of them, each an image and a head: struct View says where the matrices of each
// lie. SEGMENTS of the sum ("split k"), so that many cores have work when M and N are small: segment s adds terms
// s k_per_segment ... and writes its own dense C, segment_stride further on; column_sum.add_partials adds them in order, so the
// result does not depend on which workgroup ends first. The sum of a product with an epilogue, or in batches, has one segment.
//
// Rows lie one after the other, dense or with a larger step. Bindings whose names end in 4 are moved four values at a time: every
// contiguous axis (and N), and every step of a View, is a multiple of 4 then.
//
// Active tokens (lib/tokens.wgsl): M, or where they are summed K, is their number; in a batch that of the tokens of an image, whose
// rows begin where its tokens do (BY_IMAGE).
//
// uses lib/drop.wgsl, lib/gelu.wgsl, lib/step.wgsl, lib/tokens.wgsl

const TM: u32 = 4u; // rows and columns of the tile of an invocation
const TN: u32 = 4u;
const A_TRANSPOSED: bool = false;
const B_TRANSPOSED: bool = false;

// in quads, which general does without: it may have smaller tiles
const TM4: u32 = (TM + 3u) / 4u;
const TN4: u32 = (TN + 3u) / 4u;

const GELU: bool = false;
const GELU_BACKWARD: bool = false;
const DROP: bool = false;
const RESIDUAL: bool = false;
const SUMMED: bool = false;   // with ACTIVE: tokens are summed
const BY_IMAGE: bool = false;

// Element (r, c) of a batch's matrix is at first + image step_image + head step_head + r step_row + c.
struct View {
  first: u32,
  step_row: u32,
  step_image: u32, // BY_IMAGE: 0 for matrices whose rows are tokens
  step_head: u32,
}

struct Dims {
  m: u32,
  n: u32,
  k: u32,
  k_per_segment: u32, // a multiple of what a variant takes at a time
  batches: u32,
  heads: u32, // batches of an image
  bias: u32,  // 1: add it
  relu: u32,
  a: View,
  b: View,
  c: View,
  // of general, which takes any layout: step in memory from row (of B: column) to row, and from k to k + 1
  a_strides: vec2<u32>,
  b_strides: vec2<u32>,
  alpha: f32,
  segment_stride: u32,
  row_tiles: u32, // tiles of an invocation along M
  segments: u32, // of this launch
  drop: Drop,
  first: u32,         // elements of the whole of C before those that are bound, for dropout
  first_segment: u32, // segments before those of this launch
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> a4: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> b4: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> c: array<f32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(7) var<storage, read> pre: array<f32>;
@group(0) @binding(8) var<storage, read> residual: array<f32>;
@group(0) @binding(9) var<uniform> dims: Dims;
@group(0) @binding(11) var<storage, read_write> c4: array<vec4<f32>>;
@group(0) @binding(12) var<storage, read> bias4: array<vec4<f32>>;
@group(0) @binding(13) var<storage, read_write> pre_out4: array<vec4<f32>>;
@group(0) @binding(14) var<storage, read> pre4: array<vec4<f32>>;
@group(0) @binding(15) var<storage, read> residual4: array<vec4<f32>>;
@group(0) @binding(16) var<uniform> step: Step;
@group(0) @binding(17) var<storage, read_write> row_sums: array<f32>;
@group(0) @binding(18) var<storage, read_write> row_sums4: array<vec4<f32>>;
@group(0) @binding(19) var a_texels: texture_2d<f32>; // a4 and b4 for broadcast, if A_SAMPLED and B_SAMPLED
@group(0) @binding(20) var b_texels: texture_2d<f32>;

// Where the matrix of a batch begins.
fn start_of(view: View, batch: u32) -> u32 {
  let image = batch / dims.heads;
  var start = view.first + image * view.step_image + batch % dims.heads * view.step_head;
  if (BY_IMAGE) {
    start += select(0u, image_start(image, 1u) * view.step_row, view.step_image == 0u);
  }
  return start;
}

// How many tokens a batch has, which there are `all` of if all places are tokens.
fn tokens_of(batch: u32, all: u32) -> u32 {
  if (BY_IMAGE) {
    let image = batch / dims.heads;
    return image_start(image + 1u, 1u) - image_start(image, 1u);
  } else {
    return in_use(all);
  }
}

// M of a batch.
fn rows_of(batch: u32) -> u32 {
  if (SUMMED) {
    return dims.m;
  } else {
    return tokens_of(batch, dims.m);
  }
}

// K of a batch.
fn terms_of(batch: u32) -> u32 {
  if (SUMMED) {
    return tokens_of(batch, dims.k);
  } else {
    return dims.k;
  }
}

// Where the result of a batch and segment begins.
fn result_of(batch: u32, segment: u32) -> u32 {
  return start_of(dims.c, batch) + (dims.first_segment + segment) * dims.segment_stride;
}

// Where row sums of a batch and segment begin.
fn sums_of(batch: u32, segment: u32) -> u32 {
  return ((dims.first_segment + segment) * dims.batches + batch) * dims.m;
}

// The bias of four columns; a stand-in is bound where there is none.
fn bias_of(column: u32) -> vec4<f32> {
  return select(vec4<f32>(), bias4[min(column, dims.n - 4u) / 4u], dims.bias == 1u);
}

// What follows GELU in the epilogue of element i.
fn finish(i: u32, of_gelu: f32) -> f32 {
  var value = of_gelu;
  if (GELU_BACKWARD) {
    value *= gelu_grad(vec4<f32>(pre[i])).x;
  }
  if (DROP) {
    value *= drop_one(dims.drop, dims.first + i, step);
  }
  if (RESIDUAL) {
    value += residual[i];
  }
  return value;
}

// What follows GELU in the epilogue of elements 4 i ... 4 i + 3.
fn finish4(i: u32, of_gelu: vec4<f32>) -> vec4<f32> {
  var value = of_gelu;
  if (GELU_BACKWARD) {
    value *= gelu_grad(pre4[i]);
  }
  if (DROP) {
    value *= drop_quad(dims.drop, dims.first / 4u + i, step);
  }
  if (RESIDUAL) {
    value += residual4[i];
  }
  return value;
}

// Four columns of alpha sum + bias, under ReLU.
fn linear4(column: u32, sum: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
  let value = fma(vec4<f32>(dims.alpha), sum, b);
  let cut = vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(dims.relu);
  return select(value, vec4<f32>(), (value < vec4<f32>()) & cut);
}
