// Layer normalisation, a row by a workgroup, as suits GPUs: loads of its invocations lie side by side, and their sums are added up in a
// tree in workgroup memory, or by a subgroup's own addition. The formula is in kernels/layer_norm.wgsl, and here x may be a sum too:
//
//   RESIDUAL: x = residual + branch, under dropout and drop path as lib/drop.wgsl draws them (DROP), which is written to x_out
//
// x, y, dy, dx, dx_before, residual, branch, x_out  (R, D)
// weight, bias  (D)
// mean, rstd    (R)
//
// forward, backward_input: a workgroup of WIDTH invocations a row.
//
// uses lib/drop.wgsl, lib/invocation.wgsl, lib/number.wgsl, lib/step.wgsl, lib/tokens.wgsl

// one number, or four side by side where sizes allow
alias Number = f32;
const EPS: f32 = 1e-5;
const SUBGROUP: bool = false; // a workgroup is one subgroup
const RESIDUAL: bool = false;
const DROP: bool = false;

struct Dims {
  drop: Drop,
  first: u32,      // Numbers before those that are bound, for dropout
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
@group(0) @binding(11) var<uniform> dims: Dims;
@group(0) @binding(12) var<storage, read> residual: array<Number>;
@group(0) @binding(13) var<storage, read> branch: array<Number>;
@group(0) @binding(14) var<storage, read_write> x_out: array<Number>;
@group(0) @binding(15) var<uniform> step: Step;

var<workgroup> partials: array<vec2<f32>, WIDTH>;

// Means over a row of what its invocations have summed.
fn row_means(a: Number, b: Number, lane: u32) -> vec2<f32> {
  var sums = vec2<f32>(total(a), total(b));
  if (SUBGROUP) {
    sums = subgroupAdd(sums);
  } else {
    partials[lane] = sums;
    for (var half = WIDTH / 2u; half > 0u; half /= 2u) {
      workgroupBarrier();
      if (lane < half) {
        partials[lane] += partials[lane + half];
      }
    }
    sums = workgroupUniformLoad(&partials[0]);
  }
  return sums / f32(arrayLength(&weight) * ELEMENTS);
}

// Number i of the branch after dropout.
fn kept_branch(i: u32) -> Number {
  if (DROP) {
    if (QUADS) {
      return branch[i] * Number(drop_quad(dims.drop, dims.first + i, step));
    } else {
      return branch[i] * Number(drop_one(dims.drop, dims.first + i, step));
    }
  } else {
    return branch[i];
  }
}

// Number i of x, which is computed and written if it is a sum.
fn load(i: u32) -> Number {
  if (RESIDUAL) {
    let value = kept_branch(i) + residual[i];
    x_out[i] = value;
    return value;
  } else {
    return x[i];
  }
}

// The same once more.
fn load_again(i: u32) -> Number {
  if (RESIDUAL) {
    return x_out[i];
  } else {
    return x[i];
  }
}

@compute @workgroup_size(WIDTH)
fn forward(group: Group, @builtin(local_invocation_index) lane: u32) {
  let row = group_number(group);
  if (row >= in_use(arrayLength(&mean_out))) {
    return;
  }
  let base = row * arrayLength(&weight);
  var sum = Number();
  for (var i = lane; i < arrayLength(&weight); i += WIDTH) {
    sum += load(base + i);
  }
  let m = row_means(sum, Number(), lane).x;
  var squares = Number();
  for (var i = lane; i < arrayLength(&weight); i += WIDTH) {
    let d = load_again(base + i) - m;
    squares = fma(d, d, squares);
  }
  let r = inverseSqrt(row_means(squares, Number(), lane).x + EPS);
  for (var i = lane; i < arrayLength(&weight); i += WIDTH) {
    y[base + i] = fma((load_again(base + i) - m) * r, weight[i], bias[i]);
  }
  if (lane == 0u) {
    mean_out[row] = m;
    rstd_out[row] = r;
  }
}

@compute @workgroup_size(WIDTH)
fn backward_input(group: Group, @builtin(local_invocation_index) lane: u32) {
  let row = group_number(group);
  if (row >= in_use(arrayLength(&mean))) {
    return;
  }
  let base = row * arrayLength(&weight);
  let m = mean[row];
  let r = rstd[row];
  var sum = Number();
  var sum_xhat = Number();
  for (var i = lane; i < arrayLength(&weight); i += WIDTH) {
    let g = dy[base + i] * weight[i];
    sum += g;
    sum_xhat = fma(g, (x[base + i] - m) * r, sum_xhat);
  }
  let means = row_means(sum, sum_xhat, lane);
  for (var i = lane; i < arrayLength(&weight); i += WIDTH) {
    let xhat = (x[base + i] - m) * r;
    let value = r * (dy[base + i] * weight[i] - means.x - xhat * means.y);
    dx[base + i] = value + select(Number(), dx_before[base + i], dims.accumulate == 1u);
  }
}
