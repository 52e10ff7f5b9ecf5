/** @file Errors of the adapter reach the program, with names. */

import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { Gpu, GpuError } from "../../../lib/gpu/device.ts";
import { kernelOf } from "../../../lib/gpu/kernel.ts";
import { Plan } from "../../../lib/gpu/plan.ts";
import { placed } from "../../support/ops.ts";
import { gpuTest } from "../../support/gpu.ts";

const storage = (label: string, bytes: number) => ({ label, bytes });
const dispatch = (source: string, bindings: Record<string, { label: string; bytes: number }>) => ({
  kernel: kernelOf("probe", source),
  entry: "main",
  label: "layer 7",
  constants: {},
  bindings,
  workgroups: 1,
});

const DOUBLE = `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3<u32>) { y[id.x] = 2.0 * x[id.x]; }`;

Deno.test({
  name: "Gpu.finish() throws what the adapter reports about a kernel that does not compile",
  sanitizeResources: false,
  fn: async () => {
    using gpu = await Gpu.open();
    const broken = DOUBLE.replace("2.0 * x", "2.0 * no_such_number");
    new Plan(gpu, [dispatch(broken, { x: storage("x", 16), y: storage("y", 16) })]).run();
    const error = await assertRejects(() => gpu.finish(), GpuError, "refused kernel probe.main");
    assertStringIncludes(error.message, "no_such_number");
    assertThrows(() => gpu.check(), GpuError);
  },
});

gpuTest("Gpu.buffer() refuses more than the adapter allows, with sizes and a remedy", (gpu) => {
  const error = assertThrows(() => gpu.buffer(gpu.limits.maxBufferSize + 16, "activations"), GpuError, `"activations"`);
  assertStringIncludes(error.message, "data.batch_size");
  return Promise.resolve();
});

gpuTest("Plan refuses a binding that the kernel does not declare", (gpu) => {
  assertThrows(() => new Plan(gpu, [dispatch(DOUBLE, { z: storage("z", 16) })]), Error, `Cannot bind "z"`);
  return Promise.resolve();
});

gpuTest("Plan.firstNonFinite() names the first tensor that goes wrong, not what follows from it", async (gpu) => {
  const halve = DOUBLE.replace("2.0 * x[id.x]", "x[id.x] / x[id.x]");
  const [a, b, c] = ["good", "bad", "worse"].map((label) => storage(label, 16));
  const x = placed(gpu, "x", [4], [0, 0, 0, 0]).storage;
  const plan = new Plan(gpu, [
    dispatch(DOUBLE, { x, y: a! }),
    dispatch(halve, { x: a!, y: b! }),
    dispatch(DOUBLE, { x: b!, y: c! }),
  ]);
  assertEquals(await plan.firstNonFinite(), "bad");
});

gpuTest("Plan gives tensors whose lifetimes do not meet the same memory", (gpu) => {
  const steps = ["a", "b", "c", "d", "e"].map((label) => storage(label, 1024));
  const x = placed(gpu, "x", [256], new Float32Array(256)).storage;
  const plan = new Plan(gpu, steps.map((y, i) => dispatch(DOUBLE, { x: i === 0 ? x : steps[i - 1]!, y })));
  assertEquals(plan.bytes, 2048);
  return Promise.resolve();
});

Deno.test({
  name: "Gpu.check() says what to do when the adapter is out of memory",
  sanitizeResources: false,
  fn: async () => {
    using gpu = await Gpu.open();
    const error = new GPUOutOfMemoryError("Not enough memory left");
    gpu.buffer(3_000_000, "activations");
    gpu.device.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error }));
    const { message } = assertThrows(() => gpu.check(), GpuError, "out of memory: the program asks it for 3.0 MB in 1 buffers");
    assertStringIncludes(message, "Use a smaller data.batch_size or training.recompute: blocks");
  },
});
