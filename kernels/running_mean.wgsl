// Running mean of a model's weights over the steps of a run.
//
//   mean = mean + RATE (value - mean)
//
// with RATE 1 less the decay. Nothing is changed in a step that AdamW has skipped.
//
// value, mean  (n)
// report       (rows, 2): whether the step was skipped, in column 1 of row step.row
//
// One invocation a Number.
//
// uses lib/invocation.wgsl, lib/step.wgsl

const RATE: f32 = 0.001;

// one number, or four side by side where sizes allow
alias Number = f32;

@group(0) @binding(0) var<storage, read> value: array<Number>;
@group(0) @binding(1) var<storage, read> report: array<f32>;
@group(0) @binding(2) var<storage, read_write> mean: array<Number>;
@group(0) @binding(3) var<uniform> step: Step;

@compute @workgroup_size(WIDTH)
fn update(ids: Ids) {
  let i = invocation(ids);
  if (i < arrayLength(&mean) && report[2u * step.row + 1u] == 0.0) {
    mean[i] = fma(Number(RATE), value[i] - mean[i], mean[i]);
  }
}
