/** @file When a run is over. */

import type { RunConfig } from "../config/keys.ts";
import type { RunState } from "./checkpoint.ts";

/** What ends a run. */
export type Limits = RunConfig["training"];

/** True if no more steps may be taken. */
export function isOutOfSteps({ step }: Pick<RunState, "step">, { max_steps }: Pick<Limits, "max_steps">): boolean {
  return max_steps > 0 && step >= max_steps;
}

/** Why a run is over after an epoch, or null if it is not. */
export function whyFinished(state: Pick<RunState, "step" | "epoch" | "stale">, limits: Limits): string | null {
  const { max_steps, patience, monitor, epochs } = limits;
  if (isOutOfSteps(state, limits)) return `reached training.max_steps = ${max_steps}`;
  if (state.stale >= patience) return `no better validation ${monitor} in ${patience} epochs`;
  return state.epoch >= epochs ? "all epochs are done" : null;
}
