/**
 * @file Weights of files: ours, and those of PyTorch and Hugging Face, where the model has to be found, and what is known of it may lie
 * beside.
 */

import type { Safetensors } from "../io/safetensors.ts";
import type { ByteSource } from "../io/source.ts";
import { decodeWeightFile, WeightFileError } from "../io/weight_file.ts";
import { factsOf } from "./checkpoint_facts.ts";
import { findModel } from "./find_model.ts";
import { factsOfConfig } from "./pretrained_config.ts";
import { errorIn, type Weights, WeightsError, weightsOf } from "./weights.ts";

/** Bytes of a model's tensors: this many times those of the file, where tensors share numbers, and so many more. */
const MOST_COPIES = 4, MOST_BYTES = 64 * 2 ** 20;

/** A weight file as it is read. */
export interface WeightSource {
  /** What it is called in messages. */
  readonly path: string;
  /** What it holds: a .safetensors file, or a checkpoint of PyTorch (.pt). */
  readonly bytes: ByteSource;
  /** Text of the config.json that lies beside it. */
  readonly config?: string | undefined;
}

/**
 * Reads a weight file.
 *
 * @throws {WeightsError} if it is broken, no L2ViT, or holds a number that is not finite
 */
export function decodeWeights(source: WeightSource): Weights {
  return weightsOf(source.path, decodeTensors(source));
}

/**
 * Reads the model's tensors of a weight file, and what the file says about them.
 *
 * @param key which model of a file with several
 * @throws {WeightsError} naming the file
 */
export function decodeTensors({ path, bytes: source, config }: WeightSource, key?: string): Safetensors {
  try {
    const file = decodeWeightFile(source);
    const model = findModel(file, key);
    const bytes = [...model.tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (bytes > MOST_COPIES * file.size + MOST_BYTES) throw new Error("its tensors take many times the bytes of the file");
    const tensors = new Map([...model.tensors].map(([name, tensor]) => [name, tensor.dense()]));
    const beside = config === undefined ? {} : factsOfConfig(config, model);
    return { tensors, metadata: { ...beside, ...factsOf(file, model), ...file.metadata } };
  } catch (error) {
    throw error instanceof WeightFileError ? new WeightsError(`${path}: ${error.message}`) : errorIn(path, error as Error);
  }
}
