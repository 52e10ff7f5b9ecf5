// Which of the active tokens of each image are hidden, in masked pretraining: they are to be predicted from the others.
//
// Of the n active tokens of an image, max(1, floor(KEEP n + 1/2)) stay visible: those whose random words are smallest, and of equal words
// the first.
//
//   words[b, n]    = a random word for each place (random_mask.draw)
//   visible[b, n]  = 1 if the token at place n of image b stays visible, else 0
//   hidden[b, n]   = 1 if there is a token and it does not, else 0
//
// words, visible, hidden, rows  (B, N)
//
// One invocation a place. Of a batch that did not fit (lib/tokens.wgsl), everything is marked: then neither do these.
//
// uses lib/invocation.wgsl, lib/tokens.wgsl

const N: u32 = 9u;
const NONE: u32 = 0xffffffffu;
const KEEP: f32 = 0.35;

@group(0) @binding(0) var<storage, read> words: array<u32>;
@group(0) @binding(1) var<storage, read> rows: array<u32>;
@group(0) @binding(2) var<storage, read_write> visible: array<u32>;
@group(0) @binding(3) var<storage, read_write> hidden: array<u32>;

@compute @workgroup_size(WIDTH)
fn choose(ids: Ids) {
  let i = invocation(ids);
  if (i >= arrayLength(&visible)) {
    return;
  }
  let first = i / N * N;
  let word = words[i];
  var count = 0u;
  var before = 0u;
  for (var m = first; m < first + N; m++) {
    let there = rows[m] != NONE;
    count += u32(there);
    before += u32(there && (words[m] < word || (words[m] == word && m < i)));
  }
  let kept = before < max(1u, u32(floor(KEEP * f32(count) + 0.5)));
  let there = rows[i] != NONE;
  visible[i] = u32(!fits() || (there && kept));
  hidden[i] = u32(!fits() || (there && !kept));
}
