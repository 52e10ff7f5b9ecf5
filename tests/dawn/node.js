/**
 * @file Runs in Node, on Dawn, what is written for Deno on wgpu: a bundle of tests, or a program.
 *
 *     node tests/dawn/node.js FILE
 *
 * Of Deno's own there is what the golden tests use: tests, and reading files. Every test must pass.
 */

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { create, globals } from "webgpu";

const tests = [];
const ignored = () => {};
Object.assign(globalThis, globals, {
  // Dawn lives as long as somebody holds it
  dawn: create([]),
  addEventListener: ignored,
  Deno: {
    test: (test) => tests.push(test),
    readFileSync: (path) => new Uint8Array(readFileSync(path)),
    readTextFileSync: (path) => readFileSync(path, "utf8"),
    build: { os: process.platform },
    env: { get: (name) => process.env[name], set: ignored },
  },
});
Object.defineProperty(globalThis, "navigator", { value: { gpu: globalThis.dawn, userAgent: "Node" } });

await import(pathToFileURL(process.argv[2]));
let failed = 0;
for (const { name, fn } of tests) {
  try {
    await fn();
    console.log(`${name} ... ok`);
  } catch (error) {
    failed++;
    console.error(`${name}: ${error.stack}`);
  }
}
if (tests.length > 0) console.log(`Dawn: ${tests.length} tests, ${failed} failed`);
// Dawn's threads outlive the last line
process.exit(failed > 0 ? 1 : 0);
