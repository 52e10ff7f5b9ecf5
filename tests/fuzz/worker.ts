/** @file Fuzzes in a Worker, so that a file which never ends can be told from outside. */

/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />

import { fuzz, type FuzzReport } from "./fuzz.ts";
import { targets } from "./targets.ts";

declare const self: DedicatedWorkerGlobalScope;

/** What the Worker is asked. */
export interface FuzzOrder {
  readonly target: string;
  readonly seed: number;
  /** Numbers of the files. */
  readonly first: number;
  readonly last: number;
  readonly folder: string;
}

/** What it answers. */
export type FuzzAnswer = { readonly report: FuzzReport } | { readonly failure: string };

self.onmessage = async ({ data: { target: name, first, last, seed, folder } }: MessageEvent<FuzzOrder>) => {
  const answer = (value: FuzzAnswer) => self.postMessage(value);
  try {
    const target = (await targets(folder)).find((candidate) => candidate.name === name)!;
    answer({ report: await fuzz(target, first, last, seed, folder) });
  } catch (error) {
    answer({ failure: (error as Error).message });
  }
};

self.postMessage("ready");
