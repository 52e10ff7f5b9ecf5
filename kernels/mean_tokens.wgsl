// Mean over the tokens of each image.
//
//   y[b, d]     = (1 / N) sum over n of x[b, n, d]
//   dx[b, n, d] = dy[b, d] / N
//
// x, dx  (B, N, DIM)      y, dy  (B, DIM)
//
// forward: one invocation a channel of an image. backward: one invocation an element of dx.

const N: u32 = 9u;
const DIM: u32 = 16u;
const WIDTH: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WIDTH)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= arrayLength(&y)) {
    return;
  }
  let base = (id.x / DIM) * N * DIM + id.x % DIM;
  var sum = 0.0;
  for (var n = 0u; n < N; n++) {
    sum += x[base + n * DIM];
  }
  y[id.x] = sum / f32(N);
}

@compute @workgroup_size(WIDTH)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = id.x + id.y * groups.x * WIDTH;
  if (i < arrayLength(&dx)) {
    dx[i] = dy[i / (N * DIM) * DIM + i % DIM] / f32(N);
  }
}
