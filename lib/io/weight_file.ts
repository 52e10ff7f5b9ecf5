/** @file Files of weights, of whichever format: what they hold by path, or what else they are. */

import { formatBytes } from "../format.ts";
import { fileKind } from "./file_kind.ts";
import { PickleError } from "./pickle_values.ts";
import { decodeSafetensors, isSafetensors, SafetensorsError } from "./safetensors.ts";
import { type ByteSource, readStart } from "./source.ts";
import { TensorView } from "./tensor_view.ts";
import { decodeTorch, isTorch, type TorchContents, TorchError } from "./torch.ts";

/** A file that holds no weights, or holds them in a way that cannot be read. The message does not name the file. */
export class WeightFileError extends Error {
  /** Name of the error class. */
  override readonly name = "WeightFileError";
}

/** What a file of weights holds; of safetensors, tensors and metadata alone. */
export interface WeightFile extends TorchContents {
  /** Text by key. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Bytes of the file. */
  readonly size: number;
}

/** More than any array may have here, and than any checkpoint needs. */
const MOST_BYTES = 2 ** 32;
/** Bytes that a kind of file is known by. */
const START = 512;
/** What torch.save wrote before version 1.6 begins with this number, as a pickle. */
const LEGACY_MAGIC = Uint8Array.of(0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19);
const NOTHING_ELSE = { aliases: new Map<string, string>(), modules: new Map<string, string>() };
const WANTED = "Weights are a .safetensors file, or a .pt file of torch.save";

/**
 * Reads a file of weights.
 *
 * @throws {WeightFileError} saying what the file is or what is wrong with it
 */
export function decodeWeightFile(file: ByteSource): WeightFile {
  const { size } = file, start = readStart(file, START);
  const isZip = isTorch(start);
  if (!isZip && !isSafetensors(start)) throw new WeightFileError(describeOther(start));
  if (size > MOST_BYTES) throw new WeightFileError(`it has ${formatBytes(size)}, many times what an L2ViT and its optimiser take`);
  const bytes = readStart(file);
  try {
    if (isZip) return { ...decodeTorch(bytes), metadata: {}, size };
    const { tensors, metadata } = decodeSafetensors(bytes);
    return {
      leaves: new Map([...tensors].map(([name, tensor]) => [name, TensorView.of(tensor)])),
      metadata,
      size,
      ...NOTHING_ELSE,
    };
  } catch (error) {
    if (error instanceof PickleError) throw new WeightFileError(error.message);
    if (error instanceof TorchError) throw new WeightFileError(`not a PyTorch checkpoint that can be read: ${error.message}`);
    if (error instanceof SafetensorsError) throw new WeightFileError(`not a valid safetensors file. ${error.message}`);
    throw error;
  }
}

function describeOther(start: Uint8Array): string {
  if (isLegacy(start)) {
    return "this is PyTorch's format from before version 1.6. Write it anew in Python: torch.save(torch.load(FILE), NEW)";
  }
  const kind = fileKind(start);
  return `this is ${kind ?? "neither a safetensors file nor a checkpoint of PyTorch"}. ${WANTED}`;
}

function isLegacy(start: Uint8Array): boolean {
  const magic = LEGACY_MAGIC.toHex();
  return start[0] === 0x80 && start.subarray(0, 64).toHex().includes(magic);
}
