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
//
// uses lib/invocation.wgsl

// a column, or four neighbouring ones where their number allows; dims.columns counts these
alias Number = f32;

struct Dims {
  columns: u32,
  // of partial
  segments: u32, // of this launch
  first: u32,    // segments before those
}

@group(0) @binding(0) var<storage, read> x: array<Number>;
@group(0) @binding(1) var<storage, read_write> parts_out: array<Number>;
@group(0) @binding(2) var<storage, read> parts: array<Number>;
@group(0) @binding(3) var<storage, read_write> y: array<Number>;
@group(0) @binding(4) var<uniform> dims: Dims;

@compute @workgroup_size(WIDTH)
fn partial(ids: Ids) {
  let at = cell(ids, dims.columns);
  if (at.column >= dims.columns || at.row >= dims.segments) {
    return;
  }
  let rows = arrayLength(&x) / dims.columns;
  let last = part_start(at.row + 1u, rows, dims.segments);
  var sum = Number();
  for (var r = part_start(at.row, rows, dims.segments); r < last; r++) {
    sum += x[r * dims.columns + at.column];
  }
  parts_out[(dims.first + at.row) * dims.columns + at.column] = sum;
}

@compute @workgroup_size(WIDTH)
fn finish(ids: Ids) {
  let column = invocation(ids);
  if (column >= dims.columns) {
    return;
  }
  var sum = Number();
  for (var i = column; i < arrayLength(&parts); i += dims.columns) {
    sum += parts[i];
  }
  y[column] = sum;
}
