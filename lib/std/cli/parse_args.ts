/**
 * parseArgs() of @std/cli with the options that this project uses.
 *
 * @module
 */

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
  [name: string]: unknown;
  _: (string | number)[];
}

/**
 * Reads command-line arguments. Booleans that are not given are false. A value stands after "=", or is the next argument if that
 * has no dash in front; an option without one is "".
 */
export function parseArgs(args: readonly string[], options: ParseOptions = {}): Args {
  const { string = [], boolean = [], collect = [], unknown } = options;
  const result: Args = { _: [] };
  for (const name of boolean) result[name] = false;
  for (const name of collect) result[name] = [];
  const set = (arg: string, name: string, value: string | boolean): void => {
    if (collect.includes(name)) (result[name] as unknown[]).push(value);
    else if (string.includes(name) || boolean.includes(name) || unknown?.(arg, name, value) !== false) result[name] = value;
  };
  const end = args.indexOf("--");
  const named = end < 0 ? args : args.slice(0, end);
  for (let i = 0; i < named.length; i++) {
    const arg = named[i]!, next = named[i + 1];
    const [, dashes, name, value] = /^(--?)(.+?)(?:=(.*))?$/s.exec(arg) ?? [];
    if (name === undefined) {
      if (unknown?.(arg) !== false) result._.push(arg);
    } else if (dashes === "-") set(arg, name[0]!, true);
    else if (value !== undefined) set(arg, name, boolean.includes(name) ? value !== "false" : value);
    else if (next && !next.startsWith("-") && !boolean.includes(name)) set(arg, name, named[++i]!);
    else if (next === "true" || next === "false") set(arg, name, named[++i] === "true");
    else set(arg, name, string.includes(name) ? "" : true);
  }
  if (end >= 0) result._.push(...args.slice(end + 1));
  return result;
}
