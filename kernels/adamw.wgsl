// Global-norm clipping and AdamW (Loshchilov and Hutter, arXiv:1711.05101) over one flat buffer.
//
//   norm  = sqrt(sum of gradient^2) over all parameters that are trained
//   g     = gradient min(1, CLIP_NORM / (norm + 1e-6))        CLIP_NORM 0: no clipping
//   m     = BETA1 m + (1 - BETA1) g
//   v     = BETA2 v + (1 - BETA2) g^2
//   value = value (1 - lr WEIGHT_DECAY) - lr (m / c1) / (sqrt(v / c2) + EPS)
//
// with c1 = 1 - BETA1^t and c2 = 1 - BETA2^t after t steps of the parameter's group, and lr the group's learning rate times
// the parameter's factor. A group that has not begun to learn is left as it is, and counts for nothing in the norm.
// If norm is not finite nothing is changed: the step is skipped and reported.
//
// value, gradient, m, v  (n)       parameters side by side, each padded to a multiple of BLOCK
// rate_of_block          (n / BLOCK, 2): learning-rate group, FROZEN for parameters that are not trained; bits of the factor
// partials               (SEGMENTS): sums of squares of SEGMENTS segments
// report                 (rows, 2): norm, and 1 if the step was skipped, in row step.row
//
// square_sums: workgroup s sums segment s. update: each workgroup adds the partials anew, always in the same tree, and
// then updates elements in turn with the others. Both take four elements at a time.
//
// uses lib/invocation.wgsl, lib/step.wgsl

const BLOCK: u32 = 64u;
const QUADS: u32 = BLOCK / 4u; // of a block
const LANES: u32 = 64u; // of a workgroup
const SEGMENTS: u32 = 64u;
const FROZEN: u32 = 255u;
const CLIP_NORM: f32 = 1.0;
const WEIGHT_DECAY: f32 = 0.01;
const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPS: f32 = 1e-8;

@group(0) @binding(0) var<storage, read> gradient: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> rate_of_block: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> partials_out: array<f32>;
@group(0) @binding(3) var<storage, read> partials: array<f32>;
@group(0) @binding(4) var<storage, read_write> value: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> m: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> v: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> report: array<f32>;
@group(0) @binding(8) var<uniform> step: Step;

var<workgroup> shared_sum: array<f32, LANES>;

// Sum of one value of each invocation, the same tree every time.
fn workgroup_sum(lane: u32, mine: f32) -> f32 {
  shared_sum[lane] = mine;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      shared_sum[lane] += shared_sum[lane + half];
    }
  }
  workgroupBarrier();
  return shared_sum[0];
}

fn learns(parameter_group: u32) -> bool {
  return parameter_group != FROZEN && step.correction1[parameter_group] > 0.0;
}

@compute @workgroup_size(LANES)
fn square_sums(group: Group, @builtin(local_invocation_index) lane: u32) {
  let segment = group_number(group);
  if (segment >= SEGMENTS) {
    return;
  }
  let blocks = arrayLength(&rate_of_block);
  let first = segment_start(segment, blocks, SEGMENTS);
  let last = segment_start(segment + 1u, blocks, SEGMENTS);
  var sum = vec4<f32>();
  for (var i = first * QUADS + lane; i < last * QUADS; i += LANES) {
    if (learns(rate_of_block[i / QUADS].x)) {
      let g = gradient[i];
      sum = fma(g, g, sum);
    }
  }
  let total = workgroup_sum(lane, (sum.x + sum.y) + (sum.z + sum.w));
  if (lane == 0u) {
    partials_out[segment] = total;
  }
}

@compute @workgroup_size(LANES)
fn update(group: Group, @builtin(local_invocation_index) lane: u32) {
  var mine = 0.0;
  for (var s = lane; s < SEGMENTS; s += LANES) {
    mine += partials[s];
  }
  let squares = workgroup_sum(lane, mine);
  let norm = sqrt(squares);
  let finite = (bitcast<u32>(squares) & 0x7f800000u) != 0x7f800000u;
  if (group_number(group) == 0u && lane == 0u) {
    report[2u * step.row] = norm;
    report[2u * step.row + 1u] = f32(!finite);
  }
  if (!finite) {
    return;
  }
  var scale = 1.0;
  if (CLIP_NORM > 0.0) {
    scale = min(1.0, CLIP_NORM / (norm + 1e-6));
  }
  for (var i = group_number(group) * LANES + lane; i < arrayLength(&value); i += group_count(group) * LANES) {
    let rate = rate_of_block[i / QUADS];
    if (learns(rate.x)) {
      update_quad(i, scale, rate.x, bitcast<f32>(rate.y) * step.learning_rate[rate.x]);
    }
  }
}

fn update_quad(i: u32, scale: f32, parameter_group: u32, lr: f32) {
  let g = scale * gradient[i];
  let m_new = fma(vec4<f32>(BETA1), m[i], (1.0 - BETA1) * g);
  let v_new = fma(vec4<f32>(BETA2), v[i], (1.0 - BETA2) * g * g);
  m[i] = m_new;
  v[i] = v_new;
  let adapted = (m_new / step.correction1[parameter_group]) / (sqrt(v_new / step.correction2[parameter_group]) + EPS);
  value[i] = value[i] * (1.0 - lr * WEIGHT_DECAY) - lr * adapted;
}
