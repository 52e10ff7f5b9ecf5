/** @file Which datasets a configuration learns numbers from. */

import type { RunConfig } from "./keys.ts";

/** Datasets of data.keys.targets, in their order, without slashes at their start; none if the mass is learned, as published. */
export function targetNames({ keys }: Pick<RunConfig["data"], "keys">): string[] {
  return keys.targets.split(",").map((name) => name.trim().replace(/^\/+/, "")).filter((name) => name !== "");
}
