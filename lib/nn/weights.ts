/**
 * @file Weight files: a model's tensors under PyTorch's names, with what we know about them in the metadata.
 *
 * Files that PyTorch wrote have no metadata: every size is then read off the tensors' shapes.
 */

import { shorten } from "../format.ts";
import { decodeTorch, isTorch, type TorchContents, TorchError } from "../io/torch.ts";
import {
  decodeSafetensors,
  type Safetensors,
  SafetensorsError,
  type StoredTensor,
  storeFloats,
  toFloats,
} from "../io/safetensors.ts";
import type { StateDict } from "../tensor/parameters.ts";
import type { ModelConfig } from "./config.ts";
import { finiteFloats } from "./finite.ts";
import { isHead, shapesOf } from "./linear_vit.ts";
import { decodeInfo, type WeightsInfo } from "./weights_info.ts";

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

const COUNTER = ".num_batches_tracked";
/** A tensor that every L2ViT has. */
const MARKER = "patch_embed.proj.weight";
/** Names of an L2ViT's tensors; what has other names, such as a projection head, is left out. */
const OWN = /^(patch_embed|pos_embed|blocks|norm|cls_head|reg_head)(\.|$)/;

/**
 * Reads a weight file.
 *
 * @param path a .safetensors file, or a checkpoint of PyTorch (.pt)
 * @throws {WeightsError} if it is missing, broken, no L2ViT, or holds a number that is not finite
 */
export function readWeights(path: string): Weights {
  return weightsOf(path, readTensors(path));
}

/**
 * What a file's tensors and metadata are as weights: every tensor checked, once.
 *
 * @param path where they come from
 * @throws {WeightsError} if they are no L2ViT, or hold a number that is not finite
 */
export function weightsOf(path: string, { tensors, metadata }: Safetensors): Weights {
  // PyTorch's batch counters are no weights
  const own = [...tensors].filter(([name]) => OWN.test(name) && !name.endsWith(COUNTER));
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
    throw new WeightsError(`${path}: ${(error as Error).message}`);
  }
}

/**
 * Reads the tensors of a weight file: of a PyTorch checkpoint, those of the model in it.
 *
 * @param key which part of a checkpoint with several models
 * @throws {WeightsError} naming the file
 */
export function readTensors(path: string, key?: string): Safetensors {
  const file = readFile(path);
  // a pickle of protocol 2 by itself
  if (file[0] === 0x80 && file[1] === 2) {
    throw new WeightsError(
      `${path}: this is PyTorch's format from before version 1.6. Load it there and save it again with torch.save`,
    );
  }
  if (!isTorch(file)) return decodeNamed(path, file);
  try {
    const contents = decodeTorch(file);
    return { tensors: modelOf(contents.tensors, key), metadata: metadataOf(contents) };
  } catch (error) {
    if (error instanceof TorchError) throw new WeightsError(`${path}: not a PyTorch checkpoint that can be read: ${error.message}`);
    throw error;
  }
}

/** Reads a safetensors file, with errors that name it. */
export function readSafetensors(path: string): Safetensors {
  return decodeNamed(path, readFile(path));
}

function decodeNamed(path: string, file: Uint8Array): Safetensors {
  try {
    return decodeSafetensors(file);
  } catch (error) {
    if (error instanceof SafetensorsError) throw new WeightsError(`${path}: not a valid safetensors file. ${error.message}`);
    throw error;
  }
}

/**
 * The tensors of the model in a checkpoint that may hold more, such as an optimiser's, under the model's own names.
 *
 * @throws {TorchError} if there is no model, or more than one and the key does not say which
 */
function modelOf(tensors: ReadonlyMap<string, StoredTensor>, key: string | undefined): Map<string, StoredTensor> {
  const prefixes = [...tensors.keys()].filter((name) => name.endsWith(MARKER)).map((name) => name.slice(0, -MARKER.length));
  const keyed = prefixes.map((prefix) => ({ prefix, name: prefix.replace(/[/.]$/, "") }))
    .filter(({ name }) => key === undefined || name === key);
  const [found, another] = keyed;
  if (!found) throw new TorchError(`there is no tensor "${key === undefined ? "" : `${key}/`}${MARKER}" in it`);
  if (another) {
    const names = keyed.map(({ name }) => name).join(", ");
    throw new TorchError(`it holds several models (${names}). Take one out with deno task convert --key`);
  }
  const { prefix } = found;
  return new Map(
    [...tensors].filter(([name]) => name.startsWith(prefix)).map(([name, tensor]) => [name.slice(prefix.length), tensor]),
  );
}

/** What a checkpoint says beside its tensors, under the names that training files of the PyTorch project have. */
function metadataOf({ tensors, numbers }: TorchContents): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const key of ["mass_mean", "mass_std"]) {
    const stored = tensors.get(key);
    const value = numbers.get(key) ?? (stored?.shape.length === 0 ? toFloats(stored)[0] : undefined);
    if (typeof value === "number") metadata[key] = String(value);
  }
  const curves = [...numbers].filter(([name, values]) => /^history\/\w+$/.test(name) && Array.isArray(values));
  if (curves.length > 0) {
    metadata["history"] = JSON.stringify(Object.fromEntries(curves.map(([name, values]) => [name.slice(8), values])));
  }
  return metadata;
}

function readFile(path: string): Uint8Array {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new WeightsError(`${path}: there is no such file. Train first, or check the path`);
    }
    if (error instanceof Deno.errors.IsADirectory) {
      throw new WeightsError(`${path}: this is a folder; name the weight file in it`);
    }
    throw error;
  }
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
  if (misfit) throw new WeightsError(`${path}: ${misfit}. Make the keys under model agree with the file`);
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
