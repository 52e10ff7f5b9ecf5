// Layer normalisation over the last axis (Ba, Kiros and Hinton, arXiv:1607.06450).
//
//   xhat = (x - mean) rstd          mean, biased variance over the D values of a row; rstd = 1 / sqrt(variance + EPS)
//   y    = xhat weight + bias
//
//   RESIDUAL: of x = residual + branch, under dropout and drop path as lib/drop.wgsl draws them (DROP); x is written too
//
//   g       = dy weight
//   dx      = rstd (g - mean(g) - xhat mean(g xhat)) + dx_before     (the last term if dims.accumulate)
//   dweight = sum over rows of dy xhat
//   dbias   = sum over rows of dy
//
// x, y, dy, dx, dx_before, residual, branch, x_out  (R, D)
// weight, bias             (D)
// mean, rstd               (R)
// dweight_parts, dbias_parts  (S, D): sums over S segments of the rows, added by column_sum.finish
//
// forward, backward_input: WIDTH invocations a row where TOGETHER, for GPUs: their loads lie side by side, and they add up their
// sums in a tree in workgroup memory, or by a subgroup's own addition; else one invocation a row, for software adapters.
// backward_weight: one invocation a Number of the columns and a segment.
//
// uses lib/drop.wgsl, lib/invocation.wgsl, lib/number.wgsl, lib/step.wgsl

// one number, or four side by side where sizes allow
alias Number = f32;
const EPS: f32 = 1e-5;
const TOGETHER: bool = false;
const SUBGROUP: bool = false; // with TOGETHER: a workgroup is one subgroup
const RESIDUAL: bool = false;
const DROP: bool = false;

struct Dims {
  numbers: u32,    // Numbers in a row, for backward_weight
  accumulate: u32, // 1: the input has a gradient already, else a stand-in is bound
  segments: u32,   // of backward_weight: those of this launch
  first: u32,      // segments before those; with DROP: Numbers before those that are bound
  @align(16) drop: Drop,
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
@group(0) @binding(14) var<storage, read> residual: array<Number>;
@group(0) @binding(15) var<storage, read> branch: array<Number>;
@group(0) @binding(16) var<storage, read_write> x_out: array<Number>;
@group(0) @binding(17) var<uniform> step: Step;

var<workgroup> partial: array<vec2<f32>, WIDTH>;

// Means over a row of what its invocations have summed.
fn row_means(a: Number, b: Number, lane: u32) -> vec2<f32> {
  var sums = vec2<f32>(total(a), total(b));
  if (SUBGROUP) {
    sums = subgroupAdd(sums);
  } else {
    if (TOGETHER) {
      partial[lane] = sums;
      for (var half = WIDTH / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (lane < half) {
          partial[lane] += partial[lane + half];
        }
      }
      sums = workgroupUniformLoad(&partial[0]);
    }
  }
  return sums / f32(arrayLength(&weight) * ELEMENTS);
}

// Which row an invocation works on.
fn row_of(ids: Ids) -> u32 {
  return select(invocation(ids), workgroup_number(ids), TOGETHER);
}

// The first Number of the row that it visits, and the step to the next.
fn part_of(lane: u32) -> vec2<u32> {
  return select(vec2<u32>(0u, 1u), vec2<u32>(lane, WIDTH), TOGETHER);
}

// Number i of x, which is computed and written first if it is a sum.
fn first_look(i: u32) -> Number {
  if (RESIDUAL) {
    var value = branch[i];
    if (DROP) {
      if (QUADS) {
        value *= Number(drop_quad(dims.drop, dims.first + i, step));
      } else {
        value *= Number(drop_one(dims.drop, dims.first + i, step));
      }
    }
    value += residual[i];
    x_out[i] = value;
    return value;
  } else {
    return x[i];
  }
}

fn look_again(i: u32) -> Number {
  if (RESIDUAL) {
    return x_out[i];
  } else {
    return x[i];
  }
}

@compute @workgroup_size(WIDTH)
fn forward(ids: Ids) {
  let row = row_of(ids);
  if (row >= arrayLength(&mean_out)) {
    return;
  }
  let base = row * arrayLength(&weight);
  let part = part_of(ids.lane);
  var sum = Number();
  for (var i = part.x; i < arrayLength(&weight); i += part.y) {
    sum += first_look(base + i);
  }
  let m = row_means(sum, Number(), ids.lane).x;
  var squares = Number();
  for (var i = part.x; i < arrayLength(&weight); i += part.y) {
    let d = look_again(base + i) - m;
    squares = fma(d, d, squares);
  }
  let r = inverseSqrt(row_means(squares, Number(), ids.lane).x + EPS);
  for (var i = part.x; i < arrayLength(&weight); i += part.y) {
    y[base + i] = fma((look_again(base + i) - m) * r, weight[i], bias[i]);
  }
  if (part.x == 0u) {
    mean_out[row] = m;
    rstd_out[row] = r;
  }
}

@compute @workgroup_size(WIDTH)
fn backward_input(ids: Ids) {
  let row = row_of(ids);
  if (row >= arrayLength(&mean)) {
    return;
  }
  let base = row * arrayLength(&weight);
  let part = part_of(ids.lane);
  let m = mean[row];
  let r = rstd[row];
  var sum = Number();
  var sum_xhat = Number();
  for (var i = part.x; i < arrayLength(&weight); i += part.y) {
    let g = dy[base + i] * weight[i];
    sum += g;
    sum_xhat = fma(g, (x[base + i] - m) * r, sum_xhat);
  }
  let means = row_means(sum, sum_xhat, ids.lane);
  for (var i = part.x; i < arrayLength(&weight); i += part.y) {
    let xhat = (x[base + i] - m) * r;
    let value = r * (dy[base + i] * weight[i] - means.x - xhat * means.y);
    dx[base + i] = value + select(Number(), dx_before[base + i], dims.accumulate == 1u);
  }
}

@compute @workgroup_size(WIDTH)
fn backward_weight(ids: Ids) {
  let at = cell(ids, dims.numbers);
  if (at.column >= dims.numbers || at.row >= dims.segments) {
    return;
  }
  let rows = arrayLength(&mean);
  let last = part_start(at.row + 1u, rows, dims.segments);
  var dweight = Number();
  var dbias = Number();
  for (var row = part_start(at.row, rows, dims.segments); row < last; row++) {
    let g = dy[row * dims.numbers + at.column];
    dweight = fma(g, (x[row * dims.numbers + at.column] - mean[row]) * rstd[row], dweight);
    dbias += g;
  }
  dweight_parts[(dims.first + at.row) * dims.numbers + at.column] = dweight;
  dbias_parts[(dims.first + at.row) * dims.numbers + at.column] = dbias;
}
