/** @file A kernel launch as operations record it, and how it can be cut. */

import type { Dispatch } from "../gpu/dispatch.ts";
import type { Tensor } from "./tensor.ts";

/** How a launch can be cut, if tensors are larger than the adapter binds at once. */
export interface LaunchSplit {
  /** Equal units that lie one after the other, such as images. */
  readonly units: number;
  /** Names of the bindings that consist of so many units; the others are bound whole. */
  readonly cut: readonly string[];
  /** What differs for a part, of which the first has index 0. */
  readonly part: (
    first: number,
    count: number,
    index: number,
  ) => Pick<Launch, "workgroups"> & Partial<Pick<Launch, "dims" | "turns">>;
}

/** A kernel launch as operations record it. */
export interface Launch extends Omit<Dispatch, "bindings" | "label"> {
  /** Tensor for each binding, by the name in the kernel's file. */
  readonly bindings: Readonly<Record<string, Tensor>>;
  /** Layer or tensor it works for; that of the scope by default. */
  readonly label?: string;
  /** True if it changes what outlives the step. */
  readonly commit?: boolean;
  /** How it can be cut; else it is refused if a tensor is too large to be bound. */
  readonly split?: LaunchSplit;
}
