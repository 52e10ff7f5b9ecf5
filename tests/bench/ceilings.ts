/** @file What the adapter can do at best: an arithmetic loop and a copy, the yardsticks of all other numbers. */

import type { Gpu } from "../../lib/gpu/device.ts";
import { kernelOf } from "../../lib/gpu/kernel.ts";
import { Plan } from "../../lib/gpu/plan.ts";
import { workgroupsFor } from "../../lib/tensor/ops/grid.ts";
import { createTensor } from "../../lib/tensor/tensor.ts";

/** Best rates measured. */
export interface Ceilings {
  /** Multiplications and additions a second, in units of 10^9. */
  readonly gflops: number;
  /** Bytes read and written a second, in units of 10^9. */
  readonly gbytes: number;
}

/** 16 independent chains of fused multiply-adds in registers: no memory but one store. */
const ARITHMETIC = `
// uses lib/invocation.wgsl
const STEPS: u32 = 256u;
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(WIDTH)
fn main(ids: Ids) {
  let id = invocation(ids);
  let a = f32(id) * 1e-9 + 0.999;
  var s: array<vec4<f32>, 4>;
  for (var i = 0u; i < STEPS; i++) {
    // unroll
    for (var k = 0u; k < 32u; k++) {
      s[k % 4u] = fma(s[k % 4u], vec4<f32>(a), vec4<f32>(0.5));
    }
  }
  y[id] = dot(s[0] + s[1] + s[2] + s[3], vec4<f32>(1.0));
}`;

const COPY = `
// uses lib/invocation.wgsl
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;
@compute @workgroup_size(WIDTH)
fn main(ids: Ids) {
  y[invocation(ids)] = x[invocation(ids)];
}`;

/** Best of a few runs, in seconds. */
export async function bestTime(gpu: Gpu, plan: Plan, runs = 5): Promise<number> {
  plan.run();
  await gpu.finish();
  let best = Infinity;
  for (let i = 0; i < runs; i++) {
    const started = performance.now();
    plan.run();
    await gpu.finish();
    best = Math.min(best, performance.now() - started);
  }
  return Math.max(0.1, best - WAIT) / 1000;
}

/** Deno sleeps 10 ms after every wait for the adapter. */
const WAIT = 10;

/** Measures both ceilings. */
export async function measureCeilings(gpu: Gpu): Promise<Ceilings> {
  const invocations = gpu.adapter.software ? 4096 : 1 << 20;
  const elements = gpu.adapter.software ? 1 << 22 : 1 << 26;
  const x = createTensor(gpu, "x", [elements]).storage;
  const y = createTensor(gpu, "y", [elements]).storage;
  const common = { entry: "main", label: "ceiling", constants: {} };
  using arithmetic = new Plan(gpu, [{
    ...common,
    kernel: kernelOf("alu", ARITHMETIC),
    bindings: { y },
    workgroups: workgroupsFor(invocations),
  }]);
  const copy = { ...common, kernel: kernelOf("copy", COPY), bindings: { x, y } };
  using copying = new Plan(gpu, [{ ...copy, workgroups: workgroupsFor(elements / 4) }]);
  const gflops = 2 * 4 * 32 * 256 * invocations / await bestTime(gpu, arithmetic) / 1e9;
  const gbytes = 2 * 4 * elements / await bestTime(gpu, copying) / 1e9;
  x.place.buffer.destroy();
  y.place.buffer.destroy();
  return { gflops, gbytes };
}
