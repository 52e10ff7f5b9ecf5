// Mean over the tokens of each image.
//
//   y[b, d]     = (1 / N) sum over n of x[b, n, d]
//   dx[b, n, d] = dy[b, d] / N
//
// x, dx  (B, N, DIM)      y, dy  (B, DIM)
//
// forward: one invocation a channel of an image. backward: one invocation an element of dx.
//
// uses lib/invocation.wgsl

const N: u32 = 9u;
const DIM: u32 = 16u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WIDTH)
fn forward(ids: Ids) {
  let i = invocation(ids);
  if (i >= arrayLength(&y)) {
    return;
  }
  let base = (i / DIM) * N * DIM + i % DIM;
  var sum = 0.0;
  for (var n = 0u; n < N; n++) {
    sum += x[base + n * DIM];
  }
  y[i] = sum / f32(N);
}

@compute @workgroup_size(WIDTH)
fn backward(ids: Ids) {
  let i = invocation(ids);
  if (i < arrayLength(&dx)) {
    dx[i] = dy[i / (N * DIM) * DIM + i % DIM] / f32(N);
  }
}
