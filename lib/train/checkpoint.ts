/** @file What a run needs to go on exactly where it was: weights, moments, and the trainer's own counters. */

import type { RunConfig } from "../config/keys.ts";
import { parseConfig } from "../config/parse.ts";
import { sha256 } from "../data/fingerprint.ts";
import { parseTrainedOn, type TrainedOn } from "../data/provenance.ts";
import { shorten } from "../format.ts";
import type { Gpu } from "../gpu/device.ts";
import { fileKind } from "../io/file_kind.ts";
import { decodeSafetensors, isSafetensors, type Safetensors, type StoredTensor, storeFloats, toFloats } from "../io/safetensors.ts";
import { isRecord } from "../io/json.ts";
import { type History, readCurve, readHistory } from "../weights/history.ts";
import { encodeModel } from "../weights/weights.ts";
import { encodeTargets } from "../weights/target_info.ts";
import { encodeInfo } from "../weights/weights_info.ts";
import { read, write } from "../tensor/tensor.ts";
import type { Method } from "./method.ts";
import { parseTuning, type Tuning, tuningOf } from "./tuning.ts";

const FORMAT = "l2vit-resume";
/**
 * Raised when the meaning of a file changes, and when the same steps end in other bits, such as those of a sum in another order: a run
 * that goes on is the run that was never cut. Files without a number are of version 1.
 */
export const CHECKPOINT_VERSION = 4;

/** A file to resume from that is not as it was written, or of a program that does things differently. */
export class UnusableCheckpoint extends Error {
  /** Name of the error class. */
  override readonly name = "UnusableCheckpoint";
}

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
  /** Sum of the gradient's norms over the steps of the epoch under way that were not skipped. */
  norms: number;
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
    norms: 0,
    skipped: 0,
    skippedInARow: 0,
    best: null,
    stale: 0,
    finished: null,
    history: {},
  };
}

/** The weight file of a method's model as it is now. */
export async function encodeWeights(
  method: Method,
  { state, trainedOn }: RunProgress,
): Promise<Safetensors> {
  const { model, batchesPerStep } = method;
  const weights = await method.withMean(() => model.parameters.state());
  const tensors = encodeModel(weights, model.config, state.step * batchesPerStep);
  return { tensors, metadata: encodeInfo({ ...method.info(state.history), trainedOn }) };
}

/** Everything needed to resume, with the hash of it all. */
export async function encodeResume(
  gpu: Gpu,
  method: Method,
  { state, trainedOn }: RunProgress,
  config: RunConfig,
): Promise<Safetensors> {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, tensor] of Object.entries(method.lasting)) {
    tensors.set(name, storeFloats(tensor.shape, await read(gpu, tensor)));
  }
  const { mass_log: _, ...scales } = encodeTargets(method.info(state.history).targets, { mean: true, std: true });
  const metadata = {
    format: FORMAT,
    version: String(CHECKPOINT_VERSION),
    config: JSON.stringify(config),
    state: JSON.stringify(state),
    tuning: JSON.stringify(tuningOf(gpu)),
    trained_on: JSON.stringify(trainedOn),
    ...scales,
  };
  return { tensors, metadata: { ...metadata, sha256: await hashOfResume({ tensors, metadata }) } };
}

/** SHA-256 over metadata, names, shapes and contents of a resume file, the hash itself left out. */
export function hashOfResume({ tensors, metadata }: Safetensors): Promise<string> {
  const { config, state, tuning, version, sha256: _, ...others } = metadata;
  const first = [config, state, tuning].filter((text) => text !== undefined);
  const hashed: (string | Uint8Array<ArrayBuffer>)[] = [JSON.stringify([...first, version, Object.entries(others).sort()])];
  for (const name of [...tensors.keys()].sort()) {
    const { dtype, shape, bytes } = tensors.get(name)!;
    hashed.push(JSON.stringify([name, dtype, shape]), bytes as Uint8Array<ArrayBuffer>);
  }
  return sha256(...hashed);
}

/**
 * Reads the bytes of a resume file and compares its hash.
 *
 * @throws {UnusableCheckpoint} if they are not what was written
 */
async function decodeChecked(bytes: Uint8Array, path: string): Promise<Safetensors> {
  if (!isSafetensors(bytes)) {
    throw new UnusableCheckpoint(`${path} is not a file to resume from: it is ${fileKind(bytes) ?? "of no known format"}`);
  }
  let contents: Safetensors;
  try {
    contents = decodeSafetensors(bytes);
  } catch (error) {
    throw new UnusableCheckpoint(`${path} is damaged: ${(error as Error).message}`);
  }
  const { format, version = "1" } = contents.metadata;
  if (format !== FORMAT) throw new UnusableCheckpoint(`${path} is not a file to resume from`);
  if (Number(version) > CHECKPOINT_VERSION) {
    throw new UnusableCheckpoint(
      `${path} is of version ${shorten(version)}, and this program knows those up to ${CHECKPOINT_VERSION}: use a newer program`,
    );
  }
  if (Number(version) !== CHECKPOINT_VERSION) {
    throw new UnusableCheckpoint(
      `${path} is of version ${
        shorten(version)
      }, and this program, of version ${CHECKPOINT_VERSION}, adds up in another order: the run would end ` +
        "in other bits. Start anew with --fresh, or let the program end it that began it; its weight files hold for both",
    );
  }
  if (contents.metadata["sha256"] !== await hashOfResume(contents)) {
    throw new UnusableCheckpoint(`${path} is damaged: its contents do not have the hash that was written with them`);
  }
  return contents;
}

/** Looks at a resume file that has just been written. */
export function verifyResume(path: string): (written: Uint8Array) => Promise<void> {
  return async (written) => void await decodeChecked(written, path);
}

/** Where a run is, and what its weights were trained on, the run's own data last. */
export interface RunProgress {
  /** Counters and curves. */
  readonly state: RunState;
  /** All data that had a part in the weights. */
  readonly trainedOn: readonly TrainedOn[];
}

/** A file written by {@linkcode encodeResume}, read but not yet applied. */
export interface Resume extends RunProgress {
  /** Configuration of the run. */
  readonly config: RunConfig;
  /** Variants of kernels that it uses; none before there was a choice. */
  readonly tuning: Tuning | undefined;
  /** Puts weights and moments back. */
  apply(gpu: Gpu, method: Method): void;
}

/**
 * Reads the bytes of a resume file.
 *
 * @param path where they are from
 * @throws {UnusableCheckpoint} if it is none, not as it was written, or of another version of the program
 */
export async function decodeResume(bytes: Uint8Array, path: string): Promise<Resume> {
  const { tensors, metadata } = await decodeChecked(bytes, path);
  return {
    ...parseProgress(metadata, path),
    apply(gpu, method) {
      for (const [name, tensor] of Object.entries(method.lasting)) {
        const stored = tensors.get(name);
        if (!stored || stored.shape.join() !== tensor.shape.join()) {
          throw new UnusableCheckpoint(`${path}: "${name}" does not fit the model. Start anew with --fresh`);
        }
        write(gpu, tensor, toFloats(stored));
      }
    },
  };
}

function parseProgress(metadata: Safetensors["metadata"], path: string): Omit<Resume, "apply"> {
  const { state, tuning, trained_on: trainedOn } = metadata;
  const config = configOf(metadata, path);
  try {
    return {
      config,
      state: checkState(JSON.parse(state ?? "")),
      tuning: parseTuning(tuning),
      trainedOn: parseTrainedOn(trainedOn),
    };
  } catch (error) {
    throw new UnusableCheckpoint(`${path} is damaged: ${(error as Error).message}`);
  }
}

/** The configuration of a run. The file is as it was written: one that does not fit is of another version of this program. */
function configOf({ config }: Safetensors["metadata"], path: string): RunConfig {
  try {
    // JSON is YAML
    return parseConfig(config ?? "", path);
  } catch (error) {
    throw new UnusableCheckpoint(
      `${(error as Error).message}: the run is of another version of this program, which knows other keys`,
    );
  }
}

function checkState(state: unknown): RunState {
  if (isRecord(state)) {
    const { epoch, stepInEpoch, step, norms, skipped, skippedInARow, stale, best, finished } = state;
    const sums = readCurve(state["sums"]), history = readHistory(state["history"]);
    const right = [epoch, stepInEpoch, step, skipped, skippedInARow, stale].every(isCount) && sums && history &&
      typeof norms === "number" && (best === null || Number.isFinite(best)) && (finished === null || typeof finished === "string");
    if (right) return { ...state, sums, history } as RunState;
  }
  throw new Error("it does not say where the run was");
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
