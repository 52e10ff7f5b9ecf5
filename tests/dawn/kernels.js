/**
 * @file Compiles kernels with Tint, the compiler of Chromium, by Dawn without a driver: a program of its own for Node, since Dawn's
 * package (npm:webgpu, 51 MB) is fetched for this alone and ends Deno when it ends.
 *
 *     deno task kernels --all --out reports/kernels
 *     npm ci --prefix tests/dawn && node tests/dawn/kernels.js reports/kernels
 *
 * Every file must compile without a warning, and in uniform control flow; those for adapters with the guaranteed limits make a pipeline
 * on a device that has no more.
 */

import { readdirSync, readFileSync } from "node:fs";
import { create, globals } from "webgpu";

const folder = process.argv[2];
Object.assign(globalThis, globals);
// Dawn lives as long as somebody holds it
const dawn = globalThis.dawn = create(["backend=null"]);
const adapter = await dawn.requestAdapter();
const device = await adapter.requestDevice({ requiredFeatures: ["subgroups"] });

let wrong = 0, files = 0;
for (const name of readdirSync(folder)) {
  if (!name.endsWith(".wgsl")) continue;
  files++;
  const text = readFileSync(`${folder}/${name}`, "utf8");
  const code = /\bsubgroup\w+\(/.test(text) ? `enable subgroups;\n${text}` : text;
  // the first line says what it is, the second which adapters get it
  const [title, kinds] = text.split("\n", 2);
  for (const message of await compile(code, kinds.includes("guaranteed limits"))) {
    wrong++;
    console.error(`${title.replace("// ", "")}: ${message}`);
  }
}
console.log(`Tint: ${files} kernels, ${wrong} errors and warnings`);
// Dawn's threads outlive the last line
process.exit(wrong > 0 || files === 0 ? 1 : 0);

/** What Tint has to say about a kernel, and what Dawn has about its pipeline, if one is made. */
async function compile(code, withPipeline) {
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code });
  const { messages } = await module.getCompilationInfo();
  if (withPipeline && messages.every(({ type }) => type !== "error")) {
    device.createComputePipeline({ layout: "auto", compute: { module } });
  }
  const error = await device.popErrorScope();
  const said = messages.map(({ type, message, lineNum }) => `${type}: ${message}, in "${code.split("\n")[lineNum - 1]?.trim()}"`);
  return said.length === 0 && error ? [error.message] : said;
}
