/** @file What the page asks its Worker (engine.ts), and what that answers. */

import type { Target } from "../data/targets.ts";
import type { AdapterFacts } from "../gpu/adapter.ts";
import type { TrainingChoice } from "./training.ts";

/** What is loaded. */
export interface Loaded {
  /** File of the jets. */
  readonly jets: string | undefined;
  /** How many they are. */
  readonly count: number;
  /** Class of each, where it is known. */
  readonly labels: Float64Array | undefined;
  /** Whether classes and masses are known, which a model can be trained on here. */
  readonly trainable: boolean;
  /** What the model predicts beside the class, and what is true, where it is known. */
  readonly targets: readonly (Target & { readonly truth: Float64Array | undefined })[];
  /** File of the weights. */
  readonly weights: string | undefined;
  /** Classes that the model tells apart. */
  readonly classes: number;
  /** What a reader has to know, a sentence each. */
  readonly remarks: readonly string[];
}

/** Predictions of consecutive events. */
export interface Rows {
  /** Number of the first. */
  readonly first: number;
  /** Class with the largest score. */
  readonly classes: Uint32Array;
  /** Probability of class 1. */
  readonly scores: Float64Array;
  /** Each target, such as the mass in GeV. */
  readonly targets: readonly Float64Array[];
}

/** Questions with what is given and answered. */
export interface Calls {
  /** Opens the adapter and loads the built-in example. */
  start: { given: undefined; answer: { readonly adapter: AdapterFacts; readonly loaded: Loaded } };
  /** Takes files of jets and of weights. */
  take: { given: readonly File[]; answer: Loaded };
  /** Predicts all events; rows come as they are computed. */
  predict: { given: undefined; answer: undefined };
  /** Every prediction as CSV, as deno task predict writes it. */
  csv: { given: undefined; answer: string };
  /** Markup of an event's channels and of what its prediction rests on. */
  explain: { given: number; answer: string };
  /** Markup of the figures of a report. */
  report: { given: undefined; answer: string };
  /** Trains; gives the weights as a file. */
  train: { given: TrainingChoice; answer: Uint8Array<ArrayBuffer> };
  /** Takes weights that were trained here. */
  use: { given: Uint8Array<ArrayBuffer>; answer: Loaded };
}

/** A message to the Worker: a question, or that one is not wanted any more. */
export type ToEngine =
  | { readonly id: number; readonly name: keyof Calls; readonly given: unknown }
  | { readonly stop: number };

/** What comes while a question is being answered. */
export interface News {
  /** What is being done, how much of it, and of how much. */
  readonly progress?: readonly [what: string, done: number, total: number];
  /** Predictions. */
  readonly rows?: Rows;
  /** A line of a training run, and its curves as markup. */
  readonly line?: string;
  readonly curves?: string;
}

/** A message from the Worker. */
export type FromEngine =
  | { readonly ready: true }
  | { readonly id: number; readonly news: News }
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: string; readonly stopped: boolean };
