// What is predicted of a hidden token, and the mean squared error of the prediction.
//
//   sums     target[t, c] = log(1 + UNIT sum over the pixels of channel c of x[t]) / deviation[c]
//   pixels   target[t, f] = log(1 + UNIT x[t, f]) / log(1 + UNIT)             f in the order (row, column, channel)
//
//   loss[t]           = sum over f of (prediction[t, f] - target[t, f])^2 / (GROUPS T F)
//   dprediction[t, f] = 2 (prediction[t, f] - target[t, f]) / (GROUPS T F)
//
// T is the number of tokens of the group that t is in: the batch is divided into GROUPS of as many images, of which each has its mean.
//
// UNIT is what the values of the data were divided by. Values below 0 count as 0.
//
// x                                (T, CHANNELS, PIXELS)
// target, prediction, dprediction  (T, F)     F = CHANNELS, or PIXELS CHANNELS
// loss                             (T)
// deviation                        (CHANNELS)
//
// sums, pixels, backward: one invocation an element. forward: one invocation a token.
//
// uses lib/invocation.wgsl, lib/tokens.wgsl

const CHANNELS: u32 = 3u;
const PIXELS: u32 = 25u;
const UNIT: f32 = 255.0;
const F: u32 = 3u;
const GROUPS: u32 = 1u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> deviation: array<f32>;
@group(0) @binding(2) var<storage, read_write> target_out: array<f32>;
@group(0) @binding(3) var<storage, read> prediction: array<f32>;
@group(0) @binding(4) var<storage, read> goal: array<f32>;
@group(0) @binding(5) var<storage, read_write> loss: array<f32>;
@group(0) @binding(6) var<storage, read_write> dprediction: array<f32>;

@compute @workgroup_size(WIDTH)
fn sums(ids: Ids) {
  let i = invocation(ids);
  if (i >= in_use(arrayLength(&target_out))) {
    return;
  }
  var sum = 0.0;
  for (var p = i * PIXELS; p < (i + 1u) * PIXELS; p++) {
    sum += x[p];
  }
  target_out[i] = log(1.0 + UNIT * max(sum, 0.0)) / deviation[i % CHANNELS];
}

@compute @workgroup_size(WIDTH)
fn pixels(ids: Ids) {
  let i = invocation(ids);
  if (i >= in_use(arrayLength(&target_out))) {
    return;
  }
  let pixel = i / CHANNELS % PIXELS;
  let value = x[(i / F * CHANNELS + i % CHANNELS) * PIXELS + pixel];
  target_out[i] = log(1.0 + UNIT * max(value, 0.0)) / log(1.0 + UNIT);
}

// What the squared errors of a token are divided by.
fn divisor(token: u32) -> f32 {
  let images = tokens.images / GROUPS;
  let group = (tokens.first_image + image_of(token, 1u)) / images;
  return f32(GROUPS * F * (tokens_before((group + 1u) * images) - tokens_before(group * images)));
}

@compute @workgroup_size(WIDTH)
fn forward(ids: Ids) {
  let token = invocation(ids);
  if (token >= in_use(arrayLength(&loss))) {
    return;
  }
  var sum = 0.0;
  for (var i = token * F; i < (token + 1u) * F; i++) {
    let error = prediction[i] - goal[i];
    sum = fma(error, error, sum);
  }
  loss[token] = sum / divisor(token);
}

@compute @workgroup_size(WIDTH)
fn backward(ids: Ids) {
  let i = invocation(ids);
  if (i < in_use(arrayLength(&dprediction))) {
    dprediction[i] = 2.0 * (prediction[i] - goal[i]) / divisor(i / F);
  }
}
