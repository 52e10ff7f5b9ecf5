/**
 * @file What every task does around its work: arguments, errors in one line, exit codes, signals.
 */

import { parseArgs } from "@std/cli/parse-args";
import { Interrupted } from "../interrupted.ts";
import { explainAnywhere } from "../disk/system_error.ts";
import { whileHeard } from "./console.ts";
import { rootProblem } from "./paths.ts";
import { listenForSignals, type StopRequest } from "./signals.ts";

/** A command line, or a setting of the environment, that cannot be used. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What a task's options are called and what they mean. */
export interface Usage {
  /** Name of the task. */
  readonly task: string;
  /** One sentence: what it does. */
  readonly summary: string;
  /** What the arguments without a name are, such as "FILE.h5"; all but those in brackets, such as "[NAME]", or "[NAME ...]" for any number, must be there. */
  readonly positional?: readonly string[];
  /** Options with a value: "name=WHAT" to what it means. */
  readonly options?: Readonly<Record<string, string>>;
  /** Options without a value. */
  readonly flags?: Readonly<Record<string, string>>;
  /** Options that may be repeated. */
  readonly repeated?: readonly string[];
  /** Options that must be there. */
  readonly required?: readonly string[];
  /** What `--help` adds at the end. */
  readonly details?: string;
}

/** Values of a command line. */
export interface Arguments {
  /** The value of an option. */
  get(name: string): string | undefined;
  /** The value of an option that must be there. */
  need(name: string): string;
  /** All values of a repeated option. */
  all(name: string): string[];
  /** True if a flag is given. */
  has(flag: string): boolean;
  /** A whole number. */
  whole(name: string, least?: number): number | undefined;
  /** Whole numbers with commas between them. */
  list(name: string): number[] | undefined;
  /** The arguments without a name. */
  readonly positional: readonly string[];
}

/** What a task gets to work with. */
export interface TaskContext {
  readonly args: Arguments;
  /** Aborted at the first Ctrl-C, or other signal that asks to stop; a task that does not ask for it has nothing to keep, and ends at once. */
  readonly signal: AbortSignal;
}

/** How a process ends that is one of several. */
export interface Ending {
  /** Whether it is this process that says what went wrong. */
  speaks(error: Error): Promise<boolean>;
  /** Leaves the others, or ends them too. */
  leave(code: number): void;
}

const ALONE: Ending = { speaks: () => Promise.resolve(true), leave: () => {} };

/**
 * Runs a task and ends the process with its exit code: 0, 1 for an error (one line on standard error), or that of the signal
 * that has stopped it, such as 130 after Ctrl-C. `--help` prints the usage; `--trace` adds the stack to an error.
 */
export async function runTask(
  usage: Usage,
  main: (context: TaskContext) => Promise<void> | void,
  ending: Ending = ALONE,
): Promise<void> {
  hideWaylandWarning();
  const stop = listenForSignals(Deno.args.includes("--nohup"));
  let code = 0;
  try {
    const problem = rootProblem();
    if (problem !== undefined) throw new UsageError(problem);
    const args = readArguments(usage, Deno.args);
    if (args) await main(contextOf(args, stop));
  } catch (error) {
    const first = firstOf(error);
    code = first instanceof Interrupted && stop.code !== undefined ? stop.code : 1;
    if (await ending.speaks(first)) whileHeard(() => console.error(explain(first, usage.task)));
    if (Deno.args.includes("--trace")) whileHeard(() => console.error(first.stack));
  }
  ending.leave(code);
  Deno.exit(code);
}

function contextOf(args: Arguments, stop: StopRequest): TaskContext {
  const end = () => Deno.exit(stop.code);
  stop.signal.addEventListener("abort", end);
  return {
    args,
    get signal() {
      stop.signal.removeEventListener("abort", end);
      return stop.signal;
    },
  };
}

/** The usage as text. */
export function formatUsage(usage: Usage): string {
  const { task, summary, positional = [], options = {}, flags = {}, required = [], repeated = [], details } = usage;
  const rows = [
    ...Object.entries(options).map(([name, meaning]) => {
      const key = name.split("=")[0]!;
      return [
        `--${name.replace("=", " ")}`,
        meaning + (required.includes(key) ? " (needed)" : repeated.includes(key) ? " (repeatable)" : ""),
      ];
    }),
    ...Object.entries(flags).map(([name, meaning]) => [`--${name}`, meaning]),
    ["--trace", "show the stack of an error"],
    ["--nohup", "go on when the terminal is gone (on Linux, nohup is seen without it)"],
    ["--help", "show this"],
  ];
  const width = Math.max(...rows.map(([left]) => left!.length));
  const command = [`deno task ${task}`, ...positional].join(" ");
  const lines = [`${command}: ${summary}`, "", ...rows.map(([left, right]) => `  ${left!.padEnd(width)}  ${right}`)];
  return [...lines, ...(details === undefined ? [] : ["", details])].join("\n");
}

function usageError({ task }: Usage, problem: string): UsageError {
  return new UsageError(`${problem}. See 'deno task ${task} --help'`);
}

/** Values by option, and the arguments without a name as they were given: parseArgs() would make numbers of some. */
function split(usage: Usage, given: readonly string[]): { values: Record<string, unknown>; positional: string[] } {
  const names = Object.keys(usage.options ?? {}).map((name) => name.split("=")[0]!);
  const flags = [...Object.keys(usage.flags ?? {}), "help", "trace", "nohup"];
  const positional: string[] = [];
  const refuse = (problem: string): never => {
    throw usageError(usage, problem);
  };
  const unknown = (arg: string, key?: string): void => {
    if (key !== undefined || usage.positional === undefined) refuse(`unknown argument "${arg}"`);
    positional.push(arg);
  };
  const end = given.includes("--") ? given.indexOf("--") : given.length;
  const named = given.slice(0, end);
  // versions of parseArgs() take --no-out=x for --out=x, --fresh=no for --fresh, and --out= for an option of that name
  for (const arg of named) {
    const [, name, value] = /^--([^=]+)(=.*)?$/s.exec(arg) ?? [];
    if (name === undefined) continue;
    if (![...names, ...flags].includes(name)) unknown(arg, name);
    if (names.includes(name) && value === "=") refuse(`--${name} needs a value`);
    if (flags.includes(name) && value !== undefined) refuse(`--${name} takes no value`);
  }
  const values = parseArgs(named, { string: names, boolean: flags, collect: [...(usage.repeated ?? [])], unknown });
  for (const arg of given.slice(end + 1)) unknown(arg);
  return { values, positional };
}

function readArguments(usage: Usage, given: readonly string[]): Arguments | undefined {
  const { values, positional } = split(usage, given);
  if (values["help"]) {
    console.log(formatUsage(usage));
    return undefined;
  }
  const get = (name: string): string | undefined => {
    const value = values[name] as string | undefined;
    if (value === "") throw usageError(usage, `--${name} needs a value`);
    return value;
  };
  const need = (name: string): string => {
    const value = get(name);
    if (value === undefined) throw usageError(usage, `--${name} is missing`);
    return value;
  };
  for (const name of usage.required ?? []) need(name);
  const wanted = usage.positional ?? [];
  const least = wanted.filter((name) => !name.startsWith("[")).length;
  const most = wanted.at(-1)?.endsWith("...]") ? Infinity : wanted.length;
  if (positional.length < least || positional.length > most) {
    const problem = positional.length < least
      ? `${wanted[positional.length]} is missing`
      : `expected ${wanted.join(" ")}: there are ${positional.length} names`;
    throw usageError(usage, problem);
  }
  const toWhole = (name: string, text: string, least: number): number => {
    const number = Number(text);
    if (text.trim() !== "" && Number.isSafeInteger(number) && number >= least) return number;
    throw new UsageError(`--${name} must be a whole number of at least ${least}: it is "${text}"`);
  };
  return {
    get,
    need,
    all: (name) => values[name] as string[],
    has: (flag) => values[flag] === true,
    whole(name, least = 0) {
      const value = get(name);
      return value === undefined ? undefined : toWhole(name, value, least);
    },
    list: (name) => get(name)?.split(",").map((text) => toWhole(name, text, 0)),
    positional,
  };
}

/** What went wrong first: what fails later, while things are closed, is of no use to anybody. */
function firstOf(error: unknown): Error {
  if (error instanceof SuppressedError) return firstOf(error.suppressed);
  return error instanceof Error ? error : new Error(String(error));
}

/** One line: what is wrong, where, and what to do. */
function explain(error: Error, task: string): string {
  if (error instanceof Deno.errors.NotCapable) {
    const path = /access to "([^"]+)"/.exec(error.message)?.[1] ?? "that";
    return `error: deno task ${task} may not use "${path}". It reads and writes only its own folders (data, configs, weights, runs, ` +
      "reports): move the file there, or point L2VIT_ROOT at the folder that holds them";
  }
  if (error instanceof Interrupted) return `${error.message}. Run the same command again to go on`;
  return `error: ${explainAnywhere(error).message.replaceAll(/\s*\n\s*/g, " ")}`;
}

/** The Vulkan loader's Wayland library complains on machines without a display unless this variable is set. */
export function hideWaylandWarning(): void {
  if (Deno.build.os === "linux" && Deno.env.get("XDG_RUNTIME_DIR") === undefined) Deno.env.set("XDG_RUNTIME_DIR", "/tmp");
}
