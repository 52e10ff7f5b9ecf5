// Tokens from one set of rows to another: those at the same place of the same image.
//
//   y[r] = x[row of the token of x at the place of r], if x has one there, else filler (FILLED) or 0
//
// Either set may be all places of all images (B, N), or active tokens (lib/tokens.wgsl). Each of the two moves between them is the
// gradient of the other.
//
//   missing   y[r] = dy[r] where x has no token, else 0: summed over r, the gradient of the filler
//   add_up    y[n] = sum over images b of x[row of the token at place n of image b]: the gradient of what is repeated for each image
//
// x, dy, y   rows of D
// rows       (B, N): row of the token of x at each place, NONE if there is none; not read where x has all places (FROM_ALL)
// filler     (D)
//
// One invocation a Number of y.
//
// uses lib/invocation.wgsl, lib/tokens.wgsl

// one element, or four where D allows
alias Number = f32;
const N: u32 = 9u;
const NUMBERS: u32 = 4u; // of a row
const NONE: u32 = 0xffffffffu;
const FROM_ALL: bool = false;
const FILLED: bool = false;

@group(0) @binding(0) var<storage, read> x: array<Number>;
@group(0) @binding(1) var<storage, read> rows: array<u32>;
@group(0) @binding(2) var<storage, read> filler: array<Number>;
@group(0) @binding(3) var<storage, read_write> y: array<Number>;
@group(0) @binding(4) var<uniform> dims: Dims;

struct Dims {
  range: u32, // of images that are bound at once; add_up has a sum for each
}

// The row of x that belongs to a row of y.
fn source_of(row: u32) -> u32 {
  if (FROM_ALL) {
    return cell_of(row);
  } else {
    return rows[cell_of(row)];
  }
}

@compute @workgroup_size(WIDTH)
fn take(ids: Ids) {
  let i = invocation(ids);
  if (i >= in_use(arrayLength(&y))) {
    return;
  }
  let source = source_of(i / NUMBERS);
  if (source != NONE) {
    y[i] = x[source * NUMBERS + i % NUMBERS];
  } else {
    if (FILLED) {
      y[i] = filler[i % NUMBERS];
    } else {
      y[i] = Number();
    }
  }
}

@compute @workgroup_size(WIDTH)
fn missing(ids: Ids) {
  let i = invocation(ids);
  if (i < in_use(arrayLength(&y))) {
    y[i] = select(Number(), x[i], source_of(i / NUMBERS) == NONE);
  }
}

@compute @workgroup_size(WIDTH)
fn add_up(ids: Ids) {
  let i = invocation(ids);
  if (i >= N * NUMBERS) {
    return;
  }
  var sum = Number();
  for (var cell = i / NUMBERS; cell < arrayLength(&rows); cell += N) {
    let row = rows[cell];
    if (row != NONE) {
      sum += x[row * NUMBERS + i % NUMBERS];
    }
  }
  y[dims.range * N * NUMBERS + i] = sum;
}
