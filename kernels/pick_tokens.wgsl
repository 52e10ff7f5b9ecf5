// Tokens in another order, some of them left out or filled in.
//
//   pick:    y[b, i] = x[b, index[b, i]]   where index[b, i] < FROM,  else filler
//   beyond:  y[b, i] = x[b, i]             where index[b, i] >= FROM, else 0
//
// Taking FROM tokens out of an image and putting them back are both a pick, and each is the other's gradient;
// the gradient of the filler is the sum of beyond over all tokens.
//
// x       (B, FROM, DIM) for pick, (B, TO, DIM) for beyond
// index   (B, TO)
// filler  (DIM), or zero (FILLED false)
// y       (B, TO, DIM)
//
// One invocation a Number of y.
//
// uses lib/invocation.wgsl

// one number, or four side by side where sizes allow
alias Number = f32;
const FROM: u32 = 2u;
const TO: u32 = 9u;
const NUMBERS: u32 = 16u; // in a token
const FILLED: bool = false;

@group(0) @binding(0) var<storage, read> x: array<Number>;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read> filler: array<Number>;
@group(0) @binding(3) var<storage, read_write> y: array<Number>;

@compute @workgroup_size(WIDTH)
fn pick(ids: Ids) {
  let i = invocation(ids);
  if (i >= arrayLength(&y)) {
    return;
  }
  let token = i / NUMBERS;
  let place = index[token];
  var value = Number();
  if (place < FROM) {
    value = x[(token / TO * FROM + place) * NUMBERS + i % NUMBERS];
  } else {
    if (FILLED) {
      value = filler[i % NUMBERS];
    }
  }
  y[i] = value;
}

@compute @workgroup_size(WIDTH)
fn beyond(ids: Ids) {
  let i = invocation(ids);
  if (i >= arrayLength(&y)) {
    return;
  }
  var value = Number();
  if (index[i / NUMBERS] >= FROM) {
    value = x[i];
  }
  y[i] = value;
}
