/** @file What a run needs to go on exactly where it was: weights, moments, and the trainer's own counters. */

import type { RunConfig } from "../config.ts";
import type { Gpu } from "../gpu/device.ts";
import { type Safetensors, type StoredTensor, storeFloats, toFloats } from "../io/safetensors.ts";
import { encodeInfo, encodeModel, readSafetensors, WeightsError } from "../nn/weights.ts";
import { type PlacedTensor, read, write } from "../tensor/tensor.ts";
import type { History, Method } from "./method.ts";

/** Where a run is. */
export interface RunState {
  /** Epochs that are complete. */
  epoch: number;
  /** Steps taken in the epoch under way. */
  stepInEpoch: number;
  /** Steps taken in all. */
  step: number;
  /** Sums of the results of the steps of the epoch under way. */
  sums: number[];
  /** Steps of the epoch under way that were skipped because a gradient was not finite. */
  skipped: number;
  /** Steps skipped one after the other up to now. */
  skippedInARow: number;
  /** Lowest validation loss so far; null before the first. */
  best: number | null;
  /** Epochs since then. */
  stale: number;
  /** Why the run is over, or null if it is not. */
  finished: string | null;
  /** Curves of the epochs so far. */
  history: History;
}

/** The state of a run that has not begun. */
export function freshState(columns: number): RunState {
  return {
    epoch: 0,
    stepInEpoch: 0,
    step: 0,
    sums: new Array(columns).fill(0),
    skipped: 0,
    skippedInARow: 0,
    best: null,
    stale: 0,
    finished: null,
    history: {},
  };
}

/** The weight file of a method's model as it is now. */
export async function encodeWeights(method: Method, state: RunState): Promise<Safetensors> {
  const { model, batchesPerStep } = method;
  const tensors = encodeModel(await model.parameters.state(), model.config, state.step * batchesPerStep);
  return { tensors, metadata: encodeInfo(method.info(state.history)) };
}

/** Everything needed to resume. */
export async function encodeResume(gpu: Gpu, method: Method, state: RunState, config: RunConfig): Promise<Safetensors> {
  const tensors = new Map<string, StoredTensor>();
  const flat: Record<string, PlacedTensor> = flatTensors(method);
  for (const [name, tensor] of Object.entries(flat)) tensors.set(name, storeFloats(tensor.shape, await read(gpu, tensor)));
  return { tensors, metadata: { format: "l2vit-resume", config: JSON.stringify(config), state: JSON.stringify(state) } };
}

/** A file written by {@linkcode encodeResume}, read but not yet applied. */
export interface Resume {
  /** Configuration of the run. */
  readonly config: RunConfig;
  /** Where the run was. */
  readonly state: RunState;
  /** Puts weights and moments back. */
  apply(gpu: Gpu, method: Method): void;
}

/**
 * Reads a resume file.
 *
 * @throws {WeightsError} if it is broken or belongs to another model
 */
export function readResume(path: string): Resume {
  const { tensors, metadata } = readSafetensors(path);
  if (metadata["format"] !== "l2vit-resume") {
    throw new WeightsError(`${path}: this is not a file to resume from. Start anew with --fresh`);
  }
  return {
    config: JSON.parse(metadata["config"]!),
    state: JSON.parse(metadata["state"]!),
    apply(gpu, method) {
      for (const [name, tensor] of Object.entries(flatTensors(method))) {
        const stored = tensors.get(name);
        if (!stored || stored.shape.join() !== tensor.shape.join()) {
          throw new WeightsError(`${path}: "${name}" does not fit the model. Start anew with --fresh`);
        }
        write(gpu, tensor, toFloats(stored));
      }
    },
  };
}

function flatTensors({ model: { parameters }, optimiser }: Method): Record<string, PlacedTensor> {
  return { values: parameters.values, statistics: parameters.statistics, m: optimiser.m, v: optimiser.v };
}
