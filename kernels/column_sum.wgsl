// Sums over the rows of a matrix, in two passes with a fixed order.
//
//   y[c] = sum over r of x[r, c]
//
// x         (R, columns)
// partials  (S, columns)   sums of S segments of R / S rows
// y         (columns)
//
// Pass 1 (sum_segments): one invocation a Number and segment; neighbours read neighbouring columns.
// Pass 2 (add_partials): one invocation a Number adds the partials in order.
//
// uses lib/invocation.wgsl, lib/tokens.wgsl

// a column, or four neighbouring ones where their number allows; dims.columns counts these
alias Number = f32;

struct Dims {
  columns: u32,
  // of sum_segments
  segments: u32, // of this launch
  first: u32,    // segments before those
}

@group(0) @binding(0) var<storage, read> x: array<Number>;
@group(0) @binding(1) var<storage, read_write> partials_out: array<Number>;
@group(0) @binding(2) var<storage, read> partials: array<Number>;
@group(0) @binding(3) var<storage, read_write> y: array<Number>;
@group(0) @binding(4) var<uniform> dims: Dims;

@compute @workgroup_size(WIDTH)
fn sum_segments(ids: Ids) {
  let at = cell(ids, dims.columns);
  if (at.column >= dims.columns || at.row >= dims.segments) {
    return;
  }
  let rows = in_use(arrayLength(&x)) / dims.columns;
  let last = segment_start(at.row + 1u, rows, dims.segments);
  var sum = Number(nothing());
  for (var r = segment_start(at.row, rows, dims.segments); r < last; r++) {
    sum += x[r * dims.columns + at.column];
  }
  partials_out[(dims.first + at.row) * dims.columns + at.column] = sum;
}

@compute @workgroup_size(WIDTH)
fn add_partials(ids: Ids) {
  let column = invocation(ids);
  if (column >= dims.columns) {
    return;
  }
  var sum = Number();
  for (var i = column; i < arrayLength(&partials); i += dims.columns) {
    sum += partials[i];
  }
  y[column] = sum;
}
