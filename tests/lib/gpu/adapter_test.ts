/** @file What is told of an adapter, for each implementation of WebGPU. */

import { assertEquals } from "@std/assert";
import { describeAdapter, type Opened } from "../../../lib/gpu/adapter.ts";
import { enabled } from "../../../lib/gpu/pipelines.ts";

/** An adapter that lists some features, with a device that was given others. */
function opened(listed: readonly string[], granted: readonly string[], info: Partial<GPUAdapterInfo> = {}): Opened {
  const adapter = {
    info: { vendor: "", architecture: "", device: "", description: "", subgroupMinSize: 8, subgroupMaxSize: 32, ...info },
    features: new Set(listed),
  };
  const device = { limits: { maxComputeWorkgroupStorageSize: 16384 } };
  return { adapter, device, features: granted } as unknown as Opened;
}

Deno.test("describeAdapter() tells wgpu on Vulkan, wgpu on OpenGL and Dawn apart", () => {
  const of = (listed: readonly string[], granted: readonly string[]) => {
    const { implementation: { name, compiler }, openGl } = describeAdapter(opened(listed, granted));
    return [name, compiler, openGl];
  };
  assertEquals(of([], ["subgroups", "mappable-primary-buffers"]), ["wgpu", "naga", false]);
  assertEquals(of([], []), ["wgpu", "naga", true]);
  assertEquals(of(["core-features-and-limits", "subgroups"], ["subgroups"]), ["Dawn", "Tint", false]);
});

Deno.test("describeAdapter() knows a software adapter and its name where the browser keeps the driver's words to itself", () => {
  const info = { vendor: "google", architecture: "swiftshader" };
  const { name, software, subgroup } = describeAdapter(opened(["core-features-and-limits"], [], info));
  assertEquals([name, software, subgroup], ["google swiftshader", true, [0, 0]]);
  assertEquals(describeAdapter(opened(["core-features-and-limits"], [])).name, "an adapter without a name");
});

Deno.test("enabled() writes the line for subgroups where it is wanted, for kernels that use them", () => {
  const uses = "fn main() { let x = subgroupAdd(1.0); }", uses_not = "const SUBGROUP: bool = false;";
  assertEquals(enabled(uses, { enablesSubgroups: true }), `enable subgroups;\n${uses}`);
  assertEquals(enabled(uses, { enablesSubgroups: false }), uses);
  assertEquals(enabled(uses_not, { enablesSubgroups: true }), uses_not);
});
