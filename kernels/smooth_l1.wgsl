// Smooth L1 loss of each row (Girshick, arXiv:1504.08083), and its gradient, for one of several targets.
//
//   d       = prediction - goal
//   loss    = d^2 / 2          where |d| < 1,   |d| - 1/2  elsewhere
//   dprediction = clamp(d, -1, 1) WEIGHT / (B TARGETS)
//   distance    = |d|, or |exp(STD prediction + MEAN) - exp(STD goal + MEAN)| of logarithms (LOG)
//
// All three are multiplied by the row's weight, if rows have weights (WEIGHTED). WEIGHT is the factor in the total of the mean over rows
// and targets. Of tensors with a column for each target, TARGET alone is read and written.
//
// prediction, goal, loss, dprediction  (B, TARGETS)      distance, row_weight  (B)
//
// One invocation a row.
//
// uses lib/invocation.wgsl

const WEIGHT: f32 = 1.0;
const LOG: bool = false;
const MEAN: f32 = 0.0;
const STD: f32 = 1.0;
const WEIGHTED: bool = false;
const TARGETS: u32 = 1u;
const TARGET: u32 = 0u;

@group(0) @binding(0) var<storage, read> prediction: array<f32>;
@group(0) @binding(1) var<storage, read> goal: array<f32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> distance: array<f32>;
@group(0) @binding(4) var<storage, read_write> dprediction: array<f32>;
@group(0) @binding(5) var<storage, read> row_weight: array<f32>;

@compute @workgroup_size(WIDTH)
fn forward(ids: Ids) {
  let row = invocation(ids);
  let rows = arrayLength(&distance);
  if (row >= rows) {
    return;
  }
  let at = row * TARGETS + TARGET;
  let d = prediction[at] - goal[at];
  loss[at] = select(abs(d) - 0.5, 0.5 * d * d, abs(d) < 1.0);
  distance[row] = abs(d);
  if (LOG) {
    distance[row] = abs(exp(STD * prediction[at] + MEAN) - exp(STD * goal[at] + MEAN));
  }
  dprediction[at] = clamp(d, -1.0, 1.0) * WEIGHT / f32(rows * TARGETS);
  if (WEIGHTED) {
    loss[at] *= row_weight[row];
    distance[row] *= row_weight[row];
    dprediction[at] *= row_weight[row];
  }
}
