// Transposes of matrices that lie one after the other.
//
//   y[n, j, i] = x[n, i, j]       x (count, rows, columns), y (count, columns, rows); rows and columns are multiples of 4
//
// One invocation a block of 4 x 4.

struct Dims {
  rows4: u32, // a fourth of the rows
  columns4: u32,
  count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> dims: Dims;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let block = id.x + id.y * groups.x * 64u;
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
