// The active tokens of a batch: the places of its images that hold a non-zero pixel, in the order of images and places.
//
//   marks[b, n]  = 1 if place n of image b is active, else 0       for example by images.mark
//   rows[b, n]   = row of the token at place n of image b, NONE if there is none
//   lines[b, r]  = row of the first token in row r of the grid of image b, and bits of the columns that are tokens, 32 a word
//   made         how many tokens a range of images has, where those of an image begin, and the cell of each (lib/tokens.wgsl)
//
// marks, rows  (B, N)
// lines        (B, GRID, 1 + WORDS)
//
// If there are more than there is room for, there are none, and what follows from them is NaN (mean_tokens.wgsl): a batch that does not
// fit is not cut in silence.
//
// count: one invocation an image of the batch; the count stands where the tokens before it go. start: one in all. number: one an image of
// the range. lines: one a row of the grid of each of these.
//
// uses lib/invocation.wgsl, lib/tokens.wgsl

const N: u32 = 9u;
const GRID: u32 = 3u;
const NONE: u32 = 0xffffffffu;
const NAN: u32 = 0x7fc00000u;
const WORDS: u32 = (GRID + 31u) / 32u;

struct Dims {
  images: u32,   // of the batch
  first: u32,    // images before the range
  range: u32,    // images of the range
  capacity: u32, // tokens that there is room for
}

@group(0) @binding(0) var<storage, read> marks: array<u32>;
@group(0) @binding(1) var<storage, read_write> made: Tokens;
@group(0) @binding(2) var<storage, read_write> rows_out: array<u32>;
@group(0) @binding(3) var<uniform> dims: Dims;
@group(0) @binding(4) var<storage, read> rows: array<u32>;
@group(0) @binding(5) var<storage, read_write> lines_out: array<u32>;

@compute @workgroup_size(WIDTH)
fn count(ids: Ids) {
  let image = invocation(ids);
  if (image >= dims.images) {
    return;
  }
  var sum = 0u;
  for (var n = image * N; n < (image + 1u) * N; n++) {
    sum += marks[n];
  }
  made.table[image] = sum;
}

@compute @workgroup_size(WIDTH)
fn start(ids: Ids) {
  if (invocation(ids) > 0u) {
    return;
  }
  var sum = 0u;
  for (var image = 0u; image < dims.images; image++) {
    let count = made.table[image];
    made.table[image] = sum;
    sum += count;
  }
  made.table[dims.images] = sum;
  sum = made.table[dims.first + dims.range] - made.table[dims.first];
  let fits = sum <= dims.capacity;
  if (!fits) {
    for (var image = 0u; image <= dims.images; image++) {
      made.table[image] = 0u;
    }
    sum = 0u;
  }
  made.count = sum;
  made.capacity = dims.capacity;
  made.images = dims.images;
  made.first_image = dims.first;
  made.spoiled = select(NAN, 0u, fits);
}

@compute @workgroup_size(WIDTH)
fn number(ids: Ids) {
  let image = invocation(ids);
  if (image >= dims.range) {
    return;
  }
  let cells = dims.images + 1u;
  var row = made.table[dims.first + image] - made.table[dims.first];
  for (var n = 0u; n < N; n++) {
    let cell = (dims.first + image) * N + n;
    let here = marks[cell] == 1u && made.spoiled == 0u;
    rows_out[cell] = select(NONE, row, here);
    if (here) {
      made.table[cells + row] = image * N + n;
      row++;
    }
  }
}

@compute @workgroup_size(WIDTH)
fn lines(ids: Ids) {
  let i = invocation(ids);
  if (i >= dims.range * GRID) {
    return;
  }
  let line = dims.first * GRID + i;
  // rows rise along a line, and NONE is above them all
  var first = NONE;
  for (var word = 0u; word < WORDS; word++) {
    var bits = 0u;
    for (var c = 32u * word; c < min(GRID, 32u * word + 32u); c++) {
      let row = rows[line * GRID + c];
      first = min(first, row);
      bits |= u32(row != NONE) << (c % 32u);
    }
    lines_out[line * (1u + WORDS) + 1u + word] = bits;
  }
  lines_out[line * (1u + WORDS)] = select(first, 0u, first == NONE);
}
