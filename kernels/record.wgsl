// Moves results of a step to a buffer that the host reads many steps later.
//
//   table[step.row, column] = scale sum over i of x[i]          entry point total
//   rows[step.first_row + r, :] = x[r, :]                       entry point store_rows
//
// table  (rows, columns)      x  any shape      rows  (n, columns)
//
// total: one workgroup, the same tree of sums every time. store_rows: one invocation an element; rows beyond
// the end of the output are dropped (the last batch may be padded). Uses lib/step.wgsl.

const WIDTH: u32 = 64u;

struct Dims {
  columns: u32,
  column: u32, // of total
  scale: f32,  // of total
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> table: array<f32>;
@group(0) @binding(2) var<uniform> step: Step;
@group(0) @binding(3) var<uniform> dims: Dims;

var<workgroup> shared_sum: array<f32, WIDTH>;

@compute @workgroup_size(WIDTH)
fn total(@builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var i = lane; i < arrayLength(&x); i += WIDTH) {
    sum += x[i];
  }
  shared_sum[lane] = sum;
  for (var half = WIDTH / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      shared_sum[lane] += shared_sum[lane + half];
    }
  }
  if (lane == 0u) {
    table[step.row * dims.columns + dims.column] = dims.scale * shared_sum[0];
  }
}

@compute @workgroup_size(WIDTH)
fn store_rows(@builtin(global_invocation_id) id: vec3<u32>) {
  let at = step.first_row * dims.columns + id.x;
  if (id.x < arrayLength(&x) && at < arrayLength(&table)) {
    table[at] = x[id.x];
  }
}
