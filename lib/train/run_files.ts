/** @file What a run writes and reads again, wherever it is kept: in a folder (lib/disk/run_folder.ts), or in a page's memory. */

import type { RunConfig } from "../config/keys.ts";
import type { Safetensors } from "../io/safetensors.ts";
import type { EventPicture } from "../io/tensorboard.ts";

/** The files of a run, by names that are paths where there is a disk. */
export interface RunFiles {
  /** Where they all are. */
  readonly path: string;
  /** Weights with the lowest validation loss. */
  readonly best: string;
  /** Weights as they are now. */
  readonly latest: string;
  /** Weights after an epoch, counted from 1: of those that are kept beside the best ones. */
  epoch(epoch: number): string;
  /** Removes the weights of all other epochs. */
  removeEpochsBut(kept: readonly number[]): void;
  /** State to resume from. */
  readonly resume: string;
  /** What a file holds; undefined if there is none. */
  read(name: string): Uint8Array | undefined;
  /**
   * Writes a weight file, complete or not at all.
   *
   * @param check looks at what was written before it replaces an older file
   */
  save(name: string, contents: Safetensors, check?: (written: Uint8Array) => Promise<void>): Promise<void>;
  /** Writes the configuration, every key. */
  writeConfig(config: RunConfig): void;
  /** Adds a line to the metrics. */
  appendMetrics(values: Record<string, number>): void;
  /** Adds an epoch's numbers and pictures to a file that TensorBoard reads. */
  appendEvents(values: Record<string, number> & { readonly step: number }, pictures: readonly EventPicture[]): void;
  /** Drops lines of epochs beyond the one a run resumes from. */
  trimMetrics(epochs: number): void;
}
