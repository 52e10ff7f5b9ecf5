// A random order of the tokens of each image: masked pretraining keeps the first of them.
//
//   words[b, n]   = a random word for token n of image b
//                   (counted by the place of the image in the whole batch, lib/place.wgsl)
//   restore[b, n] = number of tokens m with (words[b, m], m) before (words[b, n], n): the place of n in the order
//   keep[b, i]    = the token n with restore[b, n] = i, for the first KEEP places
//
// The names are those of He et al., arXiv:2111.06377: `restore` undoes the shuffle.
//
// words, restore  (B, N)      keep  (B, KEEP)
//
// draw, rank: one invocation a token.
//
// uses lib/invocation.wgsl, lib/philox.wgsl, lib/place.wgsl, lib/step.wgsl

const N: u32 = 9u;
const KEEP: u32 = 2u;

struct Dims {
  stream: u32, // of random numbers
}

@group(0) @binding(0) var<storage, read_write> words_out: array<u32>;
@group(0) @binding(1) var<storage, read> words: array<u32>;
@group(0) @binding(2) var<storage, read_write> restore: array<u32>;
@group(0) @binding(3) var<storage, read_write> keep: array<u32>;
@group(0) @binding(4) var<uniform> step: Step;
@group(0) @binding(5) var<uniform> dims: Dims;

@compute @workgroup_size(WIDTH)
fn draw(ids: Ids) {
  let i = invocation(ids);
  if (i < arrayLength(&words_out)) {
    words_out[i] = philox(vec4<u32>(place_of(i / N, step) * N + i % N, dims.stream, step.step, 0u), step.seed).x;
  }
}

@compute @workgroup_size(WIDTH)
fn rank(ids: Ids) {
  let i = invocation(ids);
  if (i >= arrayLength(&restore)) {
    return;
  }
  let image = i / N;
  let n = i % N;
  let word = words[i];
  var place = 0u;
  for (var m = 0u; m < N; m++) {
    let other = words[image * N + m];
    place += u32(other < word || (other == word && m < n));
  }
  restore[i] = place;
  if (place < KEEP) {
    keep[image * KEEP + place] = n;
  }
}
