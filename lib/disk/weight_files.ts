/** @file Weight files on a disk, with what lies beside them. */

import { dirname } from "node:path";
import type { Safetensors } from "../io/safetensors.ts";
import { decodeWeightFile, type WeightFile, WeightFileError } from "../io/weight_file.ts";
import { decodeTensors, decodeWeights, type WeightSource } from "../weights/file_weights.ts";
import { type Weights, WeightsError } from "../weights/weights.ts";
import { openSource } from "./files.ts";

/** Names that save_pretrained() gives to weights; beside a file of another name, the configuration may be any model's. */
const PRETRAINED = /(^|[\\/])(model\.safetensors|pytorch_model\.bin)$/;

/**
 * Reads a weight file.
 *
 * @param path a .safetensors file, or a checkpoint of PyTorch (.pt)
 * @throws {WeightsError} if it is missing, broken, no L2ViT, or holds a number that is not finite
 */
export function readWeights(path: string): Weights {
  return opened(path, decodeWeights);
}

/**
 * Reads the model's tensors of a weight file, and what the file says about them.
 *
 * @param key which model of a file with several
 * @throws {WeightsError} naming the file
 */
export function readTensors(path: string, key?: string): Safetensors {
  return opened(path, (source) => decodeTensors(source, key));
}

/**
 * Reads all that a file of weights holds.
 *
 * @throws {WeightFileError} saying what the file is or what is wrong with it
 */
export function readWeightFile(path: string): WeightFile {
  using bytes = open(path);
  return decodeWeightFile(bytes);
}

function opened<Result>(path: string, read: (source: WeightSource) => Result): Result {
  let bytes: WeightSource["bytes"];
  try {
    bytes = open(path);
  } catch (error) {
    throw error instanceof WeightFileError ? new WeightsError(`${path}: ${error.message}`) : error;
  }
  using _ = bytes;
  return read({ path, bytes, config: PRETRAINED.test(path) ? configBeside(path) : undefined });
}

function open(path: string): WeightSource["bytes"] {
  try {
    return openSource(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new WeightFileError("there is no such file. Train first, or check the path");
    throw error;
  }
}

/** The configuration beside weights; none if there is none, or if it may not be read. */
function configBeside(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(`${dirname(path)}/config.json`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}
