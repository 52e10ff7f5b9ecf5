// Finds numbers that are not finite.
//
//   flags[FLAG] = 1 if any x[i] is NaN or +-Infinity, else 0
//
// x      (n)  any tensor
// flags  (f)  one word a checked tensor
//
// One workgroup: each invocation scans every WIDTH-th element. The exponent bits are compared as
// integers, because a compiler may assume that floats are never NaN.

const FLAG: u32 = 0u;
const WIDTH: u32 = 256u;

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> flags: array<u32>;

var<workgroup> bad: array<u32, WIDTH>;

@compute @workgroup_size(WIDTH)
fn check(@builtin(local_invocation_index) lane: u32) {
  var found = 0u;
  for (var i = lane; i < arrayLength(&x); i += WIDTH) {
    found |= u32((x[i] & 0x7f800000u) == 0x7f800000u);
  }
  bad[lane] = found;
  for (var half = WIDTH / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      bad[lane] |= bad[lane + half];
    }
  }
  if (lane == 0u) {
    flags[FLAG] = bad[0];
  }
}
