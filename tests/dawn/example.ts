/** @file The README's example of the library as a program that prints a hash of its weights, for any implementation of WebGPU. */

const readme = Deno.readTextFileSync(new URL("../../README.md", import.meta.url));
const code = /```ts\n(import [^]*?)```/.exec(readme)![1]!;
const hash = `
const state = await method.model.parameters.state();
const all = new Blob(Array.from(state.values(), ({ values }) => values as Float32Array<ArrayBuffer>));
const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await all.arrayBuffer()));
console.log(Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join(""));
`;
console.log(code.replace("./mod.ts", new URL("../../mod.ts", import.meta.url).href) + hash);
