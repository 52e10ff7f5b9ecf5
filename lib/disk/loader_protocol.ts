/** @file The messages between loader.ts and its Worker. */

import type { EmptyImages } from "../data/empty.ts";
import type { Encoding, PackedBatch } from "../data/entries.ts";
import type { JetNames, JetPart, JetScalar } from "../data/jets.ts";
import type { DataPart } from "./data_files.ts";

/** What the Worker can be asked for. */
export interface Requests {
  open: {
    given: { path: string; parts: readonly DataPart[]; names: JetNames };
    answer: {
      count: number;
      channels: number;
      size: number;
      has: JetScalar[];
      units: ReadonlyMap<string, string>;
      parts: readonly JetPart[];
    };
  };
  scalars: { given: JetScalar; answer: Float64Array };
  pack: {
    given: string;
    answer: { encoding: Encoding; words: number; mostPerImage: number; empty: EmptyImages; remarks: string[] };
  };
  checks: { given: undefined; answer: Uint32Array };
  batch: { given: ArrayLike<number>; answer: PackedBatch };
}

/** A message to the Worker. */
export interface Question {
  readonly id: number;
  readonly name: keyof Requests;
  readonly given: unknown;
}

/** A message from the Worker. */
export type Answer =
  | { readonly ready: true }
  | { readonly progress: [done: number, total: number] }
  | { readonly notice: string }
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: { name: string; message: string; stack: string | undefined } };
