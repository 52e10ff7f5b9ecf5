// What a batch is computed in parts by: sums over the parts, and rows of a part among those of the whole batch.
//
//   mean       sum = x (FIRST), else sum + x;  and x = scale sum after the last part (LAST)
//   put_rows   whole[p(r), :] = part[r, :]
//   take_rows  part[r, :] = scale whole[p(r), :]
//
// with p(r) the place of row r of the part in the whole batch (lib/place.wgsl).
//
// x, sum  (n)  any shape      part (rows, columns), whole (rows of the batch, columns)
//
// One invocation a Number of x, or an element of part.
//
// uses lib/invocation.wgsl, lib/place.wgsl, lib/step.wgsl

// one number, or four side by side where sizes allow
alias Number = f32;
const FIRST: bool = false;
const LAST: bool = false;

struct Dims {
  columns: u32, // of put_rows and take_rows
  scale: f32,   // of mean and take_rows
}

@group(0) @binding(0) var<storage, read_write> x: array<Number>;
@group(0) @binding(1) var<storage, read_write> sum: array<Number>;
@group(0) @binding(2) var<storage, read> part: array<f32>;
@group(0) @binding(3) var<storage, read_write> part_out: array<f32>;
@group(0) @binding(4) var<storage, read> whole: array<f32>;
@group(0) @binding(5) var<storage, read_write> whole_out: array<f32>;
@group(0) @binding(6) var<uniform> step: Step;
@group(0) @binding(7) var<uniform> dims: Dims;

@compute @workgroup_size(WIDTH)
fn mean(ids: Ids) {
  let i = invocation(ids);
  if (i >= arrayLength(&sum)) {
    return;
  }
  var total = x[i];
  if (!FIRST) {
    total += sum[i];
  }
  sum[i] = total;
  if (LAST) {
    x[i] = dims.scale * total;
  }
}

@compute @workgroup_size(WIDTH)
fn put_rows(ids: Ids) {
  let i = invocation(ids);
  if (i < arrayLength(&part)) {
    whole_out[place_of(i / dims.columns, step) * dims.columns + i % dims.columns] = part[i];
  }
}

@compute @workgroup_size(WIDTH)
fn take_rows(ids: Ids) {
  let i = invocation(ids);
  if (i < arrayLength(&part_out)) {
    part_out[i] = dims.scale * whole[place_of(i / dims.columns, step) * dims.columns + i % dims.columns];
  }
}
