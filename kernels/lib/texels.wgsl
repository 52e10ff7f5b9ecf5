// Tensors that are read from a texture, four numbers a texel and TEXELS texels a row, one row after the other: lib/gpu/texels.ts copies
// them there right before a launch. A software adapter loads from a buffer lane by lane, and samples all lanes at once: a third of the
// time.

const TEXELS: u32 = 2048u; // WIDTH of lib/gpu/texels.ts

@group(0) @binding(51) var nearest: sampler;

// Numbers 4 i ... 4 i + 3 of a tensor, to the bit: the nearest texel to its middle is itself.
fn texel(texture: texture_2d<f32>, i: u32) -> vec4<f32> {
  let at = vec2<f32>(vec2<i32>(vec2<u32>(i % TEXELS, i / TEXELS))) + 0.5;
  return textureSampleLevel(texture, nearest, at * vec2<f32>(1.0 / f32(TEXELS), 1.0 / f32(textureDimensions(texture).y)), 0.0);
}
