// Matrix product with its epilogue.
//
//   C = epilogue(op(A) op(B))       C is (M, N), the sum runs over K
//
//   A_TRANSPOSED false: A is (M, K)        true: A is (K, M)
//   B_TRANSPOSED false: B is (K, N)        true: B is (N, K)
//
//   epilogue, in this order:
//     value = alpha value + bias[column]      (if dims.bias: products with and without one share their compiled code)
//     ReLU in columns below dims.relu
//     GELU           pre_out = value, then gelu(value)
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
// lie. SPLIT K: a sum may be cut, so that many cores have work when M and N are small: split s adds terms s k_per_split ... and
// writes its own dense C, split_stride further on; entry point sum_parts adds them in order, so the result does not depend on
// which workgroup ends first. A product with an epilogue, or in batches, is not split.
//
// One invocation computes TM x TN elements of C in registers: per k it loads TM + TN values for TM TN
// multiplications. Entry point general takes any size. The others move four values at a time (bindings whose
// names end in 4) and need every contiguous axis (and N), and every step of a View, to be a multiple of 4:
//
//   vectorised  every invocation loads all it needs; tiles of all batches and splits lie in one row
//   broadcast   a workgroup is one subgroup of 8 invocations with the same columns: each loads an eighth of the
//               values of B at four k and hands them to the others. TM and TN are multiples of 4 and 8, B is not transposed
//   tiled       a workgroup of 16 x 16 invocations keeps KTILE rows of its parts of A and B in workgroup memory, where
//               each value serves 16 invocations, and loads the next ones meanwhile (two buffers)
//
// tiled has the whole epilogue in line. The others, for software adapters and odd sizes, do alpha, bias and ReLU alone; entry points
// epilogue and epilogue4 do the rest in place, in a pass of their own whose invocations lie side by side: in line with the tile
// it would take long to compile, and its invocations would be rows apart.
//
// Rows lie one after the other, dense or with a larger step.
//
// Uses lib/gelu.wgsl, lib/drop.wgsl, lib/philox.wgsl and lib/step.wgsl.

// what gelu() works on
alias Number = vec4<f32>;
const TM: u32 = 4u;
const TN: u32 = 4u;
const KSTEP: u32 = 4u;
const KTILE: u32 = 16u;
const WIDTH: u32 = 8u; // tiles of a workgroup of general or vectorised, along rows
const A_TRANSPOSED: bool = false;
const B_TRANSPOSED: bool = false;

// in quads, which general does without: it may have smaller tiles
const TM4: u32 = (TM + 3u) / 4u;
const TN4: u32 = (TN + 3u) / 4u;
const TN8: u32 = TN / 8u;

const GELU: bool = false;
const GELU_BACKWARD: bool = false;
const DROP: bool = false;
const RESIDUAL: bool = false;

// Element (r, c) of a batch's matrix is at first + image step_image + head step_head + r step_row + c.
struct View {
  first: u32,
  step_row: u32,
  step_image: u32,
  step_head: u32,
}

struct Dims {
  m: u32,
  n: u32,
  k: u32,
  k_per_split: u32, // a multiple of KSTEP, and of 4 for broadcast, and of KTILE for tiled
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
  split_stride: u32,
  row_tiles: u32, // tiles of general and vectorised along M
  splits: u32,
  drop: Drop,
  first: u32,       // elements of the whole of C before those that are bound, for dropout
  first_split: u32, // splits before those of this launch
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> a4: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> b4: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> c: array<f32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read_write> pre_out: array<f32>;
@group(0) @binding(7) var<storage, read> pre: array<f32>;
@group(0) @binding(8) var<storage, read> residual: array<f32>;
@group(0) @binding(9) var<uniform> dims: Dims;
@group(0) @binding(10) var<storage, read> parts: array<f32>;
@group(0) @binding(11) var<storage, read_write> c4: array<vec4<f32>>;
@group(0) @binding(12) var<storage, read> bias4: array<vec4<f32>>;
@group(0) @binding(13) var<storage, read_write> pre_out4: array<vec4<f32>>;
@group(0) @binding(14) var<storage, read> pre4: array<vec4<f32>>;
@group(0) @binding(15) var<storage, read> residual4: array<vec4<f32>>;
@group(0) @binding(16) var<uniform> step: Step;
@group(0) @binding(17) var<storage, read_write> row_sums: array<f32>;
@group(0) @binding(18) var<storage, read_write> row_sums4: array<vec4<f32>>;

// Where the matrix of a batch begins.
fn start_of(view: View, batch: u32) -> u32 {
  return view.first + batch / dims.heads * view.step_image + batch % dims.heads * view.step_head;
}

// Where the result of a batch and split begins.
fn result_of(batch: u32, split: u32) -> u32 {
  return start_of(dims.c, batch) + (dims.first_split + split) * dims.split_stride;
}

// Where row sums of a batch and split begin.
fn sums_of(batch: u32, split: u32) -> u32 {
  return ((dims.first_split + split) * dims.batches + batch) * dims.m;
}

// Which tile an invocation of general or vectorised computes.
struct Task {
  row: u32,
  column: u32,
  batch: u32,
  split: u32,
}

fn task_of(id: vec3<u32>) -> Task {
  let part = id.x / dims.row_tiles;
  return Task(id.x % dims.row_tiles * TM, id.y * TN, part % dims.batches, part / dims.batches);
}

// The bias of four columns; a stand-in is bound where there is none.
fn bias_of(column: u32) -> vec4<f32> {
  return select(vec4<f32>(), bias4[min(column, dims.n - 4u) / 4u], dims.bias == 1u);
}

// The rest of the epilogue of element i.
fn finish(i: u32, sum: f32) -> f32 {
  var value = sum;
  if (GELU) {
    pre_out[i] = value;
    value = gelu(vec4<f32>(value)).x;
  }
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

// The rest of the epilogue of elements 4 i ... 4 i + 3.
fn finish4(i: u32, sum: vec4<f32>) -> vec4<f32> {
  var value = sum;
  if (GELU) {
    pre_out4[i] = value;
    value = gelu(value);
  }
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

@compute @workgroup_size(64)
fn epilogue(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = id.x + id.y * groups.x * 64u;
  if (i < arrayLength(&c)) {
    c[i] = finish(i, c[i]);
  }
}

@compute @workgroup_size(64)
fn epilogue4(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = id.x + id.y * groups.x * 64u;
  if (i < arrayLength(&c4)) {
    c4[i] = finish4(i, c4[i]);
  }
}

@compute @workgroup_size(WIDTH)
fn general(@builtin(global_invocation_id) id: vec3<u32>) {
  let task = task_of(id);
  if (task.split >= dims.splits || task.column >= dims.n) {
    return;
  }
  let a_start = start_of(dims.a, task.batch);
  let b_start = start_of(dims.b, task.batch);
  let last = min(dims.k, (task.split + 1u) * dims.k_per_split);
  var sum: array<f32, TM * TN>;
  var row_sum: array<f32, TM>;
  for (var k = task.split * dims.k_per_split; k < last; k++) {
    var av: array<f32, TM>;
    var bv: array<f32, TN>;
    // unroll
    for (var i = 0u; i < TM; i++) {
      av[i] = a[a_start + dot(dims.a_strides, vec2<u32>(min(task.row + i, dims.m - 1u), k))];
      row_sum[i] += av[i];
    }
    // unroll
    for (var j = 0u; j < TN; j++) {
      bv[j] = b[b_start + dot(dims.b_strides, vec2<u32>(min(task.column + j, dims.n - 1u), k))];
    }
    // unroll
    for (var i = 0u; i < TM; i++) {
      // unroll
      for (var j = 0u; j < TN; j++) {
        sum[i * TN + j] = fma(av[i], bv[j], sum[i * TN + j]);
      }
    }
  }
  // unroll
  for (var i = 0u; i < TM; i++) {
    // unroll
    for (var j = 0u; j < TN; j++) {
      store(task, i, j, sum[i * TN + j]);
    }
  }
  // unroll
  for (var i = 0u; i < TM; i++) {
    if (task.column == 0u && task.row + i < dims.m) {
      row_sums[sums_of(task.batch, task.split) + task.row + i] = row_sum[i];
    }
  }
}

// Element (i, j) of a tile.
fn store(task: Task, i: u32, j: u32, sum: f32) {
  let row = task.row + i;
  let column = task.column + j;
  if (row < dims.m && column < dims.n) {
    let value = fma(dims.alpha, sum, select(0.0, bias[column], dims.bias == 1u));
    // a comparison with NaN is false: it stays NaN
    let cut = column < dims.relu && value < 0.0;
    c[result_of(task.batch, task.split) + row * dims.c.step_row + column] = select(value, 0.0, cut);
  }
}

// Four columns of alpha sum + bias, under ReLU.
fn linear4(column: u32, sum: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
  let value = fma(vec4<f32>(dims.alpha), sum, b);
  return select(value, vec4<f32>(), (value < vec4<f32>()) & vec4<bool>(column < dims.relu));
}

@compute @workgroup_size(WIDTH)
fn vectorised(@builtin(global_invocation_id) id: vec3<u32>) {
  let task = task_of(id);
  let row = task.row;
  let column = task.column;
  if (task.split >= dims.splits || column >= dims.n) {
    return;
  }
  let a_start = start_of(dims.a, task.batch);
  let b_start = start_of(dims.b, task.batch);
  let last = min(dims.k, (task.split + 1u) * dims.k_per_split);
  // sum[i TN4 + j] holds columns 4 j ... 4 j + 3 of row i
  var sum: array<vec4<f32>, TM * TN4>;
  var row_sum: array<vec4<f32>, TM4>;
  for (var k = task.split * dims.k_per_split; k < last; k += KSTEP) {
    // A_TRANSPOSED: av[p TM4 + i] holds rows 4 i ... 4 i + 3 at k + p, else av[i] row i at k ... k + 3
    var av: array<vec4<f32>, TM>;
    // bv[p TN4 + j] holds columns 4 j ... 4 j + 3 at k + p
    var bv: array<vec4<f32>, KSTEP * TN4>;
    if (A_TRANSPOSED) {
      // unroll
      for (var p = 0u; p < KSTEP; p++) {
        // unroll
        for (var i = 0u; i < TM4; i++) {
          av[p * TM4 + i] = a4[(a_start + (k + p) * dims.a.step_row + min(row + 4u * i, dims.m - 4u)) / 4u];
          row_sum[i] += av[p * TM4 + i];
        }
      }
    } else {
      // unroll
      for (var i = 0u; i < TM; i++) {
        av[i] = a4[(a_start + min(row + i, dims.m - 1u) * dims.a.step_row + k) / 4u];
      }
    }
    if (B_TRANSPOSED) {
      // unroll
      for (var j = 0u; j < TN4; j++) {
        let first = b_start + min(column + 4u * j, dims.n - 4u) * dims.b.step_row + k;
        let t = transpose(mat4x4<f32>(
          b4[first / 4u],
          b4[(first + dims.b.step_row) / 4u],
          b4[(first + 2u * dims.b.step_row) / 4u],
          b4[(first + 3u * dims.b.step_row) / 4u],
        ));
        // unroll
        for (var p = 0u; p < KSTEP; p++) {
          bv[p * TN4 + j] = t[p];
        }
      }
    } else {
      // unroll
      for (var p = 0u; p < KSTEP; p++) {
        // unroll
        for (var j = 0u; j < TN4; j++) {
          bv[p * TN4 + j] = b4[(b_start + (k + p) * dims.b.step_row + min(column + 4u * j, dims.n - 4u)) / 4u];
        }
      }
    }
    // the sum over p is innermost, so that a sum stays in a register for KSTEP multiplications
    // unroll
    for (var i = 0u; i < TM; i++) {
      // unroll
      for (var j = 0u; j < TN4; j++) {
        // unroll
        for (var p = 0u; p < KSTEP; p++) {
          if (A_TRANSPOSED) {
            sum[i * TN4 + j] = fma(vec4<f32>(av[p * TM4 + i / 4u][i % 4u]), bv[p * TN4 + j], sum[i * TN4 + j]);
          } else {
            sum[i * TN4 + j] = fma(vec4<f32>(av[i][p]), bv[p * TN4 + j], sum[i * TN4 + j]);
          }
        }
      }
    }
  }
  let c_start = (result_of(task.batch, task.split) + row * dims.c.step_row + column) / 4u;
  // unroll
  for (var j = 0u; j < TN4; j++) {
    let b = bias_of(column + 4u * j);
    // unroll
    for (var i = 0u; i < TM; i++) {
      store4(c_start, row, column, i, j, linear4(column + 4u * j, sum[i * TN4 + j], b));
    }
  }
  if (A_TRANSPOSED) {
    // unroll
    for (var i = 0u; i < TM4; i++) {
      if (column == 0u && row + 4u * i < dims.m) {
        row_sums4[(sums_of(task.batch, task.split) + row) / 4u + i] = row_sum[i];
      }
    }
  }
}

// Row i and quad j of a tile that begins at a row and column, and at a quad of c4.
fn store4(start: u32, row: u32, column: u32, i: u32, j: u32, value: vec4<f32>) {
  if (row + i < dims.m && column + 4u * j < dims.n) {
    c4[start + i * (dims.c.step_row / 4u) + j] = value;
  }
}

@compute @workgroup_size(8)
fn broadcast(@builtin(global_invocation_id) id: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
  // rows beyond the end are computed too, from the last ones: every invocation has to lend its values
  let row = id.x * TM;
  let column = id.y * TN;
  let batch = id.z % dims.batches;
  let split = id.z / dims.batches;
  // in quads
  let a_start = start_of(dims.a, batch) / 4u;
  let b_start = start_of(dims.b, batch) / 4u;
  let a_step = dims.a.step_row / 4u;
  let b_step = dims.b.step_row / 4u;
  let last = min(dims.k, (split + 1u) * dims.k_per_split);
  var sum: array<vec4<f32>, TM * TN4>;
  var row_sum: array<vec4<f32>, TM4>;
  for (var k = split * dims.k_per_split; k < last; k += 4u) {
    // what this invocation lends: half of the columns at k + lane % 4, zeros beyond the end of the sum
    var own: array<vec4<f32>, TN8>;
    let own_k = k + lane % 4u;
    let own_row = b_start + min(own_k, dims.k - 1u) * b_step;
    let own_column = column + lane / 4u * (TN / 2u);
    // unroll
    for (var j = 0u; j < TN8; j++) {
      own[j] = select(vec4<f32>(), b4[own_row + min(own_column + 4u * j, dims.n - 4u) / 4u], own_k < last);
    }
    var av: array<vec4<f32>, TM>;
    var bv: array<vec4<f32>, TN>;
    if (A_TRANSPOSED) {
      // unroll
      for (var p = 0u; p < 4u; p++) {
        let at = a_start + min(k + p, dims.k - 1u) * a_step;
        let there = select(0.0, 1.0, k + p < last);
        // unroll
        for (var i = 0u; i < TM4; i++) {
          av[p * TM4 + i] = a4[at + min(row + 4u * i, dims.m - 4u) / 4u];
          row_sum[i] = fma(vec4<f32>(there), av[p * TM4 + i], row_sum[i]);
        }
      }
    } else {
      // unroll
      for (var i = 0u; i < TM; i++) {
        av[i] = a4[a_start + min(row + i, dims.m - 1u) * a_step + k / 4u];
      }
    }
    // unroll
    for (var p = 0u; p < 4u; p++) {
      // unroll
      for (var j = 0u; j < TN4; j++) {
        bv[p * TN4 + j] = subgroupBroadcast(own[j % TN8], p + j / TN8 * 4u);
      }
    }
    // unroll
    for (var i = 0u; i < TM; i++) {
      // unroll
      for (var j = 0u; j < TN4; j++) {
        // unroll
        for (var p = 0u; p < 4u; p++) {
          if (A_TRANSPOSED) {
            sum[i * TN4 + j] = fma(vec4<f32>(av[p * TM4 + i / 4u][i % 4u]), bv[p * TN4 + j], sum[i * TN4 + j]);
          } else {
            sum[i * TN4 + j] = fma(vec4<f32>(av[i][p]), bv[p * TN4 + j], sum[i * TN4 + j]);
          }
        }
      }
    }
  }
  let c_start = (result_of(batch, split) + row * dims.c.step_row + column) / 4u;
  // unroll
  for (var j = 0u; j < TN4; j++) {
    let b = bias_of(column + 4u * j);
    // unroll
    for (var i = 0u; i < TM; i++) {
      store4(c_start, row, column, i, j, linear4(column + 4u * j, sum[i * TN4 + j], b));
    }
  }
  if (A_TRANSPOSED) {
    // unroll
    for (var i = 0u; i < TM4; i++) {
      if (column == 0u && row + 4u * i < dims.m) {
        row_sums4[(sums_of(batch, split) + row) / 4u + i] = row_sum[i];
      }
    }
  }
}

const SIDE: u32 = 16u;        // invocations along each side of a workgroup of tiled
const BM4: u32 = SIDE * TM4;  // quads of rows, and of columns, that a workgroup computes
const BN4: u32 = SIDE * TN4;
const KTILE4: u32 = KTILE / 4u;
const BLOCKS_A: u32 = (KTILE4 * BM4 + 255u) / 256u; // 4 x 4 blocks that an invocation loads
const BLOCKS_B: u32 = (KTILE4 * BN4 + 255u) / 256u;

// two buffers of KTILE rows: quad (p, i) of buffer t holds rows (or columns) 4 i ... 4 i + 3 at k + p
var<workgroup> tile_a: array<vec4<f32>, 2u * KTILE * BM4>;
var<workgroup> tile_b: array<vec4<f32>, 2u * KTILE * BN4>;

// Rows x ... x + 3 of op(A)^T at k ... k + 3, zeros beyond the end of the sum.
fn block_a(start: u32, x: u32, k: u32, last: u32) -> mat4x4<f32> {
  var block: mat4x4<f32>;
  if (A_TRANSPOSED) {
    // unroll
    for (var p = 0u; p < 4u; p++) {
      block[p] = select(vec4<f32>(), a4[(start + min(k + p, dims.k - 1u) * dims.a.step_row + min(x, dims.m - 4u)) / 4u], k + p < last);
    }
  } else {
    // unroll
    for (var s = 0u; s < 4u; s++) {
      block[s] = select(vec4<f32>(), a4[(start + min(x + s, dims.m - 1u) * dims.a.step_row + min(k, dims.k - 4u)) / 4u], k < last);
    }
    block = transpose(block);
  }
  return block;
}

// Columns x ... x + 3 of op(B) at k ... k + 3, likewise.
fn block_b(start: u32, x: u32, k: u32, last: u32) -> mat4x4<f32> {
  var block: mat4x4<f32>;
  if (B_TRANSPOSED) {
    // unroll
    for (var s = 0u; s < 4u; s++) {
      block[s] = select(vec4<f32>(), b4[(start + min(x + s, dims.n - 1u) * dims.b.step_row + min(k, dims.k - 4u)) / 4u], k < last);
    }
    block = transpose(block);
  } else {
    // unroll
    for (var p = 0u; p < 4u; p++) {
      block[p] = select(vec4<f32>(), b4[(start + min(k + p, dims.k - 1u) * dims.b.step_row + min(x, dims.n - 4u)) / 4u], k + p < last);
    }
  }
  return block;
}

@compute @workgroup_size(SIDE, SIDE)
fn tiled(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let row0 = group.x * 4u * BM4;
  let column0 = group.y * 4u * BN4;
  let batch = group.z % dims.batches;
  let split = group.z / dims.batches;
  let a_start = start_of(dims.a, batch);
  let b_start = start_of(dims.b, batch);
  let first = split * dims.k_per_split;
  let last = min(dims.k, first + dims.k_per_split);
  var blocks_a: array<mat4x4<f32>, BLOCKS_A>;
  var blocks_b: array<mat4x4<f32>, BLOCKS_B>;
  var sum: array<vec4<f32>, TM * TN4>;
  var row_sum: array<vec4<f32>, TM4>;
  var buffer = 0u;
  // one round more than there are tiles: each stores what the one before has loaded, and loads for the next
  for (var k = first; k < last + KTILE; k += KTILE) {
    // unroll
    for (var s = 0u; s < BLOCKS_A; s++) {
      let block = index + 256u * s;
      if (k < last && block < KTILE4 * BM4) {
        blocks_a[s] = block_a(a_start, row0 + 4u * (block % BM4), k + 4u * (block / BM4), last);
      }
    }
    // unroll
    for (var s = 0u; s < BLOCKS_B; s++) {
      let block = index + 256u * s;
      if (k < last && block < KTILE4 * BN4) {
        blocks_b[s] = block_b(b_start, column0 + 4u * (block % BN4), k + 4u * (block / BN4), last);
      }
    }
    if (k > first) {
      let from_a = (1u - buffer) * KTILE * BM4 + local.y;
      let from_b = (1u - buffer) * KTILE * BN4 + local.x;
      // unroll
      for (var p = 0u; p < KTILE; p++) {
        var av: array<vec4<f32>, TM4>;
        var bv: array<vec4<f32>, TN4>;
        // unroll
        for (var i = 0u; i < TM4; i++) {
          av[i] = tile_a[from_a + p * BM4 + i * SIDE];
          row_sum[i] += av[i];
        }
        // unroll
        for (var j = 0u; j < TN4; j++) {
          bv[j] = tile_b[from_b + p * BN4 + j * SIDE];
        }
        // unroll
        for (var i = 0u; i < TM; i++) {
          // unroll
          for (var j = 0u; j < TN4; j++) {
            sum[i * TN4 + j] = fma(vec4<f32>(av[i / 4u][i % 4u]), bv[j], sum[i * TN4 + j]);
          }
        }
      }
    }
    // unroll
    for (var s = 0u; s < BLOCKS_A; s++) {
      let block = index + 256u * s;
      if (block < KTILE4 * BM4) {
        // unroll
        for (var p = 0u; p < 4u; p++) {
          tile_a[(buffer * KTILE + 4u * (block / BM4) + p) * BM4 + block % BM4] = blocks_a[s][p];
        }
      }
    }
    // unroll
    for (var s = 0u; s < BLOCKS_B; s++) {
      let block = index + 256u * s;
      if (block < KTILE4 * BN4) {
        // unroll
        for (var p = 0u; p < 4u; p++) {
          tile_b[(buffer * KTILE + 4u * (block / BN4) + p) * BN4 + block % BN4] = blocks_b[s][p];
        }
      }
    }
    workgroupBarrier();
    buffer = 1u - buffer;
  }
  let c_start = result_of(batch, split);
  // unroll
  for (var j = 0u; j < TN4; j++) {
    let column = column0 + 4u * (j * SIDE + local.x);
    let b = bias_of(column);
    // unroll
    for (var i = 0u; i < TM; i++) {
      let row = row0 + 4u * (i / 4u * SIDE + local.y) + i % 4u;
      if (row < dims.m && column < dims.n) {
        let value = linear4(column, sum[i * TN4 + j], b);
        c4[(c_start + row * dims.c.step_row + column) / 4u] = finish4((row * dims.n + column) / 4u, value);
      }
    }
  }
  if (A_TRANSPOSED) {
    // unroll
    for (var i = 0u; i < TM4; i++) {
      let row = row0 + 4u * (i * SIDE + local.y);
      if (group.y == 0u && local.x == 0u && row < dims.m) {
        row_sums4[(sums_of(batch, split) + row) / 4u] = row_sum[i];
      }
    }
  }
}

// c[i] = sum over z of parts[z][i], parts being the (M, N) results of the splits.
@compute @workgroup_size(64)
fn sum_parts(@builtin(global_invocation_id) id: vec3<u32>) {
  let size = arrayLength(&c);
  if (id.x < size) {
    var sum = 0.0;
    for (var i = id.x; i < arrayLength(&parts); i += size) {
      sum += parts[i];
    }
    c[id.x] = sum;
  }
}
