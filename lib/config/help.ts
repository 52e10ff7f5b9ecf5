/** @file The keys of a configuration as text, for `--help` and for the README. */

import { KEYS } from "./keys.ts";
import { keysOf } from "./schema.ts";

/** A key in words: its name, its default, and what it means. */
export type KeyRow = readonly [name: string, initial: string, meaning: string];

/** Every key in words, with unit and source where there are any. */
export function keyRows(): KeyRow[] {
  return keysOf(KEYS).map(([name, { initial, meaning, unit, source }]) => {
    const about = [unit && `in ${unit}`, source].filter((part) => part !== undefined);
    return [name, initial === "" ? "none" : String(initial), about.length > 0 ? `${meaning} (${about.join("; ")})` : meaning];
  });
}

/** The README's table of keys. */
export function keysMarkdown(): string {
  const rows = keyRows().map(([name, initial, meaning]) => `| \`${name}\` | ${initial} | ${meaning} |`);
  return ["| key | default | meaning |", "| --- | --- | --- |", ...rows].join("\n");
}
