/** @file Which adapters WebGPU offers, and how each of several processes gets a GPU of its own. */

/** All that a program may ask for: no list can be had. */
const REQUESTS: readonly GPURequestAdapterOptions[] = [
  { powerPreference: "high-performance" },
  { powerPreference: "low-power" },
  { forceFallbackAdapter: true },
];

/** What is given to those who ask for the fastest adapter, the one that takes least power, and the software one; each once. */
export async function offeredAdapters(): Promise<string[]> {
  const names: string[] = [];
  for (const request of REQUESTS) {
    const adapter = await navigator.gpu?.requestAdapter(request);
    if (!adapter) continue;
    const { description, vendor, device } = adapter.info;
    names.push(description || `${vendor} ${device}`);
  }
  return [...new Set(names)];
}

/** How each rank of `deno task mpi` gets a GPU of its own: a program cannot choose, it is given the first. */
export const ONE_EACH =
  "srun --gpus-per-task=1; or a container a rank (NVIDIA_VISIBLE_DEVICES); or Mesa's device-select layer (DRI_PRIME): " +
  "see README, Several GPUs";
