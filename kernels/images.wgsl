// Augmented images from packed non-zeros, written in the order in which the patch embedding reads them.
//
// A batch of B images is packed: image b owns the words of `words` from ranges[b].x to ranges[b].y - 1. With
//
//   position = (row * SIZE + column) * CHANNELS + channel     rows are eta, columns phi
//
// an entry is one word, position * 256 + value (BYTES), or two, position and the bits of the value,
//
// and each of VIEWS * B outputs, view v of image b in row v B + b, is
//
//   patches[row, (R / PATCH) GRID + C / PATCH, (channel, R mod PATCH, C mod PATCH)] = scaled(value)
//
//   scaled(x) = x / SCALE                           TRANSFORM 0
//   scaled(x) = log(1 + x) / log(1 + SCALE)         TRANSFORM 1
//   scaled(x) = sqrt(x / SCALE)                     TRANSFORM 2, both of |x| with the sign of x
//
// where (R, C) is the pixel after the transformation drawn for that row: flip of eta, flip of phi, shift
// along phi (cyclic) or along both axes (what leaves the image is lost), some channels left out, and noise
//
//   clamp(scaled(value) + SIGMA normal, 0, 1)   where value > 0
//
// Pixels beyond the last whole patch are left out, as by a convolution with stride PATCH.
//
// draws  (VIEWS B, 4): flags (1 flip eta, 2 flip phi, 4 noise), shift of rows, shift of columns, mask of channels left out
//
// Draws are counted by the place of a row in the whole batch (lib/place.wgsl).
//
// listed (VIEWS B, most, 2): instead of the patches, their non-zeros: the address in the patches of the row, and the bits of the
//                          value; zeros where there is none. For kernels that read nothing else (patch_embedding.wgsl)
//
// marks  (VIEWS B, GRID GRID): 1 where a patch holds a pixel that is not zero, else as before: what active tokens are made from
//                          (active_tokens.wgsl). With those, `list` counts the tokens of an image instead of its patches, of which
//                          token_rows (VIEWS B, GRID GRID) tells the rows
//
// clear: one invocation a Number of patches. draw: one invocation a row of draws. scatter, list, mark: one invocation an entry,
// and workgroups of its own for each row.
//
// uses lib/invocation.wgsl, lib/philox.wgsl, lib/place.wgsl, lib/step.wgsl, lib/tokens.wgsl

const SIZE: u32 = 125u;
const CHANNELS: u32 = 8u;
const PATCH: u32 = 5u;
const SCALE: f32 = 255.0;
const TRANSFORM: u32 = 0u;
const BYTES: bool = false;        // entries of one word
const WORDS: u32 = select(2u, 1u, BYTES);
// what is drawn
const FLIP_ETA: bool = true;
const FLIP_PHI: bool = true;
const EVERY_FLIP: bool = false;   // instead: each of four views in another way, view 0 in none
const ROLL: bool = true;          // cyclic along phi, by 0 ... SIZE - 1 pixels
const MAX_TOWERS: u32 = 0u;       // else: by -MAX_TOWERS ... MAX_TOWERS patches along either axis, not cyclic
const DROP: bool = true;          // DROP_MIN ... DROP_MAX channels left out; at most 32 channels then
const DROP_MIN: u32 = 1u;
const DROP_MAX: u32 = 2u;
const NOISE_PROBABILITY: f32 = 0.7;
const SIGMA: f32 = 0.02;

struct Dims {
  stream: u32,    // of random numbers
  // of scatter and list
  first_row: u32, // rows before those that are bound
  rows: u32,      // that are bound
  most: u32,      // entries that a row may have
}

const GRID: u32 = SIZE / PATCH;
const FEATURES: u32 = CHANNELS * PATCH * PATCH;
const NONE: u32 = 0xffffffffu;
alias Number = f32;

@group(0) @binding(0) var<storage, read> ranges: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read> words: array<u32>;
@group(0) @binding(2) var<storage, read> draws: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> draws_out: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> patches: array<f32>;
@group(0) @binding(5) var<storage, read_write> cleared: array<Number>;
@group(0) @binding(6) var<uniform> step: Step;
@group(0) @binding(7) var<uniform> dims: Dims;
@group(0) @binding(8) var<storage, read_write> listed: array<vec2<u32>>;
@group(0) @binding(9) var<storage, read_write> marks: array<atomic<u32>>;
@group(0) @binding(10) var<storage, read> token_rows: array<u32>;

@compute @workgroup_size(WIDTH)
fn clear(ids: Ids) {
  let i = invocation(ids);
  if (i < arrayLength(&cleared)) {
    cleared[i] = Number(0.0);
  }
}

// A whole number in 0 ... n - 1 from a random word: the upper word of word * n.
fn below(word: u32, n: u32) -> u32 {
  return multiply_wide(word, n).x;
}

@compute @workgroup_size(WIDTH)
fn draw(ids: Ids) {
  let row = invocation(ids);
  if (row >= arrayLength(&draws_out)) {
    return;
  }
  let place = place_of(row, step);
  let first = philox(vec4<u32>(place, dims.stream, step.step, 0u), step.seed);
  var flags = 0u;
  if (FLIP_ETA) {
    flags |= first.x & 1u;
  }
  if (FLIP_PHI) {
    flags |= first.x & 2u;
  }
  if (EVERY_FLIP) {
    flags = row / (arrayLength(&draws_out) / 4u);
  }
  flags |= select(0u, 4u, uniform01(first.y) < NOISE_PROBABILITY);
  var rows = 0u;
  var columns = 0u;
  if (ROLL) {
    columns = below(first.z, SIZE);
  } else {
    // two's complement: a shift to the left is a large number
    rows = (below(first.w, 2u * MAX_TOWERS + 1u) - MAX_TOWERS) * PATCH;
    columns = (below(first.z, 2u * MAX_TOWERS + 1u) - MAX_TOWERS) * PATCH;
  }
  var dropped = 0u;
  if (DROP) {
    dropped = draw_channels(place);
  }
  draws_out[row] = vec4<u32>(flags, rows, columns, dropped);
}

fn draw_channels(place: u32) -> u32 {
  let second = philox(vec4<u32>(place, dims.stream, step.step, 1u), step.seed);
  var dropped = 0u;
  let count = DROP_MIN + below(second.x, DROP_MAX - DROP_MIN + 1u);
  // Floyd's sampling of distinct channels
  for (var i = 0u; i < count; i++) {
    let last = CHANNELS - count + i;
    let words = philox(vec4<u32>(place, dims.stream, step.step, 2u + i), step.seed);
    let candidate = below(words.x, last + 1u);
    dropped |= 1u << select(candidate, last, (dropped & (1u << candidate)) != 0u);
  }
  return dropped;
}

// A number of the standard normal distribution (Box and Muller).
fn normal(words: vec4<u32>) -> f32 {
  return sqrt(-2.0 * log(1.0 - uniform01(words.x))) * cos(6.283185307179586 * uniform01(words.y));
}

// An entry after the transformation of its row.
struct Pixel {
  place: u32,   // of its patch
  feature: u32, // in it
  value: f32,
  kept: bool,   // not left out, and still in the image
}

fn scaled(x: f32) -> f32 {
  if (TRANSFORM == 1u) {
    return sign(x) * log(1.0 + abs(x)) / log(1.0 + SCALE);
  }
  if (TRANSFORM == 2u) {
    return sign(x) * sqrt(abs(x) / SCALE);
  }
  return x / SCALE;
}

// The entry at a word.
fn transform(row: u32, word: u32) -> Pixel {
  var at = 0u;
  var x = 0.0;
  if (BYTES) {
    at = words[word] >> 8u;
    x = scaled(f32(words[word] & 255u));
  } else {
    at = words[word];
    x = scaled(bitcast<f32>(words[word + 1u]));
  }
  let channel = at % CHANNELS;
  let d = draws[row];
  var kept = true;
  if (DROP) {
    kept = ((d.w >> channel) & 1u) == 0u;
  }
  var r = at / CHANNELS / SIZE;
  var c = at / CHANNELS % SIZE;
  r = select(r, SIZE - 1u - r, (d.x & 1u) != 0u) + d.y;
  c = select(c, SIZE - 1u - c, (d.x & 2u) != 0u) + d.z;
  if (ROLL) {
    c = c % SIZE;
  }
  kept = kept && r < GRID * PATCH && c < GRID * PATCH;
  if ((d.x & 4u) != 0u && x > 0.0) {
    x = clamp(x + SIGMA * normal(philox(vec4<u32>(at, place_of(row, step), step.step, 0x80000000u + dims.stream), step.seed)), 0.0, 1.0);
  }
  return Pixel((r / PATCH) * GRID + c / PATCH, (channel * PATCH + r % PATCH) * PATCH + c % PATCH, x, kept);
}

// The entry of a cell of the range of rows, transformed as its row is; not kept where the row has no such entry.
fn pixel_at(at: Cell) -> Pixel {
  let row = dims.first_row + at.row;
  let range = ranges[row % arrayLength(&ranges)];
  let word = range.x + WORDS * at.column;
  if (at.row >= dims.rows || word >= range.y) {
    return Pixel(0u, 0u, 0.0, false);
  }
  return transform(row, word);
}

@compute @workgroup_size(WIDTH)
fn scatter(ids: Ids) {
  let at = cell(ids, dims.most);
  let pixel = pixel_at(at);
  if (pixel.kept) {
    patches[(at.row * GRID * GRID + pixel.place) * FEATURES + pixel.feature] = pixel.value;
  }
}

// Which of the tokens of an image of the range is at a place; NONE if there is none, or nothing is left of the place's pixels.
fn token_at(image: u32, place: u32) -> u32 {
  if (ACTIVE) {
    let row = token_rows[(tokens.first_image + image) * GRID * GRID + place];
    return select(row - image_start(image, 0u), NONE, row == NONE);
  } else {
    return place;
  }
}

@compute @workgroup_size(WIDTH)
fn list(ids: Ids) {
  let at = cell(ids, dims.most);
  if (at.row >= dims.rows || at.column >= dims.most) {
    return;
  }
  let pixel = pixel_at(at);
  var entry = vec2<u32>();
  if (pixel.kept) {
    let token = token_at(at.row, pixel.place);
    if (token != NONE) {
      entry = vec2<u32>(token * FEATURES + pixel.feature, bitcast<u32>(pixel.value));
    }
  }
  listed[at.row * dims.most + at.column] = entry;
}

@compute @workgroup_size(WIDTH)
fn mark(ids: Ids) {
  let at = cell(ids, dims.most);
  let pixel = pixel_at(at);
  if (pixel.kept && pixel.value != 0.0) {
    atomicStore(&marks[at.row * GRID * GRID + pixel.place], 1u);
  }
}
