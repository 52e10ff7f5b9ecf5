/**
 * parse() and stringify() of @std/yaml, on js-yaml, which @std/yaml is a port of.
 *
 * @module
 */
// by its whole name: deno check reads this file without `links` too, where it belongs to no package with names of its own
// deno-lint-ignore no-import-prefix
import yaml from "npm:js-yaml@4.1.1";

interface JsYaml {
  load(content: string, options: { schema: unknown }): unknown;
  dump(data: unknown): string;
  FAILSAFE_SCHEMA: unknown;
}
const { load, dump, FAILSAFE_SCHEMA } = yaml as JsYaml;

/** Options of {@linkcode parse}. */
export interface ParseOptions {
  /** Scalars are text. Other schemas are not offered: the two libraries take some numbers differently. */
  schema: "failsafe";
}

/** Parses one YAML document, null if it is empty; throws on duplicate keys and bad syntax. */
export function parse(content: string, _options: ParseOptions): unknown {
  return load(content, { schema: FAILSAFE_SCHEMA }) ?? null;
}

/** Writes data as YAML. */
export function stringify(data: unknown): string {
  return dump(data);
}
