// Layer normalisation over the last axis (Ba, Kiros and Hinton, arXiv:1607.06450).
//
//   xhat = (x - mean) rstd          mean, biased variance over the DIM values of a row; rstd = 1 / sqrt(variance + EPS)
//   y    = xhat weight + bias
//
//   g       = dy weight
//   dx      = rstd (g - mean(g) - xhat mean(g xhat)) + dx_before     (the last term if dims.accumulate)
//   dweight = sum over rows of dy xhat
//   dbias   = sum over rows of dy
//
// x, y, dy, dx, dx_before  (R, DIM)
// weight, bias             (DIM)
// mean, rstd               (R)
// dweight_parts, dbias_parts  (S, DIM): sums over S segments of the rows, added by column_sum.finish
//
// forward, backward_input: one invocation a row. backward_weight: one invocation a Number of the columns and
// a segment.

// one number, or four side by side where sizes allow
alias Number = f32;
const DIM: u32 = 16u;
const NUMBERS: u32 = 16u; // in a row
const EPS: f32 = 1e-5;
const LANES: u32 = 64u; // of backward_weight

struct Dims {
  accumulate: u32, // 1: the input has a gradient already, else a stand-in is bound
}

@group(0) @binding(0) var<storage, read> x: array<Number>;
@group(0) @binding(1) var<storage, read> weight: array<Number>;
@group(0) @binding(2) var<storage, read> bias: array<Number>;
@group(0) @binding(3) var<storage, read_write> y: array<Number>;
@group(0) @binding(4) var<storage, read_write> mean_out: array<f32>;
@group(0) @binding(5) var<storage, read_write> rstd_out: array<f32>;
@group(0) @binding(6) var<storage, read> mean: array<f32>;
@group(0) @binding(7) var<storage, read> rstd: array<f32>;
@group(0) @binding(8) var<storage, read> dy: array<Number>;
@group(0) @binding(9) var<storage, read_write> dx: array<Number>;
@group(0) @binding(10) var<storage, read> dx_before: array<Number>;
@group(0) @binding(11) var<storage, read_write> dweight_parts: array<Number>;
@group(0) @binding(12) var<storage, read_write> dbias_parts: array<Number>;
@group(0) @binding(13) var<uniform> dims: Dims;

// Sum over the elements of a Number.
fn total(x: Number) -> f32 {
  return dot(vec4<f32>(x), select(vec4<f32>(1.0, 0.0, 0.0, 0.0), vec4<f32>(1.0), DIM != NUMBERS));
}

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
  let row = id.x;
  if (row >= arrayLength(&mean_out)) {
    return;
  }
  let base = row * NUMBERS;
  var sum = Number();
  for (var i = 0u; i < NUMBERS; i++) {
    sum += x[base + i];
  }
  let m = total(sum) / f32(DIM);
  var squares = Number();
  for (var i = 0u; i < NUMBERS; i++) {
    let d = x[base + i] - m;
    squares = fma(d, d, squares);
  }
  let r = inverseSqrt(total(squares) / f32(DIM) + EPS);
  for (var i = 0u; i < NUMBERS; i++) {
    y[base + i] = fma((x[base + i] - m) * r, weight[i], bias[i]);
  }
  mean_out[row] = m;
  rstd_out[row] = r;
}

@compute @workgroup_size(64)
fn backward_input(@builtin(global_invocation_id) id: vec3<u32>) {
  let row = id.x;
  if (row >= arrayLength(&mean)) {
    return;
  }
  let base = row * NUMBERS;
  let m = mean[row];
  let r = rstd[row];
  var sum = Number();
  var sum_xhat = Number();
  for (var i = 0u; i < NUMBERS; i++) {
    let g = dy[base + i] * weight[i];
    sum += g;
    sum_xhat = fma(g, (x[base + i] - m) * r, sum_xhat);
  }
  let mean_g = total(sum) / f32(DIM);
  let mean_g_xhat = total(sum_xhat) / f32(DIM);
  for (var i = 0u; i < NUMBERS; i++) {
    let xhat = (x[base + i] - m) * r;
    let value = r * (dy[base + i] * weight[i] - mean_g - xhat * mean_g_xhat);
    dx[base + i] = value + select(Number(), dx_before[base + i], dims.accumulate == 1u);
  }
}

@compute @workgroup_size(LANES)
fn backward_weight(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  if (id.x >= NUMBERS) {
    return;
  }
  let rows = arrayLength(&mean);
  let first = id.y * rows / groups.y;
  let last = (id.y + 1u) * rows / groups.y;
  var dweight = Number();
  var dbias = Number();
  for (var row = first; row < last; row++) {
    let g = dy[row * NUMBERS + id.x];
    dweight = fma(g, (x[row * NUMBERS + id.x] - mean[row]) * rstd[row], dweight);
    dbias += g;
  }
  dweight_parts[id.y * NUMBERS + id.x] = dweight;
  dbias_parts[id.y * NUMBERS + id.x] = dbias;
}
