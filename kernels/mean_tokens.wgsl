// Mean over the tokens of each image.
//
//   y[b, d]     = (1 / N) sum over n of x[b, n, d]
//   dx[b, n, d] = dy[b, d] / N
//
// x, dx  (B, N, D)      y, dy  (B, D)
//
// Active tokens (lib/tokens.wgsl): N is the number of those of an image, and the mean of none is 0.
//
// forward: one invocation a Number of the channels of an image. backward: one a Number of dx.
//
// uses lib/invocation.wgsl, lib/tokens.wgsl

// one channel, or four neighbouring ones where their number allows
alias Number = f32;
const N: u32 = 9u; // if all places are tokens
const DIM: u32 = 16u; // D in Numbers

@group(0) @binding(0) var<storage, read> x: array<Number>;
@group(0) @binding(1) var<storage, read_write> y: array<Number>;
@group(0) @binding(2) var<storage, read> dy: array<Number>;
@group(0) @binding(3) var<storage, read_write> dx: array<Number>;

// What a sum over the tokens of an image is divided by.
fn tokens_in(image: u32) -> f32 {
  if (ACTIVE) {
    return f32(max(image_start(image + 1u, N) - image_start(image, N), 1u));
  } else {
    return f32(N);
  }
}

@compute @workgroup_size(WIDTH)
fn forward(ids: Ids) {
  let i = invocation(ids);
  if (i >= arrayLength(&y)) {
    return;
  }
  let image = i / DIM;
  let end = image_start(image + 1u, N);
  var sum = Number(nothing());
  for (var n = image_start(image, N); n < end; n++) {
    sum += x[n * DIM + i % DIM];
  }
  y[i] = sum / tokens_in(image);
}

@compute @workgroup_size(WIDTH)
fn backward(ids: Ids) {
  let i = invocation(ids);
  if (i < in_use(arrayLength(&dx))) {
    let image = image_of(i / DIM, N);
    dx[i] = dy[image * DIM + i % DIM] / tokens_in(image);
  }
}
