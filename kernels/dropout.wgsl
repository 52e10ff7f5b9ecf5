// Dropout and drop path, with the residual sum.
//
//   y  = residual + path[image] keep[i] x          forward   (residual if RESIDUAL)
//   dx = path[image] keep[i] dy                    backward
//
// x, y, residual, dy, dx  (B, per_image)
//
// keep and path: lib/drop.wgsl. One invocation four elements. Uses lib/drop.wgsl, lib/philox.wgsl and lib/step.wgsl.

const RESIDUAL: bool = true;
const WIDTH: u32 = 64u;

struct Dims {
  drop: Drop,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> residual: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> step: Step;
@group(0) @binding(4) var<uniform> dims: Dims;

@compute @workgroup_size(WIDTH)
fn apply(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let quad = id.x + id.y * groups.x * WIDTH;
  let size = arrayLength(&x);
  if (4u * quad >= size) {
    return;
  }
  let scale = drop_quad(dims.drop, quad, step);
  // unroll
  for (var j = 0u; j < 4u; j++) {
    let i = 4u * quad + j;
    if (i < size) {
      var value = scale[j] * x[i];
      if (RESIDUAL) {
        value += residual[i];
      }
      y[i] = value;
    }
  }
}
