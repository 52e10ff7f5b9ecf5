/**
 * @file A kernel launch as operations record it: once, for any range of what its tensors consist of.
 *
 * Pieces of a whole have these names, here and in kernels:
 *
 * - **units** are what a tensor consists of along its first axis, such as images: equal, and one after the other;
 * - a **range** of units is what one launch computes: all of them, unless a tensor is larger than the adapter binds at once;
 * - **segments** are what a long sum is cut into, so that many invocations compute it; **partials** are their sums, which another
 *   launch adds in order.
 */

import type { Dispatch } from "../gpu/dispatch.ts";
import type { Tensor, Tokens } from "./tensor.ts";

/** Tensors by the names of bindings in the kernel's file. */
export type Bindings = Readonly<Record<string, Tensor>>;

/** Units that a launch computes. */
export interface Range {
  /** Units before them. */
  readonly first: number;
  /** How many they are. */
  readonly count: number;
  /** Ranges before this one. */
  readonly index: number;
}

/** What it takes to compute a range. */
export type Extent = Pick<Dispatch, "workgroups" | "dims" | "turns">;

/** A kernel launch as operations record it. */
export interface Launch extends Pick<Dispatch, "kernel" | "entry"> {
  /** Layer or tensor it works for; that of the scope by default. */
  readonly label?: string;
  /** Values for the file's const declarations. */
  readonly constants?: Dispatch["constants"];
  /** Tensors that are bound whole. */
  readonly bindings?: Bindings;
  /** How many units the tensors consist of that are bound range by range; 1 by default, which is never cut. */
  readonly units?: number;
  /** Those tensors. */
  readonly cut?: Bindings;
  /** The active tokens that it works on, if not those of a tensor that it binds; null: on none. */
  readonly tokens?: Tokens | null | undefined;
  /** What a range takes. */
  readonly extent: (range: Range) => Extent;
  /** True if it changes what outlives the step. */
  readonly commit?: boolean;
}
