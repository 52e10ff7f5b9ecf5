/** @file One device for all tests of a file. */

import { hideWaylandWarning } from "../../lib/cli/task.ts";
import { Gpu, type GpuOptions } from "../../lib/gpu/device.ts";

let opened: Promise<Gpu> | undefined;

/** The device, opened at first use and kept until the tests of the file have ended. */
export function testGpu(): Promise<Gpu> {
  hideWaylandWarning();
  return opened ??= open();
}

async function open(): Promise<Gpu> {
  const gpu = await Gpu.open();
  addEventListener("unload", () => gpu[Symbol.dispose]());
  return gpu;
}

/** Registers a test that uses the device; buffers it leaves behind die with it. */
export function gpuTest(name: string, fn: (gpu: Gpu) => Promise<void>): void {
  Deno.test({ name, sanitizeResources: false, fn: async () => await fn(await testGpu()) });
}

/** Runs work on a device of its own. */
export async function withGpu<T>(options: GpuOptions, work: (gpu: Gpu) => Promise<T>): Promise<T> {
  hideWaylandWarning();
  using gpu = await Gpu.open(options);
  return await work(gpu);
}
