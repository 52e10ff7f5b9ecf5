/** @file Is a step the same bits when it is repeated? It is unless a kernel has a race or reads memory it has not written. */

import type { Gpu } from "../gpu/device.ts";
import type { Pacer } from "../gpu/pacer.ts";
import { type PlacedTensor, read, write } from "../tensor/tensor.ts";
import type { Method } from "./method.ts";

/** What the tensors of {@linkcode Method.lasting} are to a reader. */
const WORDS: Readonly<Record<string, string>> = {
  values: "weights",
  statistics: "running statistics",
  m: "first moments",
  v: "second moments",
  mean_values: "running mean of the weights",
  mean_statistics: "running mean of the statistics",
};

/** What a step leaves behind, by name. */
type Trace = ReadonlyMap<string, Float32Array>;

/**
 * Computes a step twice from the same state, and compares everything it leaves behind. The state is
 * put back as it was.
 *
 * @returns the name of the first tensor that differs, undefined if none does, and how many numbers were compared
 */
export async function replayStep(
  gpu: Gpu,
  method: Method,
  pacer: Pacer,
  compute: () => Promise<unknown>,
): Promise<{ different: string | undefined; compared: number }> {
  const before = await traceOf(gpu, method.lasting);
  const once = async () => {
    await compute();
    await pacer.drain();
    const trace = await traceOf(gpu, { ...method.lasting, ...resultsOf(method) });
    for (const [name, tensor] of Object.entries(method.lasting)) write(gpu, tensor, before.get(name)!);
    return trace;
  };
  const first = await once(), second = await once();
  return {
    different: firstDifference(method, first, second),
    compared: [...first.values()].reduce((sum, { length }) => sum + length, 0),
  };
}

/** What is written anew by every step. */
function resultsOf({ model: { parameters }, table, report }: Method): Record<string, PlacedTensor> {
  return { gradients: parameters.gradients, "losses": table, "gradient norm": report };
}

async function traceOf(gpu: Gpu, tensors: Record<string, PlacedTensor>): Promise<Trace> {
  const trace = new Map<string, Float32Array>();
  for (const [name, tensor] of Object.entries(tensors)) trace.set(name, await read(gpu, tensor));
  return trace;
}

/** Gradients come first, since everything else follows from them. */
function firstDifference({ model: { parameters } }: Method, first: Trace, second: Trace): string | undefined {
  for (const name of ["gradients", ...first.keys()]) {
    const [a, b] = [bitsOf(first.get(name)!), bitsOf(second.get(name)!)];
    const at = a.findIndex((word, i) => word !== b[i]);
    if (at < 0) continue;
    const owner = parameters.all.find(({ offset, storage }) => at >= offset && at < offset + storage.bytes / 4);
    return name === "gradients" && owner ? `gradient of ${owner.name}` : WORDS[name] ?? name;
  }
  return undefined;
}

function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}
