/** @file Weight files of any sizes, with numbers of which none hides another. */

import { assertEquals } from "@std/assert";
import { MASS } from "../../lib/data/targets.ts";
import { Random } from "../../lib/random.ts";
import { decodeSafetensors, encodeSafetensors, storeFloats, toFloats } from "../../lib/io/safetensors.ts";
import type { ModelConfig } from "../../lib/nn/config.ts";
import { shapesOf } from "../../lib/nn/linear_vit.ts";
import { encodeInfo, type WeightsInfo } from "../../lib/weights/weights_info.ts";
import type { StateDict } from "../../lib/tensor/parameters.ts";
import { sizeOf } from "../../lib/tensor/tensor.ts";

/** A small model. */
export const SMALL_MODEL: ModelConfig = {
  tokens: "all",
  lcm: "submanifold",
  ...{ in_channels: 2, img_size: 12, patch_size: 3, embed_dim: 16, depth: 1, num_heads: 2, mlp_ratio: 2, num_classes: 2 },
  ...{ dropout: 0.1, drop_path_rate: 0, lcm_kernel: 3, denominator_floor: 100, head_hidden: 0 },
};

/** Everything known of weights that were trained on nothing. */
export function infoOf(model: ModelConfig): WeightsInfo {
  return {
    model,
    targets: [{ ...MASS, mean: 142.53, std: 51.25, log: false }],
    normScale: 255,
    transform: "linear",
    trainedOn: [],
    history: {},
    assumed: [],
    untrained: [],
  };
}

/** Random weights. */
export function randomState(model: ModelConfig, seed: number): StateDict {
  const random = new Random(seed, 99);
  const state: StateDict = new Map();
  for (const [name, shape] of shapesOf(model)) {
    const fan = sizeOf(shape.slice(1)), around = /norm.*weight$|bn\.(weight|running_var)$|temperature$/.test(name) ? 1 : 0;
    const deviation = around === 1 ? 0.1 : shape.length > 1 ? 1 / Math.sqrt(fan) : 0.2;
    state.set(name, { shape, values: Float32Array.from({ length: sizeOf(shape) }, () => around + deviation * random.normal()) });
  }
  return state;
}

/** Writes a weight file. */
export function writeWeights(path: string, state: StateDict, info: WeightsInfo): void {
  const tensors = new Map([...state].map(([name, { shape, values }]) => [name, storeFloats(shape, values)]));
  Deno.writeFileSync(path, encodeSafetensors({ tensors, metadata: encodeInfo(info) }));
}

/** The largest difference of two numbers of a tensor, over all tensors of two weight files, which must have the same. */
export function largestDifference(file: Uint8Array, other: Uint8Array): number {
  const [tensors, others] = [file, other].map((bytes) => decodeSafetensors(bytes).tensors);
  assertEquals([...tensors!.keys()], [...others!.keys()]);
  return Math.max(...[...tensors!].map(([name, tensor]) => {
    if (tensor.dtype !== "F32") return 0;
    const values = toFloats(others!.get(name)!);
    return toFloats(tensor).reduce((most, value, i) => Math.max(most, Math.abs(value - values[i]!)), 0);
  }));
}
