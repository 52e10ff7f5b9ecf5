/**
 * @file Signals that ask a task to stop: it saves, says how to go on, and ends with the signal's exit code.
 *
 * Terminals and `deno task` both send a signal on, so one key press may come several times: what comes within half a second
 * is the same request. A later one ends the process at once.
 *
 * What was started by `nohup` goes on when the terminal goes away. `deno task` does not hand on that SIGHUP was ignored: its
 * commands look for it first of all (tasks/nohup.sh), and say so with a flag.
 */

import { constants } from "node:os";

const ON_UNIX = [
  "SIGINT",
  "SIGTERM",
  // the terminal or the connection is gone
  "SIGHUP",
  // batch systems: the time is nearly over, or another job needs the machine
  "SIGUSR1",
  "SIGUSR2",
  "SIGXCPU",
] as const;
const ON_WINDOWS = ["SIGINT", "SIGBREAK", "SIGHUP"] as const;

/** Milliseconds. */
const SAME_REQUEST = 500;

/** A request to stop, once there is one. */
export interface StopRequest {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** Exit code of a process that ends by the signal that came, as shells count; undefined if none has. */
  readonly code: number | undefined;
}

/**
 * Listens to signals until the process ends.
 *
 * @param outlivesTerminal takes no notice of SIGHUP
 */
export function listenForSignals(outlivesTerminal: boolean): StopRequest {
  const abort = new AbortController();
  let code: number | undefined;
  let first = 0;
  const stop = (name: Deno.Signal) => {
    if (code === undefined) {
      code = 128 + (constants.signals[name as keyof typeof constants.signals] ?? 0);
      first = performance.now();
      abort.abort();
    } else if (performance.now() - first > SAME_REQUEST) Deno.exit(code);
  };
  for (const name of Deno.build.os === "windows" ? ON_WINDOWS : ON_UNIX) {
    Deno.addSignalListener(name, () => {
      if (name !== "SIGHUP" || !outlivesTerminal) stop(name);
    });
  }
  return {
    signal: abort.signal,
    get code() {
      return code;
    },
  };
}
