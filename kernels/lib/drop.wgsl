// Library for other kernels: dropout and drop path (stochastic depth, Huang et al., arXiv:1603.09382).
//
//   keep[i]     = 1 / (1 - rate) with probability 1 - rate, else 0, for each element
//   path[image] = 1 / (1 - path_rate) with probability 1 - path_rate, else 0, for each image
//
// Both draws are counted (lib/philox.wgsl), so the backward pass makes the same ones: words 0 to 3 of counter
// (i / 4, stream, step, 0) are those of elements i ... i + 3, and word 0 of (image, stream, step, 1) of an image. Both count images and
// elements by their place in the whole batch (lib/place.wgsl), and elements of active tokens as if all places were tokens.
//
// uses lib/philox.wgsl, lib/place.wgsl, lib/step.wgsl, lib/tokens.wgsl

struct Drop {
  stream: u32,    // tells one use of randomness in a step from the others
  per_image: u32, // elements of an image, or of an active token
  rate: f32,
  path_rate: f32,
}

const DROP_ELEMENTS: bool = true; // false: rate is 0, and nothing is drawn
const DROP_PATHS: bool = true;    // false: path_rate is 0, likewise
const DROP_ROW: u32 = 16u;        // of active tokens: per_image, as a constant, by which dividing is fast

// Nothing here branches on a rate: a driver may compile a kernel anew for each value of a uniform that alone decides a branch.
fn kept_elements(drop: Drop, quad: u32, step: Step) -> vec4<bool> {
  if (DROP_ELEMENTS) {
    let words = philox(vec4<u32>(quad, drop.stream, step.step, 0u), step.seed);
    return vec4<f32>(uniform01(words.x), uniform01(words.y), uniform01(words.z), uniform01(words.w)) >= vec4<f32>(drop.rate);
  } else {
    return vec4<bool>(true);
  }
}

fn kept_path(drop: Drop, image: u32, step: Step) -> bool {
  if (DROP_PATHS) {
    return uniform01(philox(vec4<u32>(image, drop.stream, step.step, 1u), step.seed).x) >= drop.path_rate;
  } else {
    return true;
  }
}

fn drop_scale(drop: Drop) -> f32 {
  return 1.0 / ((1.0 - drop.rate) * (1.0 - drop.path_rate));
}

// The cell of an active token as it is counted: in the whole batch.
fn counted_cell(row: u32, step: Step) -> u32 {
  let cell = tokens.first_image * PLACES + cell_of(row);
  if (PLACED) {
    return place_of(cell / PLACES, step) * PLACES + cell % PLACES;
  } else {
    return cell;
  }
}

// Element i of the tensor as it is counted.
fn counted(drop: Drop, i: u32, step: Step) -> u32 {
  if (ACTIVE) {
    return counted_cell(i / DROP_ROW, step) * DROP_ROW + i % DROP_ROW;
  } else {
    if (PLACED) {
      return place_of(i / drop.per_image, step) * drop.per_image + i % drop.per_image;
    } else {
      return i;
    }
  }
}

// The image of an element that is counted as another.
fn counted_image(drop: Drop, i: u32) -> u32 {
  if (ACTIVE) {
    return i / (DROP_ROW * PLACES);
  } else {
    return i / drop.per_image;
  }
}

// keep path of elements 4 quad ... 4 quad + 3, all of one image.
fn drop_quad(drop: Drop, quad_here: u32, step: Step) -> vec4<f32> {
  let quad = counted(drop, 4u * quad_here, step) / 4u;
  let path = select(0.0, drop_scale(drop), kept_path(drop, counted_image(drop, 4u * quad), step));
  return select(vec4<f32>(), vec4<f32>(path), kept_elements(drop, quad, step));
}

// keep path of element i.
fn drop_one(drop: Drop, i_here: u32, step: Step) -> f32 {
  let i = counted(drop, i_here, step);
  let path = select(0.0, drop_scale(drop), kept_path(drop, counted_image(drop, i), step));
  return select(0.0, path, kept_elements(drop, i / 4u, step)[i % 4u]);
}
