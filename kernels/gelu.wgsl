// Exact GELU (see lib/gelu.wgsl).
//
//   y  = gelu(x)           forward
//   dx = dy gelu'(x)       backward
//
// x, y, dy, dx  (n)  any shape
//
// One invocation a Number.
//
// uses lib/gelu.wgsl, lib/invocation.wgsl, lib/tokens.wgsl

// one number, or four side by side where sizes allow
alias Number = f32;

@group(0) @binding(0) var<storage, read> x: array<Number>;
@group(0) @binding(1) var<storage, read_write> y: array<Number>;
@group(0) @binding(2) var<storage, read> dy: array<Number>;
@group(0) @binding(3) var<storage, read_write> dx: array<Number>;

@compute @workgroup_size(WIDTH)
fn forward(ids: Ids) {
  let i = invocation(ids);
  if (i < in_use(arrayLength(&x))) {
    y[i] = gelu(x[i]);
  }
}

@compute @workgroup_size(WIDTH)
fn backward(ids: Ids) {
  let i = invocation(ids);
  if (i < in_use(arrayLength(&x))) {
    dx[i] = dy[i] * gelu_grad(x[i]);
  }
}
