/**
 * @file Compiles kernels with Tint, the compiler of Chromium, by Dawn without a driver: a program of its own, since its package
 * (npm:webgpu, 51 MB) is fetched for this alone.
 *
 *     deno task kernels --all --out reports/kernels
 *     deno run --allow-read --allow-ffi --allow-env --config tests/tint/deno.json tests/tint/check.ts reports/kernels
 *
 * Every file must compile without a warning, and in uniform control flow.
 */

import { create, globals } from "webgpu";

Object.assign(globalThis, globals);
const [folder] = Deno.args;
const adapter = await create(["backend=null"]).requestAdapter();
const device = await adapter!.requestDevice({
  requiredFeatures: ["subgroups" as GPUFeatureName],
  requiredLimits: limitsOf(adapter!),
});

let wrong = 0, files = 0;
for (const { name } of Deno.readDirSync(folder!)) {
  if (!name.endsWith(".wgsl")) continue;
  files++;
  const text = Deno.readTextFileSync(`${folder}/${name}`);
  const code = /\bsubgroup\w+\(/.test(text) ? `enable subgroups;\n${text}` : text;
  for (const message of await compile(code)) {
    wrong++;
    console.error(`${text.split("\n", 1)[0]!.replace("// ", "")}: ${message}`);
  }
}
console.log(`Tint: ${files} kernels, ${wrong} errors and warnings`);
// Dawn's threads outlive the last line
Deno.exit(wrong > 0 || files === 0 ? 1 : 0);

/** What Tint has to say about a kernel, and what Dawn has about its pipeline. */
async function compile(code: string): Promise<string[]> {
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code });
  const { messages } = await module.getCompilationInfo();
  if (messages.every(({ type }) => type !== "error")) {
    device.createComputePipeline({ layout: "auto", compute: { module } });
  }
  const error = await device.popErrorScope();
  const said = messages.map(({ type, message, lineNum }) => `${type}: ${message}, in "${code.split("\n")[lineNum - 1]?.trim()}"`);
  return said.length === 0 && error ? [error.message] : said;
}

/** Those that kernels may need more of than the standard guarantees. */
function limitsOf({ limits }: GPUAdapter): Record<string, number> {
  const names = ["maxStorageBuffersPerShaderStage", "maxComputeWorkgroupStorageSize", "maxComputeInvocationsPerWorkgroup"] as const;
  return Object.fromEntries([...names, "maxComputeWorkgroupSizeX" as const].map((name) => [name, limits[name]]));
}
