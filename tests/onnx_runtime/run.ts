/**
 * @file Runs models in ONNX Runtime, compiled to WebAssembly: a program of its own, for the test of deno task export alone.
 *
 *     deno run --allow-read=DIR --config deno.json run.ts JOBS.json
 *
 * JOBS.json is a list of { model, images, shape }: an ONNX file, raw 32-bit floats, and the sizes of their axes. Prints the outputs
 * of each by name, in this order, as one line of JSON.
 *
 * The version is the oldest that Deno runs; CMSSW 13_1 to 14_0 have the same.
 */

import ort from "onnxruntime-web";

ort.env.wasm.numThreads = 1;
const jobs = JSON.parse(Deno.readTextFileSync(Deno.args[0]!)) as { model: string; images: string; shape: number[] }[];
const results: Record<string, { dims: readonly number[]; data: number[] }>[] = [];
for (const { model, images, shape } of jobs) {
  const session = await ort.InferenceSession.create(Deno.readFileSync(model), { executionProviders: ["wasm"] });
  const values = new Float32Array(Deno.readFileSync(images).buffer);
  const outputs = await session.run({ images: new ort.Tensor("float32", values, shape) });
  const list = session.outputNames.map((name) => {
    const { dims, data } = outputs[name]!;
    return [name, { dims, data: Array.from(data as Float32Array) }] as const;
  });
  results.push(Object.fromEntries(list));
}
console.log(JSON.stringify(results));
