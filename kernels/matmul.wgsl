// Matrix product with its epilogue.
//
//   C = epilogue(op(A) op(B))       C is (M, N), the sum runs over K
//
//   A_TRANSPOSED false: A is (M, K)        true: A is (K, M)
//   B_TRANSPOSED false: B is (K, N)        true: B is (N, K)
//
//   epilogue, in this order, each switched by a constant:
//     BIAS      + bias[column]
//     GELU      pre = value, then gelu(value)
//
//   A linear layer y = x W^T + b with W (out, in) as in PyTorch takes, forward, A = x and B = W transposed;
//   for dx = dy W, A = dy and B = W; for dW = dy^T x, A = dy transposed and B = x.
//
// SPLIT K: workgroup z adds rows z * K/splits ... of the sum and writes its own (M, N) part of c; entry point
// sum_parts adds the parts in order. It keeps the many cores of a GPU busy when M and N are small, and the
// result does not depend on which workgroup ends first. A product with an epilogue is not split.
//
// One invocation computes TM x TN elements of C in registers: per k it loads TM + TN values for TM TN
// multiplications. Entry point general takes any size. The others move four values at a time (bindings whose
// names end in 4) and need every contiguous axis (and N) to be a multiple of 4:
//
//   vectorised  every invocation loads all it needs
//   broadcast   a workgroup is one subgroup of 8 invocations with the same columns: each loads an eighth of the
//               values of B and hands them to the others. TM and TN are multiples of 4 and 8, KSTEP is 8
//
// All matrices are dense and row-major.
//
// Uses gelu() of lib/gelu.wgsl.

// what gelu() works on
alias Number = f32;
const TM: u32 = 4u;
const TN: u32 = 4u;
const KSTEP: u32 = 4u;
const WIDTH_X: u32 = 8u;
const WIDTH_Y: u32 = 1u;
const A_TRANSPOSED: bool = false;
const B_TRANSPOSED: bool = false;
const BIAS: bool = false;
const GELU: bool = false;
const ALPHA: f32 = 1.0;

const TM4: u32 = TM / 4u;
const TN4: u32 = TN / 4u;

struct Dims {
  m: u32,
  n: u32,
  k: u32,
  k_per_split: u32, // a multiple of KSTEP, and of 8 for broadcast
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> a4: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> b4: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> c: array<f32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read_write> pre_out: array<f32>;
@group(0) @binding(9) var<uniform> dims: Dims;
@group(0) @binding(10) var<storage, read> parts: array<f32>;
@group(0) @binding(11) var<storage, read_write> c4: array<vec4<f32>>;
@group(0) @binding(12) var<storage, read> bias4: array<vec4<f32>>;
@group(0) @binding(13) var<storage, read_write> pre_out4: array<vec4<f32>>;

fn store(row: u32, column: u32, split: u32, sum: f32) {
  if (row < dims.m && column < dims.n) {
    let i = row * dims.n + column;
    var value = ALPHA * sum;
    if (BIAS) {
      value += bias[column];
    }
    if (GELU) {
      pre_out[i] = value;
      value = gelu(value);
    }
    c[split * dims.m * dims.n + i] = value;
  }
}

@compute @workgroup_size(WIDTH_X, WIDTH_Y)
fn general(@builtin(global_invocation_id) id: vec3<u32>) {
  let row = id.x * TM;
  let column = id.y * TN;
  if (row >= dims.m || column >= dims.n) {
    return;
  }
  let last = min(dims.k, (id.z + 1u) * dims.k_per_split);
  var sum: array<f32, TM * TN>;
  for (var k = id.z * dims.k_per_split; k < last; k++) {
    var av: array<f32, TM>;
    var bv: array<f32, TN>;
    // unroll
    for (var i = 0u; i < TM; i++) {
      let r = min(row + i, dims.m - 1u);
      av[i] = a[select(r * dims.k + k, k * dims.m + r, A_TRANSPOSED)];
    }
    // unroll
    for (var j = 0u; j < TN; j++) {
      let s = min(column + j, dims.n - 1u);
      bv[j] = b[select(k * dims.n + s, s * dims.k + k, B_TRANSPOSED)];
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
      store(row + i, column + j, id.z, sum[i * TN + j]);
    }
  }
}

fn store4(row: u32, column: u32, split: u32, sum: vec4<f32>) {
  if (row < dims.m && column < dims.n) {
    let i = (row * dims.n + column) / 4u;
    var value = ALPHA * sum;
    if (BIAS) {
      value += bias4[column / 4u];
    }
    if (GELU) {
      pre_out4[i] = value;
      value = vec4<f32>(gelu(value.x), gelu(value.y), gelu(value.z), gelu(value.w));
    }
    c4[split * (dims.m * dims.n / 4u) + i] = value;
  }
}

@compute @workgroup_size(WIDTH_X, WIDTH_Y)
fn vectorised(@builtin(global_invocation_id) id: vec3<u32>) {
  let row = id.x * TM;
  let column = id.y * TN;
  if (row >= dims.m || column >= dims.n) {
    return;
  }
  let last = min(dims.k, (id.z + 1u) * dims.k_per_split);
  // sum[i TN4 + j] holds columns 4 j ... 4 j + 3 of row i
  var sum: array<vec4<f32>, TM * TN4>;
  for (var k = id.z * dims.k_per_split; k < last; k += KSTEP) {
    // A_TRANSPOSED: av[p TM4 + i] holds rows 4 i ... 4 i + 3 at k + p, else av[i] row i at k ... k + 3
    var av: array<vec4<f32>, TM>;
    // bv[p TN4 + j] holds columns 4 j ... 4 j + 3 at k + p
    var bv: array<vec4<f32>, KSTEP * TN4>;
    if (A_TRANSPOSED) {
      // unroll
      for (var p = 0u; p < KSTEP; p++) {
        // unroll
        for (var i = 0u; i < TM4; i++) {
          av[p * TM4 + i] = a4[((k + p) * dims.m + min(row + 4u * i, dims.m - 4u)) / 4u];
        }
      }
    } else {
      // unroll
      for (var i = 0u; i < TM; i++) {
        av[i] = a4[(min(row + i, dims.m - 1u) * dims.k + k) / 4u];
      }
    }
    if (B_TRANSPOSED) {
      // unroll
      for (var j = 0u; j < TN4; j++) {
        let first = min(column + 4u * j, dims.n - 4u) * dims.k + k;
        let t = transpose(mat4x4<f32>(
          b4[first / 4u],
          b4[(first + dims.k) / 4u],
          b4[(first + 2u * dims.k) / 4u],
          b4[(first + 3u * dims.k) / 4u],
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
          bv[p * TN4 + j] = b4[((k + p) * dims.n + min(column + 4u * j, dims.n - 4u)) / 4u];
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
  // unroll
  for (var i = 0u; i < TM; i++) {
    // unroll
    for (var j = 0u; j < TN4; j++) {
      store4(row + i, column + 4u * j, id.z, sum[i * TN4 + j]);
    }
  }
}

@compute @workgroup_size(8)
fn broadcast(@builtin(global_invocation_id) id: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
  // rows beyond the end are computed too, from the last ones: every invocation has to lend its values
  let row = id.x * TM;
  let column = id.y * TN;
  let last = min(dims.k, (id.z + 1u) * dims.k_per_split);
  var sum: array<vec4<f32>, TM * TN4>;
  for (var k = id.z * dims.k_per_split; k < last; k += 8u) {
    // what this invocation lends. B_TRANSPOSED: own[2 g + h] holds column 8 g + lane at k + 4 h ... k + 4 h + 3,
    // else own[j] columns 4 j ... 4 j + 3 at k + lane; zeros beyond the end of the sum
    var own: array<vec4<f32>, TN4>;
    if (B_TRANSPOSED) {
      // unroll
      for (var g = 0u; g < TN4 / 2u; g++) {
        let at = min(column + 8u * g + lane, dims.n - 1u) * dims.k;
        // unroll
        for (var h = 0u; h < 2u; h++) {
          own[2u * g + h] = select(vec4<f32>(), b4[(at + min(k + 4u * h, dims.k - 4u)) / 4u], k + 4u * h < last);
        }
      }
    } else {
      let at = min(k + lane, dims.k - 1u) * dims.n;
      // unroll
      for (var j = 0u; j < TN4; j++) {
        own[j] = select(vec4<f32>(), b4[(at + min(column + 4u * j, dims.n - 4u)) / 4u], k + lane < last);
      }
    }
    // unroll
    for (var h = 0u; h < 2u; h++) {
      var av: array<vec4<f32>, TM>;
      var bv: array<vec4<f32>, TN>;
      if (A_TRANSPOSED) {
        // unroll
        for (var p = 0u; p < 4u; p++) {
          // unroll
          for (var i = 0u; i < TM4; i++) {
            av[p * TM4 + i] = a4[(min(k + 4u * h + p, dims.k - 1u) * dims.m + min(row + 4u * i, dims.m - 4u)) / 4u];
          }
        }
      } else {
        // unroll
        for (var i = 0u; i < TM; i++) {
          av[i] = a4[(min(row + i, dims.m - 1u) * dims.k + min(k + 4u * h, dims.k - 4u)) / 4u];
        }
      }
      // unroll
      for (var p = 0u; p < 4u; p++) {
        // unroll
        for (var j = 0u; j < TN4; j++) {
          if (B_TRANSPOSED) {
            let x = own[j / 2u * 2u + h][p];
            bv[p * TN4 + j] = vec4<f32>(
              subgroupBroadcast(x, j % 2u * 4u),
              subgroupBroadcast(x, j % 2u * 4u + 1u),
              subgroupBroadcast(x, j % 2u * 4u + 2u),
              subgroupBroadcast(x, j % 2u * 4u + 3u),
            );
          } else {
            bv[p * TN4 + j] = subgroupBroadcast(own[j], 4u * h + p);
          }
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
  }
  // unroll
  for (var i = 0u; i < TM; i++) {
    // unroll
    for (var j = 0u; j < TN4; j++) {
      store4(row + i, column + 4u * j, id.z, sum[i * TN4 + j]);
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
