/**
 * @file Where data, packed data, weights, runs and reports are.
 *
 * They lie beside deno.json unless the environment variable L2VIT_ROOT names another folder, which ends in a
 * slash. The permissions in deno.json's tasks are for the same places.
 */

import { UsageError } from "./task.ts";

const FOLDERS = ["data", "cache", "weights", "runs", "reports"];

/**
 * The path under which a file is opened.
 *
 * @param path as the user or a config gives it, such as "data/jets.h5"
 * @throws {UsageError} if L2VIT_ROOT does not end in a slash
 */
export function rooted(path: string): string {
  const root = Deno.env.get("L2VIT_ROOT") ?? "";
  if (root !== "" && !root.endsWith("/")) {
    throw new UsageError(`L2VIT_ROOT must end in a slash: it is "${root}". Use L2VIT_ROOT="${root}/"`);
  }
  const first = path.replace(/^\.\//, "").split("/")[0]!;
  return root !== "" && FOLDERS.includes(first) ? root + path.replace(/^\.\//, "") : path;
}
