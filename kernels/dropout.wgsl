// Dropout and drop path, with the residual sum.
//
//   y  = residual + path[image] keep[i] x          forward, RESIDUAL
//   dx = path[image] keep[i] dy                    backward
//
// x, y, residual, dy, dx  (B, per_image)
//
// keep and path: lib/drop.wgsl. One invocation a Number.
//
// uses lib/drop.wgsl, lib/invocation.wgsl, lib/number.wgsl, lib/step.wgsl, lib/tokens.wgsl

// one element, or four where the size of an image allows
alias Number = f32;
const RESIDUAL: bool = false;

struct Dims {
  drop: Drop,
  first: u32, // Numbers of the whole tensor before those that are bound
}

@group(0) @binding(0) var<storage, read> x: array<Number>;
@group(0) @binding(1) var<storage, read> residual: array<Number>;
@group(0) @binding(2) var<storage, read_write> y: array<Number>;
@group(0) @binding(3) var<uniform> step: Step;
@group(0) @binding(4) var<uniform> dims: Dims;

// What Number i is multiplied by.
fn scale_of(i: u32) -> Number {
  if (QUADS) {
    return Number(drop_quad(dims.drop, i, step));
  } else {
    return Number(drop_one(dims.drop, i, step));
  }
}

@compute @workgroup_size(WIDTH)
fn apply(ids: Ids) {
  let i = invocation(ids);
  if (i < in_use(arrayLength(&y))) {
    let kept = scale_of(dims.first + i) * x[i];
    if (RESIDUAL) {
      y[i] = kept + residual[i];
    } else {
      y[i] = kept;
    }
  }
}
