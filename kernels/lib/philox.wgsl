// Library for other kernels: counted random numbers.
//
// Philox 4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011):
// a bijection of a 128-bit counter under a 64-bit key, ten rounds of two 32 x 32 -> 64 bit products.
// The same (key, counter) gives the same four words on every adapter, so nothing has to be stored to
// draw a mask again in the backward pass or to go on after a restart.

// High and low word of a * b, from 16-bit halves (WGSL has no 64-bit integers).
fn multiply_wide(a: u32, b: u32) -> vec2<u32> {
  let a0 = a & 0xffffu;
  let a1 = a >> 16u;
  let b0 = b & 0xffffu;
  let b1 = b >> 16u;
  let low = a0 * b0;
  let middle = a1 * b0 + (low >> 16u);
  let middle2 = a0 * b1 + (middle & 0xffffu);
  return vec2<u32>(a1 * b1 + (middle >> 16u) + (middle2 >> 16u), a * b);
}

fn philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
  var c = counter;
  var k = key;
  // unroll
  for (var round = 0u; round < 10u; round++) {
    let p0 = multiply_wide(0xD2511F53u, c.x);
    let p1 = multiply_wide(0xCD9E8D57u, c.z);
    c = vec4<u32>(p1.x ^ c.y ^ k.x, p1.y, p0.x ^ c.w ^ k.y, p0.y);
    k += vec2<u32>(0x9E3779B9u, 0xBB67AE85u);
  }
  return c;
}

// A word as a number in [0, 1): its upper 24 bits, which a float holds exactly.
fn uniform01(word: u32) -> f32 {
  return f32(word >> 8u) * 5.9604644775390625e-8;
}
