// Layer normalisation over the last axis (Ba, Kiros and Hinton, arXiv:1607.06450), a row by one invocation, as suits software
// adapters; kernels/layer_norm_group.wgsl has a workgroup for each row.
//
//   xhat = (x - mean) rstd          mean, biased variance over the D values of a row; rstd = 1 / sqrt(variance + EPS)
//   y    = xhat weight + bias
//
//   g       = dy weight
//   dx      = rstd (g - mean(g) - xhat mean(g xhat)) + dx_before     (the last term if dims.accumulate)
//   dweight = sum over rows of dy xhat
//   dbias   = sum over rows of dy
//
// x, y, dy, dx, dx_before  (R, D)
// weight, bias             (D)
// mean, rstd               (R)
// dweight_partials, dbias_partials  (S, D): sums over S segments of the rows, added by column_sum.add_partials
//
// forward, backward_input: one invocation a row; forward_short, backward_input_short: likewise, of rows that registers hold, so that
// each number is loaded once. backward_weight, of both kernels: one a Number of the columns and a segment.
//
// uses lib/invocation.wgsl, lib/number.wgsl, lib/tokens.wgsl

// one number, or four side by side where sizes allow
alias Number = f32;
const EPS: f32 = 1e-5;
const ROW: u32 = 8u; // Numbers in a short row

struct Dims {
  accumulate: u32, // 1: the input has a gradient already, else a stand-in is bound
  // of backward_weight
  numbers: u32,  // Numbers in a row
  segments: u32, // of this launch
  first: u32,    // segments before those
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
@group(0) @binding(11) var<storage, read_write> dweight_partials: array<Number>;
@group(0) @binding(12) var<storage, read_write> dbias_partials: array<Number>;
@group(0) @binding(13) var<uniform> dims: Dims;

// The mean over a row of what adds up to a sum.
fn row_mean(sum: Number) -> f32 {
  return total(sum) / f32(arrayLength(&weight) * ELEMENTS);
}

@compute @workgroup_size(WIDTH)
fn forward(ids: Ids) {
  let row = invocation(ids);
  if (row >= in_use(arrayLength(&mean_out))) {
    return;
  }
  let base = row * arrayLength(&weight);
  var sum = Number();
  for (var i = 0u; i < arrayLength(&weight); i++) {
    sum += x[base + i];
  }
  let m = row_mean(sum);
  var squares = Number();
  for (var i = 0u; i < arrayLength(&weight); i++) {
    let d = x[base + i] - m;
    squares = fma(d, d, squares);
  }
  let r = inverseSqrt(row_mean(squares) + EPS);
  for (var i = 0u; i < arrayLength(&weight); i++) {
    y[base + i] = fma((x[base + i] - m) * r, weight[i], bias[i]);
  }
  mean_out[row] = m;
  rstd_out[row] = r;
}

@compute @workgroup_size(WIDTH)
fn forward_short(ids: Ids) {
  // before any condition: only there a software adapter loads what all of its lanes share once, and not for each of them
  var w: array<Number, ROW>;
  var b: array<Number, ROW>;
  // unroll
  for (var i = 0u; i < ROW; i++) {
    w[i] = weight[i];
    b[i] = bias[i];
  }
  let row = invocation(ids);
  if (row >= in_use(arrayLength(&mean_out))) {
    return;
  }
  let base = row * ROW;
  var value: array<Number, ROW>;
  var sum = Number();
  // unroll
  for (var i = 0u; i < ROW; i++) {
    value[i] = x[base + i];
    sum += value[i];
  }
  let m = row_mean(sum);
  var squares = Number();
  // unroll
  for (var i = 0u; i < ROW; i++) {
    value[i] -= m;
    squares = fma(value[i], value[i], squares);
  }
  let r = inverseSqrt(row_mean(squares) + EPS);
  // unroll
  for (var i = 0u; i < ROW; i++) {
    y[base + i] = fma(value[i] * r, w[i], b[i]);
  }
  mean_out[row] = m;
  rstd_out[row] = r;
}

@compute @workgroup_size(WIDTH)
fn backward_input(ids: Ids) {
  let row = invocation(ids);
  if (row >= in_use(arrayLength(&mean))) {
    return;
  }
  let base = row * arrayLength(&weight);
  let m = mean[row];
  let r = rstd[row];
  var sum = Number();
  var sum_xhat = Number();
  for (var i = 0u; i < arrayLength(&weight); i++) {
    let g = dy[base + i] * weight[i];
    sum += g;
    sum_xhat = fma(g, (x[base + i] - m) * r, sum_xhat);
  }
  let mean_g = row_mean(sum);
  let mean_g_xhat = row_mean(sum_xhat);
  for (var i = 0u; i < arrayLength(&weight); i++) {
    let xhat = (x[base + i] - m) * r;
    let value = r * (dy[base + i] * weight[i] - mean_g - xhat * mean_g_xhat);
    dx[base + i] = value + select(Number(), dx_before[base + i], dims.accumulate == 1u);
  }
}

@compute @workgroup_size(WIDTH)
fn backward_input_short(ids: Ids) {
  var w: array<Number, ROW>;
  // unroll
  for (var i = 0u; i < ROW; i++) {
    w[i] = weight[i];
  }
  let row = invocation(ids);
  if (row >= in_use(arrayLength(&mean))) {
    return;
  }
  let base = row * ROW;
  let m = mean[row];
  let r = rstd[row];
  var g: array<Number, ROW>;
  var xhat: array<Number, ROW>;
  var sum = Number();
  var sum_xhat = Number();
  // unroll
  for (var i = 0u; i < ROW; i++) {
    g[i] = dy[base + i] * w[i];
    xhat[i] = (x[base + i] - m) * r;
    sum += g[i];
    sum_xhat = fma(g[i], xhat[i], sum_xhat);
  }
  let mean_g = row_mean(sum);
  let mean_g_xhat = row_mean(sum_xhat);
  // unroll
  for (var i = 0u; i < ROW; i++) {
    let value = r * (g[i] - mean_g - xhat[i] * mean_g_xhat);
    dx[base + i] = value + select(Number(), dx_before[base + i], dims.accumulate == 1u);
  }
}

@compute @workgroup_size(WIDTH)
fn backward_weight(ids: Ids) {
  let at = cell(ids, dims.numbers);
  if (at.column >= dims.numbers || at.row >= dims.segments) {
    return;
  }
  let rows = in_use(arrayLength(&mean));
  let last = segment_start(at.row + 1u, rows, dims.segments);
  var dweight = Number();
  var dbias = Number(nothing());
  for (var row = segment_start(at.row, rows, dims.segments); row < last; row++) {
    let g = dy[row * dims.numbers + at.column];
    dweight = fma(g, (x[row * dims.numbers + at.column] - mean[row]) * rstd[row], dweight);
    dbias += g;
  }
  dweight_partials[(dims.first + at.row) * dims.numbers + at.column] = dweight;
  dbias_partials[(dims.first + at.row) * dims.numbers + at.column] = dbias;
}
