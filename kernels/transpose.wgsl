// Transposes of matrices that lie one after the other.
//
//   y[n, j, i] = x[n, i, j]       x (count, rows, columns), y (count, columns, rows); rows and columns are multiples of 4
//
// One invocation a block of 4 x 4.
//
// uses lib/invocation.wgsl

struct Dims {
  rows4: u32, // a fourth of the rows
  columns4: u32,
  count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(WIDTH)
fn main(ids: Ids) {
  let block = invocation(ids);
  let j = block % dims.columns4;
  let i = block / dims.columns4 % dims.rows4;
  let n = block / dims.columns4 / dims.rows4;
  if (n >= dims.count) {
    return;
  }
  let first = n * 4u * dims.rows4 * dims.columns4;
  var rows: mat4x4<f32>;
  // unroll
  for (var s = 0u; s < 4u; s++) {
    rows[s] = x[first + (4u * i + s) * dims.columns4 + j];
  }
  let columns = transpose(rows);
  // unroll
  for (var s = 0u; s < 4u; s++) {
    y[first + (4u * j + s) * dims.rows4 + i] = columns[s];
  }
}
