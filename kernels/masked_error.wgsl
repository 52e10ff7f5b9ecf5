// Mean squared error of the pixels of masked tokens (He et al., arXiv:2111.06377), and its gradient.
//
//   token n of image b is masked where restore[b, n] >= KEEP; there are M = B (N - KEEP) of them
//
//   loss[b, n]  = (1 / F) sum over f of (prediction[b, n, f] - pixel[b, n, f])^2    where masked, else 0
//   total       = (1 / M) sum of loss
//   dprediction = 2 (prediction - pixel) / (F M)                                     where masked, else 0
//
// A patch is predicted pixel by pixel in the order (row, column, channel), and read by the patch embedding in the
// order (channel, row, column).
//
// prediction, dprediction  (B, N, F)  F = PATCH PATCH CHANNELS, order (row, column, channel)
// patches                  (B, N, F)  order (channel, row, column)
// restore, loss            (B, N)
//
// forward: one invocation a token. backward: one invocation an element.
//
// uses lib/invocation.wgsl

const PATCH: u32 = 5u;
const CHANNELS: u32 = 3u;
const N: u32 = 9u;
const KEEP: u32 = 2u;

const F: u32 = PATCH * PATCH * CHANNELS;

@group(0) @binding(0) var<storage, read> prediction: array<f32>;
@group(0) @binding(1) var<storage, read> patches: array<f32>;
@group(0) @binding(2) var<storage, read> restore: array<u32>;
@group(0) @binding(3) var<storage, read_write> loss: array<f32>;
@group(0) @binding(4) var<storage, read_write> dprediction: array<f32>;

// prediction - pixel, for feature f of the prediction of a token.
fn error(token: u32, f: u32) -> f32 {
  let pixel = f / CHANNELS;
  return prediction[token * F + f] - patches[token * F + (f % CHANNELS) * PATCH * PATCH + pixel];
}

@compute @workgroup_size(WIDTH)
fn forward(ids: Ids) {
  let token = invocation(ids);
  if (token >= arrayLength(&loss)) {
    return;
  }
  var sum = 0.0;
  if (restore[token] >= KEEP) {
    for (var f = 0u; f < F; f++) {
      let e = error(token, f);
      sum = fma(e, e, sum);
    }
  }
  loss[token] = sum / f32(F);
}

@compute @workgroup_size(WIDTH)
fn backward(ids: Ids) {
  let i = invocation(ids);
  if (i >= arrayLength(&dprediction)) {
    return;
  }
  let token = i / F;
  let masked = arrayLength(&restore) / N * (N - KEEP);
  dprediction[i] = select(0.0, 2.0 * error(token, i % F) / (f32(F) * f32(masked)), restore[token] >= KEEP);
}
