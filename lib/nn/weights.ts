/**
 * @file Weight files: a model's tensors under PyTorch's names, with what we know about them in the metadata.
 *
 * Files that PyTorch wrote have no metadata: every size is then read off the tensors' shapes.
 */

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
import { type ModelConfig, PUBLISHED_MODEL } from "./config.ts";
import { isHead, shapesOf } from "./linear_vit.ts";

/** A weight file that does not fit. The message names the file, the tensor, and what to do. */
export class WeightsError extends Error {
  /** Name of the error class. */
  override readonly name = "WeightsError";
}

/** What a weight file says about itself beside its tensors. */
export interface WeightsInfo {
  /** Model that the tensors belong to. */
  readonly model: ModelConfig;
  /** The mass head's output is in units of massStd around massMean (GeV). */
  readonly massMean: number;
  /** Deviation of the masses trained on, in GeV. */
  readonly massStd: number;
  /** Images are divided by it. */
  readonly normScale: number;
  /** Curves of the training run, by name. */
  readonly history: Readonly<Record<string, readonly number[]>>;
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

/**
 * Reads a weight file.
 *
 * @param path a .safetensors file, or a checkpoint of PyTorch (.pt)
 * @throws {WeightsError} if it is missing, broken, or no L2ViT
 */
export function readWeights(path: string): Weights {
  const { tensors, metadata } = readTensors(path);
  const state = modelState(tensors);
  try {
    const model = inferModel(new Map([...state].map(([name, { shape }]) => [name, shape])), metadata["model"]);
    return {
      path,
      state,
      model,
      massMean: numberOf(metadata, "mass_mean", 0),
      massStd: numberOf(metadata, "mass_std", 1),
      normScale: numberOf(metadata, "norm_scale", 255),
      history: historyOf(metadata["history"] ?? "{}"),
    };
  } catch (error) {
    throw new WeightsError(`${path}: ${(error as Error).message}`);
  }
}

function numberOf(metadata: Safetensors["metadata"], key: string, absent: number): number {
  const value = Number(metadata[key] ?? absent);
  if (!Number.isFinite(value)) {
    throw new Error(`its metadata say ${key} = ${JSON.stringify(metadata[key]!.slice(0, 40))}, which is no number`);
  }
  return value;
}

function historyOf(text: string): Record<string, number[]> {
  const history: unknown = JSON.parse(text);
  if (!isHistory(history)) throw new Error("its metadata hold no training curves under history");
  return history;
}

/** True for curves by name. */
export function isHistory(value: unknown): value is Record<string, number[]> {
  return isRecord(value) && Object.values(value).every(isNumbers);
}

/** True for a list of numbers. */
export function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => typeof item === "number");
}

/** True for values by name. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
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

/** Metadata of a weight file. */
export function encodeInfo({ model, massMean, massStd, normScale, history }: WeightsInfo): Record<string, string> {
  return {
    format: "l2vit",
    model: JSON.stringify(model),
    mass_mean: String(massMean),
    mass_std: String(massStd),
    norm_scale: String(normScale),
    history: JSON.stringify(history),
  };
}

/**
 * Checks that weights fit a model, and leaves out the heads if asked to.
 *
 * @param heads false takes the backbone alone
 * @throws {WeightsError} naming the first tensor that does not fit
 */
export function fitWeights({ path, state }: Pick<Weights, "path" | "state">, model: ModelConfig, heads: boolean): StateDict {
  const expected = shapesOf(model);
  const fitted: StateDict = new Map();
  for (const [name, shape] of expected) {
    if (!heads && isHead(name)) continue;
    const found = state.get(name);
    if (!found) {
      throw new WeightsError(`${path}: tensor "${name}" is missing. The file must hold the model that the config describes`);
    }
    if (found.shape.join() !== shape.join()) {
      throw new WeightsError(
        `${path}: tensor "${name}" has shape (${found.shape.join(", ")}) and the config's model needs (${shape.join(", ")}). ` +
          "Make the keys under model agree with the file",
      );
    }
    fitted.set(name, found);
  }
  return fitted;
}

/** Model tensors as floats; PyTorch's batch counters, and optimiser state, are left out. */
function modelState(tensors: ReadonlyMap<string, StoredTensor>): StateDict {
  return new Map(
    [...tensors].filter(([name]) => !name.endsWith(COUNTER)).map(([name, tensor]) => {
      return [name, { shape: tensor.shape, values: toFloats(tensor) }];
    }),
  );
}

/**
 * A model's sizes from its tensors' shapes; rates and the denominator floor from the metadata or the defaults.
 *
 * @param shapes shape of each tensor by name
 * @param metadata the configuration as JSON, if the file has one
 * @throws {Error} naming the first tensor that is missing or misshapen
 */
export function inferModel(shapes: ReadonlyMap<string, readonly number[]>, metadata?: string): ModelConfig {
  const shape = (name: string, axes: number): number[] => {
    const found = shapes.get(name);
    if (!found) throw new Error(`tensor "${name}" is missing. This is not an L2ViT`);
    if (found.length !== axes) throw new Error(`tensor "${name}" has ${found.length} axes, not ${axes}. This is not an L2ViT`);
    return [...found];
  };
  const [embed_dim, in_channels, patch_size] = shape("patch_embed.proj.weight", 4) as [number, number, number];
  const [, tokens] = shape("pos_embed", 3) as [number, number];
  const grid = Math.round(Math.sqrt(tokens));
  if (grid * grid !== tokens) throw new Error(`tensor "pos_embed" has ${tokens} tokens, which is no square grid`);
  const depth = 1 + Math.max(...[...shapes.keys()].map((name) => Number(/^blocks\.(\d+)\./.exec(name)?.[1] ?? -1)));
  if (depth === 0) throw new Error("there are no blocks. This is not an L2ViT");
  const [num_heads] = shape("blocks.0.attn.temperature", 3) as [number];
  const [hidden] = shape("blocks.0.mlp.fc1.weight", 2) as [number];
  const [, , lcm_kernel] = shape("blocks.0.lcm.conv1.weight", 4) as [number, number, number];
  const deep = shapes.has("cls_head.0.weight");
  const head = deep ? "cls_head.2.weight" : "cls_head.weight";
  // a backbone alone has no heads
  const num_classes = shapes.has(head) ? shape(head, 2)[0]! : PUBLISHED_MODEL.num_classes;
  const head_hidden = deep ? shape("cls_head.0.weight", 2)[0]! : 0;
  const known: Partial<ModelConfig> = metadata === undefined ? {} : JSON.parse(metadata);
  const { dropout, drop_path_rate, denominator_floor } = { ...PUBLISHED_MODEL, ...known };
  return {
    in_channels,
    img_size: known.img_size !== undefined && Math.floor(known.img_size / patch_size) === grid ? known.img_size : grid * patch_size,
    patch_size,
    embed_dim,
    depth,
    num_heads,
    mlp_ratio: hidden / embed_dim,
    num_classes,
    dropout,
    drop_path_rate,
    lcm_kernel,
    denominator_floor,
    head_hidden,
  };
}
