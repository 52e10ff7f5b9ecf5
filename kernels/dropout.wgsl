// Dropout and drop path (stochastic depth, Huang et al., arXiv:1603.09382), with the residual sum.
//
//   y  = residual + path[image] keep[i] x          forward   (residual if RESIDUAL)
//   dx = path[image] keep[i] dy                    backward
//
//   keep[i]     = 1 / (1 - RATE) with probability 1 - RATE, else 0, for each element
//   path[image] = 1 / (1 - PATH_RATE) with probability 1 - PATH_RATE, else 0, for each image
//
// x, y, residual, dy, dx  (B, PER_IMAGE)
//
// Both draws are counted (lib/philox.wgsl), so the backward pass makes the same ones: words 0 to 3 of counter
// (i / 4, STREAM, step, 0) are those of elements i ... i + 3, and word 0 of (image, STREAM, step, 1) of an image.
// One invocation four elements. Uses lib/philox.wgsl and lib/step.wgsl.

const PER_IMAGE: u32 = 64u;
const DROPOUT: bool = true; // RATE is not 0
const RATE: f32 = 0.0;
const DROP_PATH: bool = true; // PATH_RATE is not 0
const PATH_RATE: f32 = 0.0;
const STREAM: u32 = 0u;
const RESIDUAL: bool = true;
const WIDTH: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> residual: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> step: Step;

@compute @workgroup_size(WIDTH)
fn apply(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let quad = id.x + id.y * groups.x * WIDTH;
  let size = arrayLength(&x);
  var words = vec4<u32>(0xffffffffu);
  if (DROPOUT) {
    words = philox(vec4<u32>(quad, STREAM, step.step, 0u), step.seed);
  }
  var image = 0xffffffffu;
  var path = 1.0;
  // unroll
  for (var j = 0u; j < 4u; j++) {
    let i = 4u * quad + j;
    if (i < size) {
      if (DROP_PATH) {
        if (i / PER_IMAGE != image) {
          image = i / PER_IMAGE;
          path = uniform01(philox(vec4<u32>(image, STREAM, step.step, 1u), step.seed).x);
        }
      }
      let kept = uniform01(words[j]) >= RATE && path >= PATH_RATE;
      let scale = select(0.0, 1.0 / ((1.0 - RATE) * (1.0 - PATH_RATE)), kept);
      var value = scale * x[i];
      if (RESIDUAL) {
        value += residual[i];
      }
      y[i] = value;
    }
  }
}
