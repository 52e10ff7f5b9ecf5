// Depthwise KERNEL x KERNEL convolution on the token grid, zero padding KERNEL / 2, stride 1.
//
//   y[b, r, c, d]   = bias[d] + sum over (i, j) of weight[d, i, j] x[b, r + i - P, c + j - P, d]       P = KERNEL / 2
//   dx[b, r, c, d]  = sum over (i, j) of weight[d, i, j] dy[b, r - i + P, c - j + P, d]
//   dweight[d, i, j] = sum over (b, r, c) of dy[b, r, c, d] x[b, r + i - P, c + j - P, d]
//   dbias[d]        = sum over (b, r, c) of dy[b, r, c, d]   (column_sum)
//
//   FUSED: pre = y, then y = gelu(y), and the moments of y for the batch normalisation that follows, which need not read it then
//
// x, y, dx, dy  (B, GRID, GRID, CHANNELS): tokens in row-major order, channels last; or rows of active tokens alone, all others being
//               zeros, or not wanted: X_TOKENS, Y_TOKENS (of a gradient as of what it is the gradient of)
// lines         (B, GRID, 1 + WORDS): of the active tokens in each row of the grid (active_tokens.wgsl)
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
// Of active tokens both walk along the same rows: loads cost more than multiplications by zero, and only tokens are loaded.
// combine: one invocation a Number of the channels and an image; the formula of Chan, Golub and LeVeque for parts of one size.
// finish_weight: adds the segments in order, one invocation an element of dweight.
//
// SAMPLED: x, dy and taps are read from textures, by fours of channels.
//
// uses lib/gelu.wgsl, lib/invocation.wgsl, lib/texels.wgsl

// four neighbouring channels where their number allows, or f32
alias Number = vec4<f32>;
const GRID: u32 = 3u;
const CHANNELS: u32 = 16u;
const DIM: u32 = 4u; // CHANNELS in Numbers
const KERNEL: u32 = 3u;
const FUSED: bool = false;
const X_TOKENS: bool = false;
const Y_TOKENS: bool = false;
const SAMPLED: bool = false;

struct Dims {
  images: u32,
  flip: u32, // 1: the kernel is turned by 180 degrees and no bias is added; one compiled program serves both
  // of backward_weight
  segments: u32, // of this launch
  first: u32,    // segments before those
}

const PAD: u32 = KERNEL / 2u;
const TAPS: u32 = KERNEL * KERNEL;
const SPAN: u32 = GRID + 2u * PAD;
const CHUNK: u32 = 5u;
const HALO: u32 = KERNEL - 1u;
const SPAN_OF_CHUNK: u32 = CHUNK + HALO;
const WORDS: u32 = (GRID + 31u) / 32u;
const LINE: u32 = 1u + WORDS;

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
@group(0) @binding(15) var<storage, read> lines: array<u32>;
@group(0) @binding(16) var x_texels: texture_2d<f32>;
@group(0) @binding(17) var dy_texels: texture_2d<f32>;
@group(0) @binding(18) var taps_texels: texture_2d<f32>;

fn x_at(i: u32) -> Number {
  if (SAMPLED) {
    return texel(x_texels, i);
  } else {
    return x[i];
  }
}

fn dy_at(i: u32) -> Number {
  if (SAMPLED) {
    return texel(dy_texels, i);
  } else {
    return dy[i];
  }
}

fn tap_at(i: u32) -> Number {
  if (SAMPLED) {
    return texel(taps_texels, i);
  } else {
    return taps[i];
  }
}

// A walk along a row of the grid, column by column.
struct Walk {
  at: u32,   // in a tensor: of the first column, or of the next token
  line: u32, // in lines
  word: u32, // which of 32 columns are tokens
}

fn along_places(row: u32, channel: u32) -> Walk {
  return Walk(row * GRID * DIM + channel, 0u, 0u);
}

fn along_tokens(row: u32, channel: u32) -> Walk {
  let line = row * LINE;
  return Walk(lines[line] * DIM + channel, line, lines[line + 1u]);
}

// True if the next column of a walk along tokens is one.
fn is_token(walk: ptr<function, Walk>, column: u32) -> bool {
  if (WORDS > 1u) {
    if (column % 32u == 0u) {
      (*walk).word = lines[(*walk).line + 1u + min(column / 32u, WORDS - 1u)];
    }
  }
  return column < GRID && (((*walk).word >> (column % 32u)) & 1u) == 1u;
}

fn along_x(row: u32, channel: u32) -> Walk {
  if (X_TOKENS) {
    return along_tokens(row, channel);
  } else {
    return along_places(row, channel);
  }
}

// The next value of a walk along x, 0 where no token is and beyond the grid.
fn next_x(walk: ptr<function, Walk>, column: u32) -> Number {
  if (X_TOKENS) {
    var value = Number();
    if (is_token(walk, column)) {
      value = x_at((*walk).at);
      (*walk).at += DIM;
    }
    return value;
  } else {
    return select(Number(), x_at((*walk).at + min(column, GRID - 1u) * DIM), column < GRID);
  }
}

fn along_y(row: u32, channel: u32) -> Walk {
  if (Y_TOKENS) {
    return along_tokens(row, channel);
  } else {
    return along_places(row, channel);
  }
}

// The next value of a walk along dy.
fn next_dy(walk: ptr<function, Walk>, column: u32) -> Number {
  if (Y_TOKENS) {
    var value = Number();
    if (is_token(walk, column)) {
      value = dy_at((*walk).at);
      (*walk).at += DIM;
    }
    return value;
  } else {
    return select(Number(), dy_at((*walk).at + min(column, GRID - 1u) * DIM), column < GRID);
  }
}

// Stores the next value of a walk along y, if it is wanted.
fn store_y(walk: ptr<function, Walk>, column: u32, value: Number) {
  if (Y_TOKENS) {
    if (is_token(walk, column)) {
      y[(*walk).at] = value;
      (*walk).at += DIM;
    }
  } else {
    y[(*walk).at + column * DIM] = value;
  }
}

@compute @workgroup_size(WIDTH)
fn reorder(ids: Ids) {
  let i = invocation(ids);
  if (i < CHANNELS * TAPS) {
    taps_out[i] = weight[i % CHANNELS * TAPS + i / CHANNELS];
  }
}

@compute @workgroup_size(WIDTH)
fn finish_weight(ids: Ids) {
  let i = invocation(ids);
  if (i < CHANNELS * TAPS) {
    var sum = 0.0;
    for (var at = i % TAPS * CHANNELS + i / TAPS; at < arrayLength(&dtaps); at += CHANNELS * TAPS) {
      sum += dtaps[at];
    }
    dweight[i] = sum;
  }
}

@compute @workgroup_size(WIDTH)
fn forward(ids: Ids) {
  let at = cell(ids, DIM);
  let channel = at.column;
  let row = at.row % GRID;
  let image = at.row / GRID;
  if (channel >= DIM || image >= dims.images) {
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
      var walk = along_x(image * GRID + input_row, channel);
      // unroll
      for (var c = 0u; c < GRID; c++) {
        value[c + PAD] = next_x(&walk, c);
      }
      // unroll
      for (var j = 0u; j < KERNEL; j++) {
        let tap = i * KERNEL + j;
        let w = tap_at(select(tap, TAPS - 1u - tap, flip) * DIM + channel);
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
      pre_out[(at.row * GRID + c) * DIM + channel] = sum[c];
      sum[c] = gelu(sum[c]);
      mean += sum[c] / f32(GRID);
    }
    var squares = Number();
    // unroll
    for (var c = 0u; c < GRID; c++) {
      squares = fma(sum[c] - mean, sum[c] - mean, squares);
    }
    row_moments_out[at.row * 2u * DIM + channel] = mean;
    row_moments_out[at.row * 2u * DIM + DIM + channel] = squares;
  }
  var walk = along_y(at.row, channel);
  // unroll
  for (var c = 0u; c < GRID; c++) {
    store_y(&walk, c, sum[c]);
  }
}

@compute @workgroup_size(WIDTH)
fn combine(ids: Ids) {
  let at = cell(ids, DIM);
  let to = at.row * 2u * DIM + at.column;
  if (at.column >= DIM || to >= arrayLength(&moments_out)) {
    return;
  }
  let first = at.row * GRID * 2u * DIM + at.column;
  var mean = Number();
  for (var row = 0u; row < GRID; row++) {
    mean += row_moments[first + row * 2u * DIM] / f32(GRID);
  }
  var squares = Number();
  for (var row = 0u; row < GRID; row++) {
    let d = row_moments[first + row * 2u * DIM] - mean;
    squares += fma(d * f32(GRID), d, row_moments[first + row * 2u * DIM + DIM]);
  }
  moments_out[to] = mean;
  moments_out[to + DIM] = squares;
}

@compute @workgroup_size(WIDTH)
fn backward_weight(ids: Ids) {
  let at = cell(ids, DIM);
  let channel = at.column;
  let i = at.row % KERNEL;
  let segment = at.row / KERNEL;
  if (channel >= DIM || segment >= dims.segments) {
    return;
  }
  let last = segment_start(segment + 1u, dims.images, dims.segments);
  var sum: array<Number, KERNEL>;
  for (var n = segment_start(segment, dims.images, dims.segments); n < last; n++) {
    for (var row = 0u; row < GRID; row++) {
      let input_row = row + i - PAD;
      if (input_row < GRID) {
        var walk_x = along_x(n * GRID + input_row, channel);
        var walk_dy = along_y(n * GRID + row, channel);
        // value[j] lies under tap j of the first of CHUNK columns; beyond the grid are zeros
        var value: array<Number, SPAN_OF_CHUNK>;
        // unroll
        for (var j = PAD; j < HALO; j++) {
          value[j] = next_x(&walk_x, j - PAD);
        }
        for (var c = 0u; c < GRID; c += CHUNK) {
          // unroll
          for (var n = 0u; n < CHUNK; n++) {
            value[n + HALO] = next_x(&walk_x, c + n + PAD);
            let g = next_dy(&walk_dy, c + n);
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
    dtaps_out[((dims.first + segment) * TAPS + i * KERNEL + j) * DIM + channel] = sum[j];
  }
}
