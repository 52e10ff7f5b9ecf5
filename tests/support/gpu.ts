/** @file One device for all tests of a file. */

import { hideWaylandWarning } from "../../lib/cli/task.ts";
import { Gpu } from "../../lib/gpu/device.ts";

let opened: Promise<Gpu> | undefined;

/** The device, opened at first use and kept until the process ends. */
export function testGpu(): Promise<Gpu> {
  hideWaylandWarning();
  return opened ??= Gpu.open();
}

/** Registers a test that uses the device; buffers it leaves behind die with the process. */
export function gpuTest(name: string, fn: (gpu: Gpu) => Promise<void>): void {
  Deno.test({ name, sanitizeResources: false, fn: async () => await fn(await testGpu()) });
}
