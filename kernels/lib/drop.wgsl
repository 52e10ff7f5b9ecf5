// Library for other kernels: dropout and drop path (stochastic depth, Huang et al., arXiv:1603.09382).
//
//   keep[i]     = 1 / (1 - rate) with probability 1 - rate, else 0, for each element
//   path[image] = 1 / (1 - path_rate) with probability 1 - path_rate, else 0, for each image
//
// Both draws are counted (lib/philox.wgsl), so the backward pass makes the same ones: words 0 to 3 of counter
// (i / 4, stream, step, 0) are those of elements i ... i + 3, and word 0 of (image, stream, step, 1) of an image.
//
// Uses lib/philox.wgsl and lib/step.wgsl.

struct Drop {
  stream: u32,    // tells one use of randomness in a step from the others
  per_image: u32, // elements of an image
  rate: f32,
  path_rate: f32,
}

// keep path of elements 4 quad ... 4 quad + 3.
fn drop_quad(drop: Drop, quad: u32, step: Step) -> vec4<f32> {
  var scale = vec4<f32>(1.0 / ((1.0 - drop.rate) * (1.0 - drop.path_rate)));
  if (drop.rate > 0.0) {
    let words = philox(vec4<u32>(quad, drop.stream, step.step, 0u), step.seed);
    let drawn = vec4<f32>(uniform01(words.x), uniform01(words.y), uniform01(words.z), uniform01(words.w));
    scale = select(vec4<f32>(), scale, drawn >= vec4<f32>(drop.rate));
  }
  if (drop.path_rate > 0.0) {
    let first = 4u * quad / drop.per_image;
    let last = (4u * quad + 3u) / drop.per_image;
    let path = path_drawn(drop, first, step);
    let next = path_drawn(drop, last, step);
    // elements of two images may share a quad, if images are smaller than that
    let image = (vec4<u32>(4u * quad) + vec4<u32>(0u, 1u, 2u, 3u)) / drop.per_image;
    let drawn = select(vec4<f32>(next), vec4<f32>(path), image == vec4<u32>(first));
    scale = select(vec4<f32>(), scale, drawn >= vec4<f32>(drop.path_rate));
  }
  return scale;
}

fn path_drawn(drop: Drop, image: u32, step: Step) -> f32 {
  return uniform01(philox(vec4<u32>(image, drop.stream, step.step, 1u), step.seed).x);
}
