/** @file Ways to pretrain, by the name that training.method has. A new one is a file beside this one, and a line here. */

import { ConfigError } from "../config/parse.ts";
import type { RunConfig } from "../config/keys.ts";
import { activeMae } from "./active_mae.ts";
import { mae } from "./mae.ts";
import type { Objective } from "./pretraining.ts";
import { simclr } from "./simclr.ts";

/** A way to pretrain. */
export interface PretrainingMethod {
  /** What is learned, in a few words. */
  readonly summary: string;
  /**
   * Its objective.
   *
   * @throws {ConfigError} if the configuration leaves nothing to learn
   */
  readonly objective: (config: RunConfig) => Objective;
}

/** All ways to pretrain. */
export const PRETRAINING_METHODS: ReadonlyMap<string, PretrainingMethod> = new Map([
  ["simclr", { summary: "two augmented views of an image find each other among those of a batch", objective: simclr }],
  ["mae", { summary: "the pixels of hidden patches are predicted from the visible ones", objective: mae }],
  ["active_mae", { summary: "what hidden active patches hold is predicted from the visible ones", objective: activeMae }],
]);

/**
 * The objective that a configuration asks for.
 *
 * @throws {ConfigError} if there is no such method, or nothing to learn for it
 */
export function objectiveOf(config: RunConfig): Objective {
  const { method } = config.training;
  const found = PRETRAINING_METHODS.get(method);
  if (found) return found.objective(config);
  throw new ConfigError(`training.method must be one of ${[...PRETRAINING_METHODS.keys()].join(", ")}: it is "${method}"`);
}
