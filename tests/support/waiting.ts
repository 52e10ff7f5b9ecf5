/** @file Waits for what another process does. */

import { setTimeout as delay } from "node:timers/promises";
import type { Workspace } from "./tasks.ts";

export { delay };

/** Waits until a process has brought something about; false if it ended before. */
export async function until(process: Deno.ChildProcess, isSo: () => boolean): Promise<boolean> {
  let ended = false;
  process.status.then(() => ended = true);
  while (!isSo()) {
    if (ended) return false;
    await delay(5);
  }
  return true;
}

/** Epochs whose metrics a run has written. */
export function epochsOf(workspace: Workspace, run: string): number {
  try {
    return new TextDecoder().decode(workspace.read(`runs/${run}/metrics.jsonl`)).split("\n").length - 1;
  } catch {
    return 0;
  }
}
