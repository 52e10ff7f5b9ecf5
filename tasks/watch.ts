/** @file deno task watch: curves of runs, while they are trained or afterwards. */

import { ConsoleReporter } from "../lib/cli/console.ts";
import { runTask, UsageError } from "../lib/cli/task.ts";
import { readRun, runsOf, watchPage, watchText } from "../lib/cli/watch.ts";

/** The one address that the task's permission allows. */
const ADDRESS = { hostname: "127.0.0.1", port: 7125 } as const;
/** Seconds after which a page is loaded again. */
const PAGE_SECONDS = 5;
/** Milliseconds after which the terminal is drawn again. */
const TEXT_MILLISECONDS = 2000;

const usage = {
  task: "watch",
  summary: "show curves of running or ended runs, in a browser or in the terminal",
  positional: ["RUN", "[RUN ...]"],
  flags: { "text": "draw in the terminal instead of serving a page", "once": "draw once in the terminal, and end" },
  details: "RUN is the folder of a run, or that of a study, whose members are then shown.",
};

await runTask(usage, async ({ args, signal }) => {
  const paths = args.positional;
  runsOf(paths);
  const read = () => runsOf(paths).map(readRun);
  if (args.has("text") || args.has("once")) return await draw(read, args.has("once"), signal);
  await serve(read, signal);
});

async function draw(read: () => ReturnType<typeof readRun>[], once: boolean, signal: AbortSignal): Promise<void> {
  const terminal = Deno.stdout.isTerminal();
  do {
    const { columns } = terminal ? Deno.consoleSize() : { columns: 100 };
    console.log(`${terminal && !once ? "\x1b[2J\x1b[H" : ""}${watchText(read(), columns)}`);
    if (!once) await pause(TEXT_MILLISECONDS, signal);
  } while (!once && !signal.aborted);
}

async function serve(read: () => ReturnType<typeof readRun>[], signal: AbortSignal): Promise<void> {
  const headers = { "content-type": "text/html; charset=utf-8", "refresh": String(PAGE_SECONDS), "cache-control": "no-store" };
  const answer = ({ url }: Request) => {
    return new URL(url).pathname === "/"
      ? new Response(watchPage(read()), { headers })
      : new Response("not found", { status: 404 });
  };
  const started = ({ hostname, port }: Deno.NetAddr) => new ConsoleReporter().line(`http://${hostname}:${port}/ (Ctrl-C ends it)`);
  try {
    await Deno.serve({ ...ADDRESS, signal, onListen: started }, answer).finished;
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    throw new UsageError(`port ${ADDRESS.port} is in use: another deno task watch may be running. Stop it, or use --text`);
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
