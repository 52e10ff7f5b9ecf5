// Elementwise sum, or a copy.
//
//   y = a + b      entry point add
//   y = a          entry point copy
//   y = a + b, b repeated along the first axis   entry point add_repeated
//
// a, b, y  (n)  any shape; all three the same
//
// One invocation a Number.
//
// uses lib/invocation.wgsl, lib/tokens.wgsl

// one number, or four side by side where sizes allow
alias Number = f32;

@group(0) @binding(0) var<storage, read> a: array<Number>;
@group(0) @binding(1) var<storage, read> b: array<Number>;
@group(0) @binding(2) var<storage, read_write> y: array<Number>;


@compute @workgroup_size(WIDTH)
fn add(ids: Ids) {
  let i = invocation(ids);
  if (i < in_use(arrayLength(&y))) {
    y[i] = a[i] + b[i];
  }
}

@compute @workgroup_size(WIDTH)
fn copy(ids: Ids) {
  let i = invocation(ids);
  if (i < in_use(arrayLength(&y))) {
    y[i] = a[i];
  }
}

// Which Number of b is added to Number i of a: b is repeated, or active tokens take the rows of their places.
fn repeated(i: u32) -> u32 {
  if (ACTIVE) {
    let numbers = arrayLength(&a) / tokens.capacity;
    return token_place(i / numbers, 1u) * numbers + i % numbers;
  } else {
    return i % arrayLength(&b);
  }
}

// Adds a tensor to each of its repetitions (position embedding).
@compute @workgroup_size(WIDTH)
fn add_repeated(ids: Ids) {
  let i = invocation(ids);
  if (i < in_use(arrayLength(&y))) {
    y[i] = a[i] + b[repeated(i)];
  }
}
