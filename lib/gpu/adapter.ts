/**
 * @file The adapter: whose WebGPU it is, what it can do, and a device of it with all that it has.
 *
 * Implementations differ in what they tell. A browser lists the features that an adapter has; wgpu in Deno leaves some out that can be
 * had all the same. Neither says whether Vulkan or OpenGL is behind it, nor whose compiler reads the kernels: features tell.
 */

/** Facts about the adapter a program runs on. */
export interface AdapterFacts {
  /** Name as the driver gives it, such as "NVIDIA H100 80GB HBM3" or "llvmpipe (LLVM 15.0.6, 256 bits)". */
  readonly name: string;
  /** True if the adapter is the CPU: slow, right, and good for tests. */
  readonly software: boolean;
  /** Whose WebGPU it is. */
  readonly implementation: Implementation;
  /** True if it is driven through OpenGL, which WebGPU falls back to without a word where Vulkan has no driver. */
  readonly openGl: boolean;
  /** Smallest and largest subgroup; zeros if kernels cannot use subgroups. */
  readonly subgroup: readonly [number, number];
  /** Bytes of memory that the invocations of a workgroup share. */
  readonly workgroupMemory: number;
}

/** Whose WebGPU a program runs on, and what compiles its kernels. */
export interface Implementation {
  /** Such as "wgpu", which is that of Deno and Firefox, or "Dawn", that of Chromium and Node. */
  readonly name: "wgpu" | "Dawn" | "WebKit";
  /** What reads WGSL. */
  readonly compiler: "naga" | "Tint" | "WebKit's own";
  /** True if a kernel that uses subgroups has to begin with `enable subgroups;`; wgpu refuses the line up to version 29. */
  readonly enablesSubgroups: boolean;
}

/** No adapter, or one that lacks what the kernels need. The message says what to do. */
export class NoAdapterError extends Error {
  /** Name of the error class. */
  override readonly name = "NoAdapterError";
}

const REMEDY = "Install a Vulkan driver for your GPU, or the software one (Debian and Ubuntu: " +
  "apt-get install mesa-vulkan-drivers libvulkan1); 'deno task doctor' tells what was found";

/** Limits that kernels and buffers profit from; each is set to the adapter's own value. */
const RAISED = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "minStorageBufferOffsetAlignment",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
] as const satisfies readonly (keyof GPUSupportedLimits)[];

/** A feature that wgpu has on Vulkan, Metal and Direct3D, and not on OpenGL: nothing else tells there what is behind an adapter. */
const NATIVE = "mappable-primary-buffers";
/** A feature of the standard that every adapter lists which is driven natively; wgpu knows it not, or not yet. */
const CORE = "core-features-and-limits";
/** Features that are used where they can be had. */
const FEATURES: readonly string[] = ["timestamp-query", "subgroups"];

/** A device, and which of the features that were asked for it has. */
export interface Opened {
  /** Adapter that the device is of. */
  readonly adapter: GPUAdapter;
  /** The device. */
  readonly device: GPUDevice;
  /** Features that it has, of those that are used. */
  readonly features: readonly string[];
}

/**
 * Asks for optional features: all together, else those that can be had. What the list of a browser's adapter leaves out it has
 * not; that of wgpu is not complete, so each is tried.
 *
 * @param guaranteed true for the limits that every adapter has, instead of all that this one has
 * @throws {NoAdapterError} if there is no adapter, or it gives no device
 */
export async function openDevice(guaranteed = false): Promise<Opened> {
  const raised = guaranteed ? [] : RAISED;
  const first = await requestAdapter(), { features } = first;
  const wanted = isStandard(features) ? FEATURES.filter((feature) => has(features, feature)) : [...FEATURES, NATIVE];
  const all = await requestDevice(wanted, raised, first);
  if (!(all instanceof Error)) return all;
  const granted: string[] = [];
  for (const feature of wanted) {
    const one = await requestDevice([feature], raised);
    if (one instanceof Error) continue;
    one.device.destroy();
    granted.push(feature);
  }
  const opened = await requestDevice(granted, raised);
  if (opened instanceof Error) throw new NoAdapterError(`The adapter gives no device: ${opened.message}. ${REMEDY}`);
  return opened;
}

/** A device with these features and raised limits, or why there is none. Each takes its own adapter, since one gives one device. */
async function requestDevice(
  features: readonly string[],
  raised: readonly (typeof RAISED)[number][],
  from?: GPUAdapter,
): Promise<Opened | Error> {
  const adapter = from ?? await requestAdapter();
  const requiredLimits = Object.fromEntries(raised.map((name) => [name, adapter.limits[name]]));
  try {
    const requiredFeatures = features as GPUFeatureName[];
    return { adapter, device: await adapter.requestDevice({ requiredLimits, requiredFeatures, label: "l2vit" }), features };
  } catch (error) {
    return error as Error;
  }
}

async function requestAdapter(): Promise<GPUAdapter> {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new NoAdapterError(`No WebGPU adapter was found. ${REMEDY}`);
  return adapter;
}

function isStandard(features: GPUSupportedFeatures): boolean {
  return has(features, CORE);
}

/** Deno's types know fewer names than there are. */
function has(features: GPUSupportedFeatures, name: string): boolean {
  return (features as Set<string>).has(name);
}

/**
 * True if an adapter's subgroups are its vectors, of eight or sixteen numbers, as llvmpipe's are: a load from a buffer goes lane by lane,
 * lanes may hand one another what they have loaded, and texels come for all lanes at once.
 */
export function computesByVectors({ software, subgroup: [least, most] }: Pick<AdapterFacts, "software" | "subgroup">): boolean {
  return software && least === most && (least === 8 || least === 16);
}

/** Numbers that a software adapter computes at a time: as many as its subgroups have lanes, or else eight. */
export function vectorOf({ subgroup: [least] }: Pick<AdapterFacts, "subgroup">): number {
  return Math.max(8, least);
}

/** What is known of an adapter. */
export function describeAdapter({ adapter: { info, features: listed }, device: { limits }, features }: Opened): AdapterFacts {
  const { description, vendor, device: model, architecture, isFallbackAdapter, subgroupMinSize, subgroupMaxSize } = info;
  return {
    // browsers keep the driver's own words to themselves
    name: description || [vendor, model, architecture].filter((word) => word !== "").join(" ") || "an adapter without a name",
    software: isFallbackAdapter || SOFTWARE.test(`${architecture} ${description}`),
    implementation: implementationOf(listed),
    openGl: !isStandard(listed) && !features.includes(NATIVE),
    subgroup: features.includes("subgroups") ? [subgroupMinSize ?? 0, subgroupMaxSize ?? 0] : [0, 0],
    workgroupMemory: limits.maxComputeWorkgroupStorageSize,
  };
}

/** Drivers that compute on the CPU, by the names that Dawn gives: it does not call each of them a fallback. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe/i;

/** @param listed what the adapter says it has */
function implementationOf(listed: GPUSupportedFeatures): Implementation {
  const enablesSubgroups = listed.has("subgroups");
  const { userAgent } = navigator;
  if (!isStandard(listed) || /Firefox/.test(userAgent)) return { name: "wgpu", compiler: "naga", enablesSubgroups };
  const isWebKit = /AppleWebKit/.test(userAgent) && !/Chrom/.test(userAgent);
  return isWebKit
    ? { name: "WebKit", compiler: "WebKit's own", enablesSubgroups }
    : { name: "Dawn", compiler: "Tint", enablesSubgroups };
}
