// Batch normalisation of each column of a matrix (Ioffe and Szegedy, arXiv:1502.03167).
//
// The rows may be GROUPS batches one after the other (the two views of SimCLR): each is normalised by its
// own statistics, and the running statistics move once for each, in order. AVERAGED groups in a row may be parts of one batch: the
// running statistics then move once for all of them, by the means of their statistics.
//
//   training: mean, variance (biased) of the R / GROUPS rows of a group
//   predicting: the running mean and variance
//   xhat = (x - mean) rstd    rstd = 1 / sqrt(variance + EPS)    y = xhat weight + bias
//
//   running_mean += MOMENTUM (mean - running_mean)
//   running_var  += MOMENTUM (variance n / (n - 1) - running_var)        n = R / GROUPS
//
//   training:   dx = weight rstd (dy - mean(dy) - xhat mean(dy xhat))      means over the rows of the group
//   predicting: dx = weight rstd dy
//   and if x = gelu(pre), dpre = dx gelu'(pre) in the same pass
//   dweight = sum of dy xhat     dbias = sum of dy
//
// x, y, dx, dy         (R, DIM)
// weight, bias, running_mean, running_var, dweight, dbias  (DIM)
// mean, rstd           (GROUPS, DIM)
// partials             (GROUPS, S, 2, DIM): mean and sum of squared deviations (statistics), or sum of dy and of dy xhat
//                      (backward_sums), of each of S segments of the group's rows
// sums                 (GROUPS, 2, DIM): sum of dy and of dy xhat
//
// Segments are merged in order by the formula of Chan, Golub and LeVeque, which loses no digits when the
// mean is large beside the deviation. One invocation a Number and segment; a Number of the
// columns; or a Number.
//
// Active tokens (lib/tokens.wgsl): R is their number, and a group has those of as many images as the others.
//
// uses lib/gelu.wgsl, lib/invocation.wgsl, lib/tokens.wgsl

// a column, or four neighbouring ones where their number allows; DIM counts these
alias Number = f32;
const DIM: u32 = 16u;
const GROUPS: u32 = 1u;
const AVERAGED: u32 = 1u;
const EPS: f32 = 1e-5;
const MOMENTUM: f32 = 0.1;
const GELU_BACKWARD: bool = false; // of backward_input: x is gelu(pre), and the gradient of pre is wanted
const BY_IMAGE: bool = false; // of active tokens: a segment is an image
const RUNNING: bool = false; // predicting: the statistics do not depend on x

@group(0) @binding(0) var<storage, read> x: array<Number>;
@group(0) @binding(1) var<storage, read_write> partials_out: array<Number>;
@group(0) @binding(2) var<storage, read> partials: array<Number>;
@group(0) @binding(3) var<storage, read_write> mean_out: array<Number>;
@group(0) @binding(4) var<storage, read_write> rstd_out: array<Number>;
@group(0) @binding(5) var<storage, read_write> running_mean_out: array<Number>;
@group(0) @binding(6) var<storage, read_write> running_var_out: array<Number>;
@group(0) @binding(7) var<storage, read> mean: array<Number>;
@group(0) @binding(8) var<storage, read> rstd: array<Number>;
@group(0) @binding(9) var<storage, read> weight: array<Number>;
@group(0) @binding(10) var<storage, read> bias: array<Number>;
@group(0) @binding(11) var<storage, read_write> y: array<Number>;
@group(0) @binding(12) var<storage, read> dy: array<Number>;
@group(0) @binding(13) var<storage, read_write> sums_out: array<Number>;
@group(0) @binding(14) var<storage, read_write> dweight: array<Number>;
@group(0) @binding(15) var<storage, read_write> dbias: array<Number>;
@group(0) @binding(16) var<storage, read> sums: array<Number>;
@group(0) @binding(17) var<storage, read_write> dx: array<Number>;
@group(0) @binding(18) var<uniform> dims: Dims;
@group(0) @binding(19) var<storage, read> running_mean: array<Number>;
@group(0) @binding(20) var<storage, read> running_var: array<Number>;
@group(0) @binding(21) var<storage, read> pre: array<Number>;

struct Dims {
  rows: u32,      // of a group
  first_row: u32, // rows of all groups before those that are bound
  // of statistics and backward_sums
  first: u32,    // segments of all groups before those of this launch
  segments: u32, // of this launch
}

// Rows of the batch before a group; of the number of groups, all.
fn group_start(group: u32) -> u32 {
  if (ACTIVE) {
    return tokens_before(group * (tokens.images / GROUPS));
  } else {
    return group * dims.rows;
  }
}

fn group_rows(group: u32) -> u32 {
  return group_start(group + 1u) - group_start(group);
}

// The group of a row that is bound.
fn group_of(row: u32) -> u32 {
  if (GROUPS == 1u) {
    return 0u;
  }
  if (ACTIVE) {
    return (tokens.first_image + image_of(row, 1u)) / (tokens.images / GROUPS);
  } else {
    return (dims.first_row + row) / dims.rows;
  }
}

// The first row, of those that are bound, that a segment of a group takes; of the number of segments, the end of the last.
fn segment_first(group: u32, segment: u32, segments: u32) -> u32 {
  if (BY_IMAGE) {
    return image_start(group * segments + segment - tokens.first_image, 1u);
  } else {
    return group_start(group) - dims.first_row + segment_start(segment, group_rows(group), segments);
  }
}

// How many segments a group has, if all of them have so many Numbers.
fn segments_of(numbers: u32) -> u32 {
  return numbers / (GROUPS * 2u * DIM);
}

@compute @workgroup_size(WIDTH)
fn statistics(ids: Ids) {
  let at = cell(ids, DIM);
  if (at.column >= DIM || at.row >= dims.segments) {
    return;
  }
  let number = dims.first + at.row;
  let segments = segments_of(arrayLength(&partials_out));
  let group = number / segments;
  let segment = number % segments;
  let first = segment_first(group, segment, segments);
  let last = segment_first(group, segment + 1u, segments);
  var sum = Number();
  for (var r = first; r < last; r++) {
    sum += x[r * DIM + at.column];
  }
  let m = sum / f32(max(last - first, 1u));
  var squares = Number();
  for (var r = first; r < last; r++) {
    let d = x[r * DIM + at.column] - m;
    squares = fma(d, d, squares);
  }
  partials_out[number * 2u * DIM + at.column] = m;
  partials_out[number * 2u * DIM + DIM + at.column] = squares;
}

struct Merged {
  mean: Number,
  squares: Number, // sum of squared deviations
  count: f32,
}

// Mean and squared deviations of a column of a group.
fn merged(group: u32, column: u32) -> Merged {
  let segments = segments_of(arrayLength(&partials));
  var result = Merged(Number(), Number(), 0.0);
  for (var segment = 0u; segment < segments; segment++) {
    let at = (group * segments + segment) * 2u * DIM + column;
    // segments of no rows add nothing
    let added = f32(segment_first(group, segment + 1u, segments) - segment_first(group, segment, segments));
    let total = max(result.count + added, 1.0);
    let delta = partials[at] - result.mean;
    result.mean += delta * added / total;
    result.squares += partials[at + DIM] + delta * delta * result.count * added / total;
    result.count += added;
  }
  return result;
}

@compute @workgroup_size(WIDTH)
fn merge(ids: Ids) {
  let column = invocation(ids);
  if (column >= DIM) {
    return;
  }
  for (var group = 0u; group < GROUPS; group++) {
    let all = merged(group, column);
    mean_out[group * DIM + column] = all.mean;
    rstd_out[group * DIM + column] = inverseSqrt(all.squares / max(all.count, 1.0) + EPS);
  }
}

@compute @workgroup_size(WIDTH)
fn update_running(ids: Ids) {
  let column = invocation(ids);
  if (column >= DIM) {
    return;
  }
  for (var first = 0u; first < GROUPS; first += AVERAGED) {
    var mean_sum = Number();
    var variance_sum = Number();
    var empty = false;
    for (var group = first; group < first + AVERAGED; group++) {
      let all = merged(group, column);
      mean_sum += all.mean;
      variance_sum += all.squares / max(all.count - 1.0, 1.0);
      empty = empty || all.count == 0.0;
    }
    // a step with NaN or Infinity is skipped as a whole: it must not spoil the running statistics either
    // and so must one that has no rows
    let finite = variance_sum <= Number(select(3.0e38, -1.0, empty));
    let share = 1.0 / f32(AVERAGED);
    let old_mean = running_mean_out[column];
    let old_var = running_var_out[column];
    running_mean_out[column] = select(old_mean, old_mean + MOMENTUM * (share * mean_sum - old_mean), finite);
    running_var_out[column] = select(old_var, old_var + MOMENTUM * (share * variance_sum - old_var), finite);
  }
}

// Predicting: mean and rstd from the running statistics.
@compute @workgroup_size(WIDTH)
fn from_running(ids: Ids) {
  let column = invocation(ids);
  if (column < DIM) {
    mean_out[column] = running_mean[column];
    rstd_out[column] = inverseSqrt(running_var[column] + EPS);
  }
}

@compute @workgroup_size(WIDTH)
fn normalise(ids: Ids) {
  let i = invocation(ids);
  if (i >= in_use(arrayLength(&x))) {
    return;
  }
  let column = i % DIM;
  let at = group_of(i / DIM) * DIM + column;
  y[i] = fma((x[i] - mean[at]) * rstd[at], weight[column], bias[column]);
}

@compute @workgroup_size(WIDTH)
fn backward_sums(ids: Ids) {
  let at = cell(ids, DIM);
  if (at.column >= DIM || at.row >= dims.segments) {
    return;
  }
  let number = dims.first + at.row;
  let segments = segments_of(arrayLength(&partials_out));
  let group = number / segments;
  let segment = number % segments;
  let m = mean[group * DIM + at.column];
  let r = rstd[group * DIM + at.column];
  let last = segment_first(group, segment + 1u, segments);
  var sum = Number();
  var sum_xhat = Number();
  for (var row = segment_first(group, segment, segments); row < last; row++) {
    let i = row * DIM + at.column;
    sum += dy[i];
    sum_xhat = fma(dy[i], (x[i] - m) * r, sum_xhat);
  }
  partials_out[number * 2u * DIM + at.column] = sum;
  partials_out[number * 2u * DIM + DIM + at.column] = sum_xhat;
}

@compute @workgroup_size(WIDTH)
fn backward_merge(ids: Ids) {
  let column = invocation(ids);
  if (column >= DIM) {
    return;
  }
  let segments = segments_of(arrayLength(&partials));
  var total = Number();
  var total_xhat = Number();
  for (var group = 0u; group < GROUPS; group++) {
    var sum = Number();
    var sum_xhat = Number();
    for (var segment = 0u; segment < segments; segment++) {
      let at = (group * segments + segment) * 2u * DIM + column;
      sum += partials[at];
      sum_xhat += partials[at + DIM];
    }
    sums_out[group * 2u * DIM + column] = sum;
    sums_out[group * 2u * DIM + DIM + column] = sum_xhat;
    total += sum;
    total_xhat += sum_xhat;
  }
  dbias[column] = total;
  dweight[column] = total_xhat;
}

@compute @workgroup_size(WIDTH)
fn backward_input(ids: Ids) {
  let i = invocation(ids);
  if (i >= in_use(arrayLength(&x))) {
    return;
  }
  let column = i % DIM;
  let group = group_of(i / DIM);
  let at = group * DIM + column;
  let scale = weight[column] * rstd[at];
  var result = scale * dy[i];
  if (!RUNNING) {
    let n = f32(group_rows(group));
    let xhat = (x[i] - mean[at]) * rstd[at];
    let mean_dy = sums[group * 2u * DIM + column] / n;
    let mean_dy_xhat = sums[group * 2u * DIM + DIM + column] / n;
    result = scale * (dy[i] - mean_dy - xhat * mean_dy_xhat);
  }
  if (GELU_BACKWARD) {
    result *= gelu_grad(pre[i]);
  }
  dx[i] = result;
}
