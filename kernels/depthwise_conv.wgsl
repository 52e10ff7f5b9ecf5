// Depthwise KERNEL x KERNEL convolution on the token grid, zero padding KERNEL / 2, stride 1.
//
//   y[b, r, c, d]   = bias[d] + sum over (i, j) of weight[d, i, j] x[b, r + i - P, c + j - P, d]       P = KERNEL / 2
//   dx[b, r, c, d]  = sum over (i, j) of weight[d, i, j] dy[b, r - i + P, c - j + P, d]
//   dweight[d, i, j] = sum over (b, r, c) of dy[b, r, c, d] x[b, r + i - P, c + j - P, d]
//   dbias[d]        = sum over (b, r, c) of dy[b, r, c, d]   (column_sum)
//
// x, y, dx, dy  (B, GRID, GRID, DIM): tokens in row-major order, channels last
// weight        (DIM, 1, KERNEL, KERNEL), as in PyTorch
// dweight_parts (S, DIM, KERNEL, KERNEL): sums over S segments of the batch, added by column_sum.finish
//
// forward, backward_input (FLIP true): one invocation a channel and a row of the grid. The row is unrolled, so
// columns outside the grid cost nothing, and a value that is loaded serves up to KERNEL outputs.
// backward_weight: one invocation a channel, kernel row and segment, again a row at a time.

const GRID: u32 = 3u;
const DIM: u32 = 16u;
const KERNEL: u32 = 3u;
const FLIP: bool = false;

const PAD: u32 = KERNEL / 2u;
const TAPS: u32 = KERNEL * KERNEL;
const SPAN: u32 = GRID + 2u * PAD;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> dweight_parts: array<f32>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
  let channel = id.x;
  let row = id.y;
  let image = id.z * GRID * GRID * DIM + channel;
  if (channel >= DIM) {
    return;
  }
  var sum: array<f32, GRID>;
  if (!FLIP) {
    let b = bias[channel];
    // unroll
    for (var c = 0u; c < GRID; c++) {
      sum[c] = b;
    }
  }
  for (var i = 0u; i < KERNEL; i++) {
    // u32 arithmetic: a row above the grid is a large number
    let input_row = row + i - PAD;
    if (input_row < GRID) {
      // zeros stand left and right of the row
      var value: array<f32, SPAN>;
      // unroll
      for (var c = 0u; c < GRID; c++) {
        value[c + PAD] = x[image + (input_row * GRID + c) * DIM];
      }
      // unroll
      for (var j = 0u; j < KERNEL; j++) {
        let tap = i * KERNEL + j;
        let w = weight[channel * TAPS + select(tap, TAPS - 1u - tap, FLIP)];
        // unroll
        for (var c = 0u; c < GRID; c++) {
          sum[c] = fma(w, value[c + j], sum[c]);
        }
      }
    }
  }
  // unroll
  for (var c = 0u; c < GRID; c++) {
    y[image + (row * GRID + c) * DIM] = sum[c];
  }
}

@compute @workgroup_size(64)
fn backward_weight(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let channel = id.x;
  let i = id.y;
  if (channel >= DIM) {
    return;
  }
  let images = arrayLength(&x) / (GRID * GRID * DIM);
  let first = id.z * images / groups.z;
  let last = (id.z + 1u) * images / groups.z;
  var sum: array<f32, KERNEL>;
  for (var n = first; n < last; n++) {
    let image = n * GRID * GRID * DIM + channel;
    for (var row = 0u; row < GRID; row++) {
      let input_row = row + i - PAD;
      if (input_row < GRID) {
        var value: array<f32, SPAN>;
        // unroll
        for (var c = 0u; c < GRID; c++) {
          value[c + PAD] = x[image + (input_row * GRID + c) * DIM];
        }
        // unroll
        for (var c = 0u; c < GRID; c++) {
          let g = dy[image + (row * GRID + c) * DIM];
          // unroll
          for (var j = 0u; j < KERNEL; j++) {
            sum[j] = fma(g, value[c + j], sum[j]);
          }
        }
      }
    }
  }
  // unroll
  for (var j = 0u; j < KERNEL; j++) {
    dweight_parts[(id.z * DIM + channel) * TAPS + i * KERNEL + j] = sum[j];
  }
}
