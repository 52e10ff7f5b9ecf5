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
// forward, backward_input (FLIP true): one invocation a channel and STRIP neighbouring outputs of a grid row; a
// value that is loaded serves up to KERNEL of them. backward_weight: one invocation a channel, kernel
// row and segment; a window of KERNEL inputs slides along each grid row.

const GRID: u32 = 3u;
const DIM: u32 = 16u;
const KERNEL: u32 = 3u;
const STRIP: u32 = 5u;
const FLIP: bool = false;

const PAD: u32 = KERNEL / 2u;
const STRIPS: u32 = (GRID + STRIP - 1u) / STRIP;
const TAPS: u32 = KERNEL * KERNEL;
const SPAN: u32 = STRIP + KERNEL - 1u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> dweight_parts: array<f32>;

// x at a grid position that may lie outside (u32 arithmetic: -1 is a large number).
fn padded(image: u32, row: u32, column: u32, channel: u32) -> f32 {
  let inside = row < GRID && column < GRID;
  let at = ((image * GRID + min(row, GRID - 1u)) * GRID + min(column, GRID - 1u)) * DIM + channel;
  return select(0.0, x[at], inside);
}

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
  let channel = id.x;
  let strip = id.y % STRIPS;
  let row = (id.y / STRIPS) % GRID;
  let image = id.z;
  if (channel >= DIM) {
    return;
  }
  var sum: array<f32, STRIP>;
  if (!FLIP) {
    // unroll
    for (var s = 0u; s < STRIP; s++) {
      sum[s] = bias[channel];
    }
  }
  let first = strip * STRIP;
  for (var i = 0u; i < KERNEL; i++) {
    var value: array<f32, SPAN>;
    // unroll
    for (var s = 0u; s < SPAN; s++) {
      value[s] = padded(image, row + i - PAD, first + s - PAD, channel);
    }
    // unroll
    for (var j = 0u; j < KERNEL; j++) {
      let tap = i * KERNEL + j;
      let w = weight[channel * TAPS + select(tap, TAPS - 1u - tap, FLIP)];
      // unroll
      for (var s = 0u; s < STRIP; s++) {
        sum[s] = fma(w, value[s + j], sum[s]);
      }
    }
  }
  // unroll
  for (var s = 0u; s < STRIP; s++) {
    if (first + s < GRID) {
      y[((image * GRID + row) * GRID + first + s) * DIM + channel] = sum[s];
    }
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
  for (var image = first; image < last; image++) {
    for (var row = 0u; row < GRID; row++) {
      // window[j] is the input under tap j of the output at the current column
      var window: array<f32, KERNEL>;
      // unroll
      for (var j = 1u; j < KERNEL; j++) {
        window[j] = padded(image, row + i - PAD, j - 1u - PAD, channel);
      }
      for (var column = 0u; column < GRID; column++) {
        // unroll
        for (var j = 0u; j < KERNEL - 1u; j++) {
          window[j] = window[j + 1u];
        }
        window[KERNEL - 1u] = padded(image, row + i - PAD, column + KERNEL - 1u - PAD, channel);
        let g = dy[((image * GRID + row) * GRID + column) * DIM + channel];
        // unroll
        for (var j = 0u; j < KERNEL; j++) {
          sum[j] = fma(g, window[j], sum[j]);
        }
      }
    }
  }
  // unroll
  for (var j = 0u; j < KERNEL; j++) {
    dweight_parts[(id.z * DIM + channel) * TAPS + i * KERNEL + j] = sum[j];
  }
}
