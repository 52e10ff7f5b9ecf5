// Library for other kernels: the numbers that change from step to step, written by the host before each
// replay of a plan (lib/tensor/step.ts).

struct Step {
  seed: vec2<u32>,          // key of all random numbers of the run
  step: u32,                // steps taken before this one
  row: u32,                 // row of a result buffer that this replay writes
  first_row: u32,           // first row of an output that this replay writes
  // of a replay that computes a part of a batch (lib/place.wgsl)
  images: u32,              // of the part
  batch_images: u32,        // of the whole batch
  first_image: u32,         // of the part, in the whole
  learning_rate: vec4<f32>, // of each parameter group
  correction1: vec4<f32>,   // 1 - beta1^t of AdamW, for t steps of each group; 0 before its first step
  correction2: vec4<f32>,   // 1 - beta2^t
}
