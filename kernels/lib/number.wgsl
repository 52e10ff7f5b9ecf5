// Library for other kernels: what differs between those that work on one number and those that work on four side by side.
//
// Number is the type that the kernel works on, f32 or vec4<f32>.

const QUADS: bool = false; // true: vec4<f32>
const ELEMENTS: u32 = select(1u, 4u, QUADS); // of a Number

// Sum over the elements of a Number.
fn total(x: Number) -> f32 {
  if (QUADS) {
    return dot(vec4<f32>(x), vec4<f32>(1.0));
  } else {
    return vec4<f32>(x).x;
  }
}
