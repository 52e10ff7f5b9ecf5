// Finds numbers that are not finite.
//
//   flags[FLAG] = 1 if any x[i] is NaN or +-Infinity, else 0
//
// x      (n)  any tensor
// flags  (f)  one word a checked tensor
//
// One workgroup: each invocation scans every LANES-th element. The exponent bits are compared as
// integers, because a compiler may assume that floats are never NaN.

const FLAG: u32 = 0u;
const LANES: u32 = 256u;

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> flags: array<u32>;

var<workgroup> bad: array<u32, LANES>;

@compute @workgroup_size(LANES)
fn check(ids: Ids) {
  var found = 0u;
  for (var i = ids.lane; i < arrayLength(&x); i += LANES) {
    found |= u32((x[i] & 0x7f800000u) == 0x7f800000u);
  }
  bad[ids.lane] = found;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (ids.lane < half) {
      bad[ids.lane] |= bad[ids.lane + half];
    }
  }
  if (ids.lane == 0u) {
    flags[FLAG] = bad[0];
  }
}
