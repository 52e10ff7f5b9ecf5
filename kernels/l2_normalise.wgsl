// Each row divided by its length.
//
//   y  = x / max(|x|, EPS)
//   dx = (dy - y (y . dy)) / |x|       (dy / EPS where |x| <= EPS)
//
// x, y, dy, dx  (R, DIM)      norm  (R): max(|x|, EPS)
//
// One invocation a row.
//
// uses lib/invocation.wgsl

const DIM: u32 = 16u;
const EPS: f32 = 1e-12;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> norm_out: array<f32>;
@group(0) @binding(3) var<storage, read> norm: array<f32>;
@group(0) @binding(4) var<storage, read> y_in: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WIDTH)
fn forward(ids: Ids) {
  let row = invocation(ids);
  if (row >= arrayLength(&norm_out)) {
    return;
  }
  let base = row * DIM;
  var squares = 0.0;
  for (var i = 0u; i < DIM; i++) {
    squares = fma(x[base + i], x[base + i], squares);
  }
  let length = max(sqrt(squares), EPS);
  for (var i = 0u; i < DIM; i++) {
    y[base + i] = x[base + i] / length;
  }
  norm_out[row] = length;
}

@compute @workgroup_size(WIDTH)
fn backward(ids: Ids) {
  let row = invocation(ids);
  if (row >= arrayLength(&norm)) {
    return;
  }
  let base = row * DIM;
  let length = norm[row];
  var dot = 0.0;
  for (var i = 0u; i < DIM; i++) {
    dot = fma(y_in[base + i], dy[base + i], dot);
  }
  dot = select(0.0, dot, length > EPS);
  for (var i = 0u; i < DIM; i++) {
    dx[base + i] = (dy[base + i] - y_in[base + i] * dot) / length;
  }
}
