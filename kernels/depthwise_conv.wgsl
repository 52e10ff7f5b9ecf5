// Depthwise KERNEL x KERNEL convolution on the token grid, zero padding KERNEL / 2, stride 1.
//
//   y[b, r, c, d]   = bias[d] + sum over (i, j) of weight[d, i, j] x[b, r + i - P, c + j - P, d]       P = KERNEL / 2
//   dx[b, r, c, d]  = sum over (i, j) of weight[d, i, j] dy[b, r - i + P, c - j + P, d]
//   dweight[d, i, j] = sum over (b, r, c) of dy[b, r, c, d] x[b, r + i - P, c + j - P, d]
//   dbias[d]        = sum over (b, r, c) of dy[b, r, c, d]   (column_sum)
//
//   FUSED: pre = y, then y = gelu(y), and the moments of y for the batch normalisation that follows, which need not read it then
//
// x, y, dx, dy  (B, GRID, GRID, CHANNELS): tokens in row-major order, channels last
// weight        (CHANNELS, 1, KERNEL, KERNEL), as in PyTorch
// taps          (KERNEL, KERNEL, CHANNELS): the weight with its channels last
// dtaps         (S, KERNEL, KERNEL, CHANNELS): sums over S segments of the batch
// row_moments   (B, GRID, 2, CHANNELS): mean and sum of squared deviations of y in a row of the grid
// moments       (B, 2, CHANNELS): the same of an image
//
// reorder: weight to taps, one invocation an element.
// forward, and with dims.flip = 1 the gradient of x: one invocation a Number of the channels and a row of the grid. The row is
// unrolled, so columns outside the grid cost nothing, and a value that is loaded serves up to KERNEL outputs.
// backward_weight: one invocation a Number of the channels, kernel row and segment. It slides along the rows of the grid, and takes
// the values under the kernel along from one CHUNK of columns to the next: each is loaded once.
// combine: one invocation a Number of the channels and an image; the formula of Chan, Golub and LeVeque for parts of one size.
// finish_weight: adds the segments in order, one invocation an element of dweight. Uses lib/gelu.wgsl.

// one channel, or four neighbouring ones where their number allows
alias Number = f32;
const GRID: u32 = 3u;
const CHANNELS: u32 = 16u;
const DIM: u32 = 16u; // CHANNELS in Numbers
const KERNEL: u32 = 3u;
const LANES: u32 = 64u;
const FUSED: bool = false;

struct Dims {
  flip: u32, // 1: the kernel is turned by 180 degrees and no bias is added; one compiled program serves both
  first: u32, // of backward_weight: segments before those of this launch
}

const PAD: u32 = KERNEL / 2u;
const TAPS: u32 = KERNEL * KERNEL;
const SPAN: u32 = GRID + 2u * PAD;
const CHUNK: u32 = 5u;
const HALO: u32 = KERNEL - 1u;
const SPAN_OF_CHUNK: u32 = CHUNK + HALO;

@group(0) @binding(0) var<storage, read> x: array<Number>;
@group(0) @binding(1) var<storage, read> taps: array<Number>;
@group(0) @binding(2) var<storage, read> bias: array<Number>;
@group(0) @binding(3) var<storage, read_write> y: array<Number>;
@group(0) @binding(4) var<storage, read> dy: array<Number>;
@group(0) @binding(5) var<storage, read_write> dtaps_out: array<Number>;
@group(0) @binding(6) var<storage, read> weight: array<f32>;
@group(0) @binding(7) var<storage, read_write> taps_out: array<f32>;
@group(0) @binding(8) var<storage, read> dtaps: array<f32>;
@group(0) @binding(9) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(10) var<uniform> dims: Dims;
@group(0) @binding(11) var<storage, read_write> pre_out: array<Number>;
@group(0) @binding(12) var<storage, read_write> row_moments_out: array<Number>;
@group(0) @binding(13) var<storage, read> row_moments: array<Number>;
@group(0) @binding(14) var<storage, read_write> moments_out: array<Number>;

@compute @workgroup_size(64)
fn reorder(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < CHANNELS * TAPS) {
    taps_out[id.x] = weight[id.x % CHANNELS * TAPS + id.x / CHANNELS];
  }
}

@compute @workgroup_size(64)
fn finish_weight(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < CHANNELS * TAPS) {
    var sum = 0.0;
    for (var i = id.x % TAPS * CHANNELS + id.x / TAPS; i < arrayLength(&dtaps); i += CHANNELS * TAPS) {
      sum += dtaps[i];
    }
    dweight[id.x] = sum;
  }
}

@compute @workgroup_size(LANES)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
  let channel = id.x;
  let row = id.y;
  let image = id.z * GRID * GRID * DIM + channel;
  if (channel >= DIM) {
    return;
  }
  var sum: array<Number, GRID>;
  let flip = dims.flip == 1u;
  let b = select(bias[channel], Number(), flip);
  // unroll
  for (var c = 0u; c < GRID; c++) {
    sum[c] = b;
  }
  for (var i = 0u; i < KERNEL; i++) {
    // u32 arithmetic: a row above the grid is a large number
    let input_row = row + i - PAD;
    if (input_row < GRID) {
      // zeros stand left and right of the row
      var value: array<Number, SPAN>;
      // unroll
      for (var c = 0u; c < GRID; c++) {
        value[c + PAD] = x[image + (input_row * GRID + c) * DIM];
      }
      // unroll
      for (var j = 0u; j < KERNEL; j++) {
        let tap = i * KERNEL + j;
        let w = taps[select(tap, TAPS - 1u - tap, flip) * DIM + channel];
        // unroll
        for (var c = 0u; c < GRID; c++) {
          sum[c] = fma(w, value[c + j], sum[c]);
        }
      }
    }
  }
  if (FUSED) {
    var mean = Number();
    // unroll
    for (var c = 0u; c < GRID; c++) {
      pre_out[image + (row * GRID + c) * DIM] = sum[c];
      sum[c] = gelu(sum[c]);
      mean += sum[c] / f32(GRID);
    }
    var squares = Number();
    // unroll
    for (var c = 0u; c < GRID; c++) {
      squares = fma(sum[c] - mean, sum[c] - mean, squares);
    }
    let at = (id.z * GRID + row) * 2u * DIM + channel;
    row_moments_out[at] = mean;
    row_moments_out[at + DIM] = squares;
  }
  // unroll
  for (var c = 0u; c < GRID; c++) {
    y[image + (row * GRID + c) * DIM] = sum[c];
  }
}

@compute @workgroup_size(LANES)
fn combine(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= DIM) {
    return;
  }
  let first = id.y * GRID * 2u * DIM + id.x;
  var mean = Number();
  for (var row = 0u; row < GRID; row++) {
    mean += row_moments[first + row * 2u * DIM] / f32(GRID);
  }
  var squares = Number();
  for (var row = 0u; row < GRID; row++) {
    let d = row_moments[first + row * 2u * DIM] - mean;
    squares += fma(d * f32(GRID), d, row_moments[first + row * 2u * DIM + DIM]);
  }
  moments_out[id.y * 2u * DIM + id.x] = mean;
  moments_out[id.y * 2u * DIM + DIM + id.x] = squares;
}

@compute @workgroup_size(LANES)
fn backward_weight(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let channel = id.x;
  let i = id.y;
  if (channel >= DIM) {
    return;
  }
  let images = arrayLength(&x) / (GRID * GRID * DIM);
  let first = id.z * images / groups.z;
  let last = (id.z + 1u) * images / groups.z;
  var sum: array<Number, KERNEL>;
  for (var n = first; n < last; n++) {
    let image = n * GRID * GRID * DIM + channel;
    for (var row = 0u; row < GRID; row++) {
      let input_row = row + i - PAD;
      if (input_row < GRID) {
        let x_row = image + input_row * GRID * DIM;
        let dy_row = image + row * GRID * DIM;
        // value[j] lies under tap j of the first of CHUNK columns; beyond the grid are zeros
        var value: array<Number, SPAN_OF_CHUNK>;
        // unroll
        for (var j = PAD; j < HALO; j++) {
          value[j] = select(Number(), x[x_row + min(j - PAD, GRID - 1u) * DIM], j - PAD < GRID);
        }
        for (var c = 0u; c < GRID; c += CHUNK) {
          // unroll
          for (var n = 0u; n < CHUNK; n++) {
            let column = c + n + PAD;
            value[n + HALO] = select(Number(), x[x_row + min(column, GRID - 1u) * DIM], column < GRID);
            let g = select(Number(), dy[dy_row + min(c + n, GRID - 1u) * DIM], c + n < GRID);
            // unroll
            for (var j = 0u; j < KERNEL; j++) {
              sum[j] = fma(g, value[n + j], sum[j]);
            }
          }
          // unroll
          for (var j = 0u; j < HALO; j++) {
            value[j] = value[j + CHUNK];
          }
        }
      }
    }
  }
  // unroll
  for (var j = 0u; j < KERNEL; j++) {
    dtaps_out[((dims.first + id.z) * TAPS + i * KERNEL + j) * DIM + channel] = sum[j];
  }
}
