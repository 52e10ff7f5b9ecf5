// Moves results of a step to a buffer that the host reads many steps later.
//
//   table[step.row, column] = scale sum over i of x[i]          entry point total
//   rows[step.first_row + r, :] = x[r, :]                       entry point store_rows
//
// table  (rows, columns)      x  any shape      rows  (n, columns)
//
// total: one workgroup, the same tree of sums every time. store_rows: one invocation an element; rows beyond
// the end of the output are dropped (the last batch may be padded).
//
// uses lib/invocation.wgsl, lib/step.wgsl

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
fn total(ids: Ids) {
  var sum = 0.0;
  for (var i = ids.lane; i < arrayLength(&x); i += WIDTH) {
    sum += x[i];
  }
  shared_sum[ids.lane] = sum;
  for (var half = WIDTH / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (ids.lane < half) {
      shared_sum[ids.lane] += shared_sum[ids.lane + half];
    }
  }
  if (ids.lane == 0u) {
    table[step.row * dims.columns + dims.column] = dims.scale * shared_sum[0];
  }
}

@compute @workgroup_size(WIDTH)
fn store_rows(ids: Ids) {
  let i = invocation(ids);
  let at = step.first_row * dims.columns + i;
  if (i < arrayLength(&x) && at < arrayLength(&table)) {
    table[at] = x[i];
  }
}
