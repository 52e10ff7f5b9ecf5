/** @file What decides which weights are best, and when to stop: a measure of the validation images, and which way it gets better. */

import type { RunConfig } from "../config/keys.ts";
import { ConfigError } from "../config/parse.ts";
import { falls } from "../eval/measures.ts";
import type { History } from "../weights/history.ts";

/** True for measures of every epoch of which less is better; all others rise. */
function isFalling(measure: string): boolean {
  return /^(loss$|mae($|_))/.test(measure) || falls(measure);
}

/** True if a value of a measure is better than another; any is better than none. */
export function isBetter(measure: string, value: number, than: number | null): boolean {
  return than === null || (isFalling(measure) ? value < than : value > than);
}

/**
 * Checks that training.monitor names a measure.
 *
 * @param known measures of the validation images
 * @throws {ConfigError} naming them
 */
export function checkMonitor({ training: { monitor } }: Pick<RunConfig, "training">, known: readonly string[]): void {
  if (known.includes(monitor)) return;
  throw new ConfigError(`training.monitor must be one of ${known.join(", ")}: it is "${monitor}"`);
}

/** Numbers of the best epochs so far, the best one first, the earlier one of equals first; counted from 1. */
export function bestEpochs(history: History, measure: string, count: number): number[] {
  const values = history[`val_${measure}`] ?? [];
  const order = values.map((_, i) => i).sort((a, b) => {
    return isBetter(measure, values[a]!, values[b]!) ? -1 : isBetter(measure, values[b]!, values[a]!) ? 1 : a - b;
  });
  return order.slice(0, count).map((i) => i + 1);
}
