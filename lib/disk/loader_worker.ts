/**
 * @file The Worker of loader.ts: opens a data file, packs it, and reads batches while the main thread waits
 * for the adapter.
 */

/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />

import type { Jets } from "../data/jets.ts";
import { openJetSet } from "./data_files.ts";
import { findEmpty, remarksOn } from "../data/empty.ts";
import type { Answer, Question, Requests } from "./loader_protocol.ts";
import { openPacked } from "./pack_file.ts";
import { packInMemory } from "../data/pack_memory.ts";
import type { PackedImages } from "../data/packed.ts";
import type { PackedStore } from "./packed_store.ts";

declare const self: DedicatedWorkerGlobalScope;

let file: Jets | undefined;
let source: PackedImages | PackedStore | undefined;

const handlers: { [Name in keyof Requests]: (given: Requests[Name]["given"]) => Promise<Requests[Name]["answer"]> } = {
  async open({ path, parts, names }) {
    file = await openJetSet(path, parts, names);
    const { count, channels, size } = file, targets = names.targets?.split(",") ?? [];
    const quantities = ["labels", "mass", "pt", "weight", ...targets.map((name) => `target ${name}` as const)] as const;
    const units = targets.flatMap((name): [string, string][] => {
      const unit = file!.unitOf(`target ${name}`);
      return unit === undefined ? [] : [[name, unit]];
    });
    return {
      count,
      channels,
      size,
      parts: file.parts,
      has: quantities.filter((quantity) => file!.has(quantity)),
      units: new Map(units),
    };
  },
  scalars: (quantity) => Promise.resolve(file!.readScalars(quantity)),
  async pack(folder) {
    const progress = (done: number, total: number) => self.postMessage({ progress: [done, total] } satisfies Answer);
    const notice = (line: string) => self.postMessage({ notice: line } satisfies Answer);
    source = folder === "" ? await packInMemory(file!, progress) : await openPacked(file!, folder, progress, notice);
    const empty = findEmpty(source, file!.fills), remarks = remarksOn(file!, empty, file!.count);
    file![Symbol.dispose]();
    const { encoding, words, mostPerImage } = source;
    return { encoding, words, mostPerImage, empty, remarks };
  },
  checks: () => source!.checks(),
  batch: (images) => source!.batch(images),
};

self.onmessage = async ({ data: { id, name, given } }: MessageEvent<Question>) => {
  try {
    // one handler, one kind of question: the types of a pair agree, which the compiler cannot see
    const answer = await (handlers[name] as (given: unknown) => Promise<unknown>)(given);
    const transfer = name === "batch" ? Object.values(answer as object).map(({ buffer }) => buffer as ArrayBuffer) : [];
    self.postMessage({ id, answer } satisfies Answer, transfer);
  } catch (error) {
    const { name, message, stack } = error as Error;
    self.postMessage({ id, error: { name, message, stack } } satisfies Answer);
  }
};

// messages that come before the handler is set are lost: the other side waits for this one
self.postMessage({ ready: true } satisfies Answer);
