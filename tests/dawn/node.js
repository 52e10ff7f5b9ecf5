/**
 * @file Runs in Node, on Dawn, what is written for Deno on wgpu: a bundle of tests, or a program.
 *
 *     node tests/dawn/node.js FILE [LEFT_OUT]
 *
 * Of Deno's own there is what the golden tests use: tests, and reading files. Every test must pass, but for those that are left out: whose
 * names the regular expression LEFT_OUT finds.
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

const [file, leftOut] = process.argv.slice(2);
await import(pathToFileURL(file));
const wanted = tests.filter(({ name }) => leftOut === undefined || !new RegExp(leftOut).test(name));
let failed = 0;
for (const { name, fn } of wanted) {
  try {
    await fn();
  } catch (error) {
    failed++;
    console.error(`${name}: ${error.stack}`);
  }
}
if (wanted.length > 0) console.log(`Dawn: ${wanted.length} of ${tests.length} golden tests, ${failed} failed`);
// Dawn's threads outlive the last line
process.exit(failed > 0 ? 1 : 0);
