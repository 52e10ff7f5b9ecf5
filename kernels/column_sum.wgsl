// Sums over the rows of a matrix, in two passes with a fixed order.
//
//   y[c] = sum over r of x[r, c]
//
// x      (R, columns)
// parts  (S, columns)   sums of S segments of R / S rows
// y      (columns)
//
// Pass 1 (partial): one invocation a Number and segment; neighbours read neighbouring columns.
// Pass 2 (finish): one invocation a Number adds the segments in order.

// a column, or four neighbouring ones where their number allows; dims.columns counts these
alias Number = f32;
const LANES: u32 = 64u;

struct Dims {
  columns: u32,
  first: u32, // of partial: segments before those of this launch
}

@group(0) @binding(0) var<storage, read> x: array<Number>;
@group(0) @binding(1) var<storage, read_write> parts_out: array<Number>;
@group(0) @binding(2) var<storage, read> parts: array<Number>;
@group(0) @binding(3) var<storage, read_write> y: array<Number>;
@group(0) @binding(4) var<uniform> dims: Dims;

@compute @workgroup_size(LANES)
fn partial(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  if (id.x >= dims.columns) {
    return;
  }
  let rows = arrayLength(&x) / dims.columns;
  let first = id.y * rows / groups.y;
  let last = (id.y + 1u) * rows / groups.y;
  var sum = Number();
  for (var r = first; r < last; r++) {
    sum += x[r * dims.columns + id.x];
  }
  parts_out[(dims.first + id.y) * dims.columns + id.x] = sum;
}

@compute @workgroup_size(64)
fn finish(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= dims.columns) {
    return;
  }
  var sum = Number();
  for (var i = id.x; i < arrayLength(&parts); i += dims.columns) {
    sum += parts[i];
  }
  y[id.x] = sum;
}
