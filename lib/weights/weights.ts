/**
 * @file Weights: a model's tensors under PyTorch's names, with what we know about them in the metadata.
 *
 * Those that PyTorch wrote have no metadata: every size is then read off the tensors' shapes.
 */

import { shorten } from "../format.ts";
import { encodeSafetensors, type Safetensors, SafetensorsError, type StoredTensor, storeFloats } from "../io/safetensors.ts";
import type { StateDict } from "../tensor/parameters.ts";
import type { ModelConfig } from "../nn/config.ts";
import { finiteFloats } from "./finite.ts";
import { HEADS, isHead } from "../nn/heads.ts";
import { shapesOf } from "../nn/linear_vit.ts";
import { decodeInfo, encodeInfo, type WeightsInfo } from "./weights_info.ts";

/** A weight file that does not fit. The message names the file, the tensor, and what to do. */
export class WeightsError extends Error {
  /** Name of the error class. */
  override readonly name = "WeightsError";
}

/** The contents of a weight file. */
export interface Weights extends WeightsInfo {
  /** Where the file is. */
  readonly path: string;
  /** The model's tensors. */
  readonly state: StateDict;
}

/** Names of an L2ViT's tensors; what has other names, such as a projection head, is no part of it. */
const OWN = new RegExp(`^(patch_embed|pos_embed|blocks|norm|${Object.keys(HEADS).join("|")})(\\.|$)`);
const COUNTER = ".num_batches_tracked";
/** True if a tensor of this name belongs to an L2ViT, if to any model. */
export function isOwn(name: string): boolean {
  return OWN.test(name);
}

/**
 * What a file's tensors and metadata are as weights: every tensor checked, once.
 *
 * @param path where they come from
 * @throws {WeightsError} if they are no L2ViT, or hold a number that is not finite
 */
export function weightsOf(path: string, { tensors, metadata }: Safetensors): Weights {
  // PyTorch's batch counters are no weights
  const own = [...tensors].filter(([name]) => isOwn(name) && !name.endsWith(COUNTER));
  try {
    const info = decodeInfo(metadata, new Map(own.map(([name, { shape }]) => [name, shape])));
    const expected = shapesOf(info.model);
    const foreign = own.find(([name]) => !expected.has(name));
    if (foreign) throw new Error(`tensor "${shorten(foreign[0])}" is no part of an L2ViT of these sizes`);
    const state: StateDict = new Map(
      own.map(([name, tensor]) => [name, { shape: tensor.shape, values: finiteFloats(name, tensor) }]),
    );
    const misfit = misfitOf(state, expected, false);
    if (misfit) throw new Error(`${misfit}. This is not an L2ViT`);
    return { path, state, ...info };
  } catch (error) {
    throw errorIn(path, error as Error);
  }
}

/** An error about what weights hold, with the name of their file; any other as it is. */
export function errorIn(path: string, error: Error): Error {
  const ofContents: unknown[] = [Error, SafetensorsError];
  return ofContents.includes(error.constructor) ? new WeightsError(`${path}: ${error.message}`) : error;
}

/** A model's tensors for a weight file; names beyond the model's own are left out. */
export function encodeModel(state: StateDict, model: ModelConfig, batches: number): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>();
  for (const name of shapesOf(model).keys()) {
    const { shape, values } = state.get(name)!;
    tensors.set(name, storeFloats(shape, values));
    if (name.endsWith(".running_var")) {
      // PyTorch's BatchNorm counts its batches; a state dict without the counter is refused by strict loading
      const bytes = new Uint8Array(BigInt64Array.of(BigInt(batches)).buffer);
      tensors.set(name.replace(/\.running_var$/, COUNTER), { dtype: "I64", shape: [], bytes });
    }
  }
  return tensors;
}

/**
 * A weight file that {@linkcode readWeights} and PyTorch read.
 *
 * @param batches how many each batch normalisation has seen, which PyTorch counts
 */
export function encodeWeights(weights: Weights, batches = 0): Uint8Array<ArrayBuffer> {
  return encodeSafetensors({ tensors: encodeModel(weights.state, weights.model, batches), metadata: encodeInfo(weights) });
}

/**
 * Checks that weights fit a model, and leaves out the heads if asked to.
 *
 * @param heads false takes the backbone alone
 * @throws {WeightsError} naming the first tensor that does not fit
 */
export function fitWeights({ path, state }: Pick<Weights, "path" | "state">, model: ModelConfig, heads: boolean): StateDict {
  const expected = shapesOf(model);
  if (heads && ![...state.keys()].some(isHead)) {
    throw new WeightsError(`${path}: it holds a backbone without heads. Train them with deno task finetune --pretrained`);
  }
  const misfit = misfitOf(state, expected, heads);
  const keys = misfit?.includes('"reg_head') ? "data.keys.targets and the keys under model" : "the keys under model";
  if (misfit) throw new WeightsError(`${path}: ${misfit}. Make ${keys} agree with the file`);
  return new Map([...expected.keys()].filter((name) => heads || !isHead(name)).map((name) => [name, state.get(name)!]));
}

/** What is wrong with the first tensor that does not fit, if there is one. */
function misfitOf(state: StateDict, expected: ReadonlyMap<string, readonly number[]>, heads: boolean): string | undefined {
  for (const [name, shape] of expected) {
    if (!heads && isHead(name)) continue;
    const found = state.get(name)?.shape;
    if (!found) return `tensor "${name}" is missing`;
    if (found.join() !== shape.join()) {
      return `tensor "${name}" has shape (${found.join(", ")}), and the model needs (${shape.join(", ")})`;
    }
  }
  return undefined;
}
