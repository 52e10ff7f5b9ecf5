/**
 * @file What the processes that train together tell one another, as the trainer sees it; a run of one process has nobody to tell.
 */

import type { Gpu } from "../gpu/device.ts";
import type { PlacedTensor } from "../tensor/tensor.ts";
import type { Division, Place } from "./division.ts";

/** Ties processes together. Every process makes the same calls in the same order. */
export interface Exchange extends Place {
  /** Puts the means over all ranks into tensors, with the same bits on all of them. */
  mean(gpu: Gpu, tensors: readonly PlacedTensor[]): Promise<void>;
  /** Completes rows of the whole batch, (views * batch, D), of which each rank has written those of its parts. */
  join(gpu: Gpu, rows: PlacedTensor, division: Division): Promise<void>;
  /** The numbers of all ranks, one after the other. */
  gather(mine: Float32Array<ArrayBuffer>): Promise<Float32Array>;
  /** What the first rank that has something to say says; undefined if none has. */
  firstOf(text: string | undefined): Promise<string | undefined>;
  /**
   * Compares something that must be the same on all ranks.
   *
   * @throws {Error} if it differs
   */
  same(what: string, hash: () => Promise<string>): Promise<void>;
  /** Whether the run is to stop, as all ranks know it. */
  stopAsked(signal: AbortSignal | undefined): boolean;
  /** What may end work between two exchanges: nothing where the others would wait for it. */
  within(signal: AbortSignal | undefined): AbortSignal | undefined;
  /** Whether results of steps are collected now, from whether this process is ready to; the same on all ranks. */
  collects(ready: boolean): boolean;
  /** Waits for the others. */
  barrier(): Promise<void>;
  /** A text of rank 0 for all ranks. */
  broadcastText(text: string): Promise<string>;
  /** Gives all ranks what rank 0 has in tensors. */
  broadcast(gpu: Gpu, tensors: Iterable<PlacedTensor>): Promise<void>;
  /** Has rank 0 do something before the others, which wait for it. */
  inTurn<Result>(work: () => Promise<Result>): Promise<Result>;
}

/** A run of one process. */
export const ALONE: Exchange = {
  rank: 0,
  ranks: 1,
  mean: () => Promise.resolve(),
  join: () => Promise.resolve(),
  gather: (mine) => Promise.resolve(mine),
  firstOf: (text) => Promise.resolve(text),
  same: () => Promise.resolve(),
  stopAsked: (signal) => signal?.aborted ?? false,
  within: (signal) => signal,
  collects: (ready) => ready,
  barrier: () => Promise.resolve(),
  broadcastText: (text) => Promise.resolve(text),
  broadcast: () => Promise.resolve(),
  inTurn: (work) => work(),
};

/** A value of rank 0 for all ranks, by way of JSON, which has no undefined. */
export async function ofFirst<Value>(exchange: Exchange, mine: Value): Promise<Value> {
  return exchange.ranks === 1 ? mine : JSON.parse(await exchange.broadcastText(JSON.stringify(mine)));
}
