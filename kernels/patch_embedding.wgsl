// The patch embedding of images that are mostly zeros, straight from their non-zeros: with x the patches of an image,
//
//   y[t]       = bias + sum over features f of x[t, f] weight[:, f]
//   dweight[f] = sum over images and tokens t of x[t, f] dy[t]         dbias: column_sum
//
// listed   (R, most): address t F + f of a non-zero, and the bits of its value; zeros where there is none (images.wgsl)
// ranges   (B, 2): words of each packed image; row r shows image r mod B
// taps     (F, D): the weight transposed, so that neighbouring invocations read neighbouring values
// y, dy    (R, N, D)
// partials (S, F, D): sums over S segments of the rows, added by column_sum.add_partials
//
// One invocation a Number of D and a row (forward) or a segment of rows (backward_weight). It goes through the entries in their
// order and adds each to where it belongs, which no other invocation touches: no two sums meet, and the order is always the same.
//
// Active tokens (lib/tokens.wgsl): y and dy have a row for each, and t counts those of an image.
//
// At 1.2 % non-zeros that is a hundredth of the multiplications of the matrix product, and no patches are written or read.
//
// uses lib/invocation.wgsl, lib/tokens.wgsl

// one column, or four neighbouring ones where their number allows
alias Number = f32;

const FEATURES: u32 = 16u; // F

struct Dims {
  numbers: u32,   // Numbers of D
  first_row: u32, // rows before those that are bound
  rows: u32,      // that are bound
  most: u32,
  words: u32,     // of an entry
  // of backward_weight
  segments: u32,  // of this launch
  first: u32,     // segments before those
}

@group(0) @binding(0) var<storage, read> listed: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read> ranges: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> taps: array<Number>;
@group(0) @binding(3) var<storage, read> bias: array<Number>;
@group(0) @binding(4) var<storage, read_write> y: array<Number>;
@group(0) @binding(5) var<storage, read> dy: array<Number>;
@group(0) @binding(6) var<storage, read_write> partials: array<Number>;
@group(0) @binding(7) var<uniform> dims: Dims;

// Entries of a row.
fn count_of(row: u32) -> u32 {
  let range = ranges[row % arrayLength(&ranges)];
  return (range.y - range.x) / dims.words;
}

@compute @workgroup_size(WIDTH)
fn forward(ids: Ids) {
  let at = cell(ids, dims.numbers);
  let column = at.column;
  let row = at.row;
  if (column >= dims.numbers || row >= dims.rows) {
    return;
  }
  let each = arrayLength(&y) / dims.rows / dims.numbers;
  let base = image_start(row, each) * dims.numbers + column;
  let end = image_start(row + 1u, each) * dims.numbers;
  let b = bias[column];
  for (var i = base; i < end; i += dims.numbers) {
    y[i] = b;
  }
  let count = count_of(dims.first_row + row);
  for (var i = 0u; i < count; i++) {
    let entry = listed[row * dims.most + i];
    if (ACTIVE) {
      // it is of no token
      if (entry.y == 0u) {
        continue;
      }
    }
    let at = base + entry.x / FEATURES * dims.numbers;
    y[at] = fma(Number(bitcast<f32>(entry.y)), taps[entry.x % FEATURES * dims.numbers + column], y[at]);
  }
}

@compute @workgroup_size(WIDTH)
fn backward_weight(ids: Ids) {
  let at = cell(ids, dims.numbers);
  let column = at.column;
  let segment = at.row;
  if (column >= dims.numbers || segment >= dims.segments) {
    return;
  }
  let each = arrayLength(&dy) / dims.rows / dims.numbers;
  let last = segment_start(segment + 1u, dims.rows, dims.segments);
  let base = (dims.first + segment) * FEATURES * dims.numbers + column;
  for (var i = base; i < base + FEATURES * dims.numbers; i += dims.numbers) {
    partials[i] = Number();
  }
  for (var row = segment_start(segment, dims.rows, dims.segments); row < last; row++) {
    let count = count_of(dims.first_row + row);
    let first_token = image_start(row, each);
    for (var i = 0u; i < count; i++) {
      let entry = listed[row * dims.most + i];
      if (ACTIVE) {
        if (entry.y == 0u) {
          continue;
        }
      }
      let at = base + entry.x % FEATURES * dims.numbers;
      let g = dy[(first_token + entry.x / FEATURES) * dims.numbers + column];
      partials[at] = fma(Number(bitcast<f32>(entry.y)), g, partials[at]);
    }
  }
}
