// Elementwise sum, or a copy.
//
//   y = a + b      entry point add
//   y = a          entry point copy
//   y = a + b, b repeated along the first axis   entry point add_repeated
//
// a, b, y  (n)  any shape; all three the same
//
// One invocation a Number; workgroups are laid out in x, then y.

// one number, or four side by side where sizes allow
alias Number = f32;

@group(0) @binding(0) var<storage, read> a: array<Number>;
@group(0) @binding(1) var<storage, read> b: array<Number>;
@group(0) @binding(2) var<storage, read_write> y: array<Number>;

const WIDTH: u32 = 64u;

@compute @workgroup_size(WIDTH)
fn add(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = id.x + id.y * groups.x * WIDTH;
  if (i < arrayLength(&y)) {
    y[i] = a[i] + b[i];
  }
}

@compute @workgroup_size(WIDTH)
fn copy(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = id.x + id.y * groups.x * WIDTH;
  if (i < arrayLength(&y)) {
    y[i] = a[i];
  }
}

// y[i] = a[i] + b[i mod |b|]: adds a tensor to each of its repetitions (position embedding).
@compute @workgroup_size(WIDTH)
fn add_repeated(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = id.x + id.y * groups.x * WIDTH;
  if (i < arrayLength(&y)) {
    y[i] = a[i] + b[i % arrayLength(&b)];
  }
}
