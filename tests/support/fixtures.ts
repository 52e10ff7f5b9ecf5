/** @file Golden values written by the PyTorch reference. */

import { MASS } from "../../lib/data/targets.ts";
import type { ImageSize } from "../../lib/data/packed.ts";
import { decodeSafetensors, type StoredTensor, toFloats } from "../../lib/io/safetensors.ts";
import type { ModelConfig } from "../../lib/nn/config.ts";
import type { Weights } from "../../lib/weights/weights.ts";
import type { StateDict } from "../../lib/tensor/parameters.ts";

const FOLDER = new URL("../fixtures/", import.meta.url);

/** Sizes that the golden values exist for. */
export const CASES = ["tiny", "floor_active", "wide_kernel", "odd_sizes"] as const;
/** The same of models on active tokens. */
export const ACTIVE_CASES = ["submanifold", "wide", "odd_submanifold", "odd_wide"] as const;

/** Arrays and facts of one golden case. */
export class Fixture {
  readonly #tensors: Map<string, StoredTensor>;
  // deno-lint-ignore no-explicit-any
  readonly facts: any;

  constructor(name: string) {
    this.#tensors = decodeSafetensors(Deno.readFileSync(new URL(`${name}.safetensors`, FOLDER))).tensors;
    this.facts = JSON.parse(Deno.readTextFileSync(new URL(`${name}.json`, FOLDER)));
  }

  /** The model of the case, without dropout. */
  get config(): ModelConfig {
    const { lcm_wide: wide, ...config } = this.facts.config;
    const tokens = wide === undefined ? "all" : "active", lcm = wide ? "wide" : "submanifold";
    return { dropout: 0, drop_path_rate: 0, head_hidden: 0, tokens, lcm, ...config };
  }

  shape(name: string): readonly number[] {
    return this.#tensors.get(name)!.shape;
  }

  floats(name: string): Float32Array {
    const tensor = this.#tensors.get(name);
    if (!tensor) throw new Error(`no array "${name}"`);
    return toFloats(tensor);
  }

  integers(name: string): Uint32Array {
    return Uint32Array.from(this.floats(name));
  }

  /** All arrays whose names begin with the prefix, which is replaced. */
  state(prefix: string, replacement = ""): StateDict {
    return new Map(
      [...this.#tensors].filter(([name]) => name.startsWith(prefix)).map(([name, tensor]) => {
        return [replacement + name.slice(prefix.length), { shape: tensor.shape, values: toFloats(tensor) }];
      }),
    );
  }
}

/** A golden model as a weight file holds it, and its images. */
export interface WeightsCase {
  readonly weights: Weights;
  /** (images, size, size, channels). */
  readonly pixels: Float32Array;
  readonly size: ImageSize;
}

/** The model and the images of a golden case. */
export function weightsCase(name: string): WeightsCase {
  const fixture = new Fixture(`finetune_${name}`);
  const { in_channels: channels, img_size: size } = fixture.config;
  const known = {
    model: fixture.config,
    targets: [{ ...MASS, mean: 100, std: 7.5, log: false }],
    normScale: 1,
    transform: "linear" as const,
    trainedOn: [],
    history: {},
    assumed: [],
    untrained: [],
  };
  return {
    weights: { path: "fixture", state: fixture.state("weight."), ...known },
    pixels: channelsLast(fixture.floats("input"), fixture.shape("input")),
    size: { channels, size },
  };
}

/**
 * ||actual - expected|| / ||expected||, infinite if a value is not finite.
 *
 * @param floor smallest denominator, for a reference that is zero but for rounding
 */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>, floor = 1e-30): number {
  if (actual.length !== expected.length) return Infinity;
  let difference = 0, norm = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i]! - expected[i]!) ** 2;
    norm += expected[i]! ** 2;
  }
  const error = Math.sqrt(difference) / Math.max(Math.sqrt(norm), floor);
  return Number.isFinite(error) ? error : Infinity;
}

/** Throws if a tensor is off by more than the tolerance, naming it. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  what: string,
  tolerance = 1e-4,
  floor = 1e-30,
): void {
  const error = relativeError(actual, expected, floor);
  if (!(error <= tolerance)) {
    throw new Error(`${what} is off by ${error.toExponential(2)} relative to the reference (allowed: ${tolerance})`);
  }
}

/**
 * Checks every named array of a state against the reference. An array that cancels to zero in exact arithmetic
 * (a bias before a normalisation) is compared on one hundredth of the scale of the largest array.
 */
export function assertStateClose(actual: StateDict, expected: StateDict, what: string, tolerance = 1e-4): void {
  const norms = [...expected.values()].map(({ values }) => Math.hypot(...values));
  const floor = 1e-2 * Math.max(...norms);
  for (const [name, { values }] of expected) {
    const found = actual.get(name);
    if (!found) throw new Error(`${what}: "${name}" is missing`);
    const cancels = Math.hypot(...values) < 1e-12;
    assertClose(found.values, values, `${what} "${name}"`, tolerance, cancels ? floor : undefined);
  }
}

/** (B, C, S, S) images as (B, S, S, C). */
export function channelsLast(images: Float32Array, shape: readonly number[]): Float32Array {
  const [, channels, size] = shape as [number, number, number];
  const pixels = size * size;
  return images.map((_, i) => {
    const image = Math.floor(i / (channels * pixels)), pixel = Math.floor(i / channels) % pixels, channel = i % channels;
    return images[(image * channels + channel) * pixels + pixel]!;
  });
}
