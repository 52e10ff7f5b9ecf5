/** @file Looks at the machine: adapter, limits, features, a kernel against its reference, disk, permissions. */

import { statfsSync } from "node:fs";
import { formatBytes } from "../format.ts";
import { Gpu } from "../gpu/device.ts";
import { Random } from "../random.ts";
import { matmul } from "../tensor/ops/matmul.ts";
import { Tape } from "../tensor/tape.ts";
import { createTensor, read, write } from "../tensor/tensor.ts";
import { offeredAdapters, ONE_EACH } from "./adapters.ts";
import { rooted } from "./paths.ts";

/** What was found: names and values, and problems with their remedies. */
export interface Findings {
  readonly facts: [name: string, value: string][];
  readonly problems: string[];
}

/** Optional features that kernels may use; an adapter's own list is not complete, so each is asked for. */
const FEATURES = ["subgroups", "shader-f16", "timestamp-query"];
const FOLDERS = ["data", "cache", "weights", "runs", "reports"];
const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
] as const;
const OPENGL =
  "WebGPU found no Vulkan driver and fell back to OpenGL, which is right, but several times slower. Install a Vulkan driver " +
  "for your GPU, or the software one (Debian and Ubuntu: apt-get install mesa-vulkan-drivers libvulkan1)";
/** Bindings that the widest kernel uses. */
const BINDINGS_NEEDED = 9;

/** @param adapterOnly leaves out everything but the adapter's name */
export async function inspectMachine(adapterOnly: boolean): Promise<Findings> {
  const found: Findings = { facts: [["Deno", `${Deno.version.deno} on ${Deno.build.os} ${Deno.build.arch}`]], problems: [] };
  try {
    using gpu = await Gpu.open();
    found.facts.push(["adapter", `${gpu.adapter.name}${gpu.adapter.software ? " (software: right, but slow)" : ""}`]);
    const { name, compiler } = gpu.adapter.implementation;
    found.facts.push(["WebGPU", `${name}, whose compiler of kernels is ${compiler}`]);
    if (gpu.adapter.openGl) found.problems.push(OPENGL);
    if (adapterOnly) return found;
    found.facts.push(["adapters on offer", (await offeredAdapters()).join("; ")], ["one GPU a rank", ONE_EACH]);
    await inspectAdapter(gpu, found);
  } catch (error) {
    found.problems.push((error as Error).message);
    if (adapterOnly) return found;
  }
  inspectDisk(found);
  inspectPermissions(found);
  return found;
}

async function inspectAdapter(gpu: Gpu, { facts, problems }: Findings): Promise<void> {
  for (const name of LIMITS) facts.push([name, describeLimit(name, gpu.limits[name])]);
  if (gpu.limits.maxStorageBuffersPerShaderStage < BINDINGS_NEEDED) {
    problems.push(
      `The adapter binds ${gpu.limits.maxStorageBuffersPerShaderStage} buffers in a kernel and ${BINDINGS_NEEDED} are needed: use another adapter`,
    );
  }
  const [smallest, largest] = gpu.adapter.subgroup;
  facts.push(["subgroup sizes", `${smallest} to ${largest}`]);
  for (const feature of FEATURES) facts.push([feature, await hasFeature(feature) ? "yes" : "no"]);
  const { error, gflops } = await selfCheck(gpu);
  facts.push([
    "self-check",
    `matrix product off by ${error.toExponential(1)} from double precision, ${gflops.toPrecision(3)} GFLOP/s`,
  ]);
  if (!(error < 1e-5)) problems.push("The adapter computes wrong numbers: update its driver, or use another adapter");
}

async function hasFeature(feature: string): Promise<boolean> {
  try {
    const adapter = await navigator.gpu.requestAdapter();
    const device = await adapter!.requestDevice({ requiredFeatures: [feature as GPUFeatureName] });
    device.destroy();
    return true;
  } catch {
    return false;
  }
}

/** C = A B for 256 x 256 matrices against double precision, and the speed of it within about a second. */
async function selfCheck(gpu: Gpu): Promise<{ error: number; gflops: number }> {
  const n = 256;
  const random = new Random(1, 0);
  const values = () => Float32Array.from({ length: n * n }, () => random.normal());
  const [a, b] = [values(), values()];
  const [ta, tb, tc] = ["a", "b", "c"].map((name) => createTensor(gpu, name, [n, n])) as [Tensor, Tensor, Tensor];
  write(gpu, ta, a);
  write(gpu, tb, b);
  const tape = new Tape(gpu, { training: false });
  const repeats = 8;
  for (let i = 0; i < repeats; i++) matmul(tape, ta, tb, tc, [n, n, n]);
  const plan = tape.compile();
  plan.run();
  await gpu.finish();
  const started = performance.now();
  plan.run();
  const c = await read(gpu, tc);
  const seconds = (performance.now() - started) / 1000;
  let difference = 0, norm = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += a[i * n + k]! * b[k * n + j]!;
      difference += (sum - c[i * n + j]!) ** 2;
      norm += sum ** 2;
    }
  }
  return { error: Math.sqrt(difference / norm), gflops: repeats * 2 * n ** 3 / seconds / 1e9 };
}

type Tensor = ReturnType<typeof createTensor>;

function inspectDisk({ facts, problems }: Findings): void {
  for (const folder of FOLDERS) {
    const path = rooted(folder);
    try {
      const { bavail, bsize } = statfsSync(path);
      const free = bavail * bsize;
      facts.push([`free for ${path}`, formatBytes(free)]);
      if (free < 1e9) problems.push(`Less than 1 GB is free for ${path}: remove files, or point L2VIT_ROOT elsewhere`);
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOENT") throw error;
      facts.push([`free for ${path}`, "the folder is not there yet; tasks make it"]);
    }
  }
}

function inspectPermissions({ facts }: Findings): void {
  const ask = (descriptor: Deno.PermissionDescriptor) => Deno.permissions.querySync(descriptor).state;
  facts.push([
    "may read",
    ["configs", ...FOLDERS.map(rooted)].filter((path) => ask({ name: "read", path }) === "granted").join(", ") || "nothing",
  ]);
  for (const name of ["write", "net", "run", "ffi"] as const) {
    facts.push([`may ${name}`, ask({ name }) === "granted" ? "yes" : "no"]);
  }
}

function describeLimit(name: string, value: number): string {
  if (!name.endsWith("Size")) return String(value);
  return value >= 2 ** 20 ? `${Math.round(value / 2 ** 20)} MiB` : `${Math.round(value / 2 ** 10)} KiB`;
}
