/** @file One device for all tests of a file. */

import { hideWaylandWarning } from "../../lib/cli/task.ts";
import { Gpu, type GpuOptions } from "../../lib/gpu/device.ts";

const opened = new Map<string, Promise<Gpu>>();

/** Rows of a launch so short that nearly all launches have several: a kernel that ignored them would compute a part. */
const FOLDED: GpuOptions = { workgroupsInRow: 3 };
/** Rows as long as the adapter takes them, as in programs. */
export const UNFOLDED: GpuOptions = { workgroupsInRow: Infinity };

/** The device, opened at first use and kept until the tests of the file have ended. */
export function testGpu(given: GpuOptions = {}): Promise<Gpu> {
  hideWaylandWarning();
  const options = { ...FOLDED, ...given };
  const key = Object.values(options).join();
  const gpu = opened.get(key) ?? open(options);
  opened.set(key, gpu);
  return gpu;
}

async function open(options: GpuOptions): Promise<Gpu> {
  const gpu = await Gpu.open(options);
  addEventListener("unload", () => gpu[Symbol.dispose]());
  return gpu;
}

/** Registers a test that uses the device; buffers it leaves behind die with it. */
export function gpuTest(name: string, fn: (gpu: Gpu) => Promise<void>, options?: GpuOptions): void {
  Deno.test({ name, sanitizeResources: false, fn: async () => await fn(await testGpu(options)) });
}

/**
 * Registers a test twice: with the kernels that suit the adapter, and with those for GPUs.
 *
 * @param guaranteed true for a third time, with those for GPUs that have no more than the guaranteed limits
 */
export function variantsTest(name: string, fn: (gpu: Gpu) => Promise<void>, guaranteed = false): void {
  gpuTest(name, fn);
  gpuTest(`${name}, by the kernels for GPUs`, fn, { software: false });
  if (guaranteed) gpuTest(`${name}, with the guaranteed limits`, fn, { software: false, guaranteed });
}

/** Runs work on a device of its own. */
export async function withGpu<T>(options: GpuOptions, work: (gpu: Gpu) => Promise<T>): Promise<T> {
  hideWaylandWarning();
  using gpu = await Gpu.open(options);
  return await work(gpu);
}
