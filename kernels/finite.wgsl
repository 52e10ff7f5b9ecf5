// Finds numbers that are not finite.
//
//   flag = 1 if any x[i] is NaN or +-Infinity, else as before
//
// x  (n)  any tensor
//
// One invocation an element. The exponent bits are compared as integers, because a compiler may assume that floats are never NaN.
//
// uses lib/invocation.wgsl, lib/tokens.wgsl

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> flag: atomic<u32>;

@compute @workgroup_size(WIDTH)
fn check(ids: Ids) {
  let i = invocation(ids);
  if (i < in_use(arrayLength(&x)) && (x[i] & 0x7f800000u) == 0x7f800000u) {
    atomicStore(&flag, 1u);
  }
}
