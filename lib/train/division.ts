/**
 * @file How a step's batch is divided: among ranks, and into parts that a rank computes one after the other.
 *
 * The batch of a step holds training.accumulate times data.batch_size images. Each data.batch_size of them are divided among the ranks:
 * part k of rank r is slice k ranks + r of the batch. The step is the mean over all parts, whatever their number. What depends on it is
 * batch normalisation alone: training.batch_groups says in how many groups it sees data.batch_size images, and a group is never divided.
 */

import type { RunConfig } from "../config/keys.ts";
import { ConfigError } from "../config/parse.ts";
import type { BatchPart } from "../tensor/step.ts";

/** One of several processes that train together. */
export interface Place {
  /** Number of the process, from 0. */
  readonly rank: number;
  /** Number of processes. */
  readonly ranks: number;
}

/** A batch, divided. */
export class Division {
  /** Parts of this rank, one after the other. */
  readonly accumulate: number;
  /** Images of a part. */
  readonly images: number;
  /** Images of a step. */
  readonly batch: number;
  /** Groups of a part that batch normalisation sees by themselves. */
  readonly groups: number;
  readonly #place: Place;

  /**
   * Divides a batch.
   *
   * @throws {ConfigError} if it cannot be divided evenly
   */
  constructor(
    { data: { batch_size: size }, training: { accumulate, batch_groups } }: Pick<RunConfig, "data" | "training">,
    place: Place,
  ) {
    const { ranks } = place;
    const groups = batch_groups === 0 ? ranks : batch_groups;
    if (size % groups !== 0) {
      throw new ConfigError(
        `data.batch_size is ${size}, which ${groups} ${
          batch_groups === 0 ? "ranks" : "groups (training.batch_groups)"
        } cannot divide evenly. ` +
          `Use a multiple of ${groups}`,
      );
    }
    if (groups % ranks !== 0) {
      throw new ConfigError(
        `training.batch_groups is ${groups}, which ${ranks} ranks cannot divide evenly: each normalises whole groups. Use a number of ` +
          `ranks that divides ${groups}, or another training.batch_groups for a new run`,
      );
    }
    this.#place = place;
    this.accumulate = accumulate;
    this.images = size / ranks;
    this.batch = size * accumulate;
    this.groups = groups / ranks;
  }

  /** Parts of all ranks. */
  get parts(): number {
    return this.accumulate * this.#place.ranks;
  }

  /** Which images of the batch a part of a rank holds; of this rank by default. */
  part(k: number, rank: number = this.#place.rank): BatchPart {
    return { images: this.images, of: this.batch, first: (k * this.#place.ranks + rank) * this.images };
  }

  /** The numbers of this rank's images in a batch, part by part. */
  slices(batch: Uint32Array): Uint32Array[] {
    return Array.from({ length: this.accumulate }, (_, k) => {
      const { first, images } = this.part(k);
      return batch.subarray(first, first + images);
    });
  }
}
