/**
 * parseArgs() of @std/cli with the options that this project uses, on Deno's own node:util.
 *
 * @module
 */
import { parseArgs as nodeParseArgs } from "node:util";

/** How arguments are read. */
export interface ParseOptions {
  /** Options with a text value. */
  string?: readonly string[];
  /** Options without a value. */
  boolean?: readonly string[];
  /** Options that may be repeated: all values are kept. */
  collect?: readonly string[];
  /** Called for each argument that is not declared; false leaves it out. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** Values by option name; "_" holds the other arguments. */
export interface Args {
  // deno-lint-ignore no-explicit-any
  [name: string]: any;
  _: (string | number)[];
}

/** Reads command-line arguments. Booleans that are not given are false. */
export function parseArgs(args: readonly string[], options: ParseOptions = {}): Args {
  const { string = [], boolean = [], collect = [], unknown } = options;
  const result: Args = { _: [] };
  for (const name of boolean) result[name] = false;
  for (const name of collect) result[name] = [];
  const { tokens } = nodeParseArgs({
    args: [...args],
    options: Object.fromEntries([
      ...string.map((name) => [name, { type: "string" as const }]),
      ...boolean.map((name) => [name, { type: "boolean" as const }]),
    ]),
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  for (const token of tokens) {
    if (token.kind === "positional") {
      if (unknown?.(token.value) !== false) result._.push(token.value);
    } else if (token.kind === "option") {
      const { name, rawName, value } = token;
      if (boolean.includes(name)) result[name] = value === undefined || value === "true";
      else if (collect.includes(name)) result[name].push(value ?? "");
      else if (string.includes(name)) result[name] = value ?? "";
      else if (unknown?.(rawName, name, value) !== false) result[name] = value ?? true;
    }
  }
  return result;
}
