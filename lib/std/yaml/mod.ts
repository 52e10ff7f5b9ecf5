/**
 * parse() and stringify() of @std/yaml, on js-yaml, which @std/yaml is a port of.
 *
 * @module
 */
import yaml from "js-yaml";

interface JsYaml {
  load(content: string): unknown;
  dump(data: unknown, options: { indent?: number; lineWidth?: number; sortKeys?: boolean }): string;
}

/** Options of {@linkcode stringify}. */
export interface StringifyOptions {
  /** Spaces a level. */
  indent?: number;
  /** Longest line. */
  lineWidth?: number;
  /** Puts keys in order. */
  sortKeys?: boolean;
}

/** Parses one YAML document; throws on duplicate keys and bad syntax. */
export function parse(content: string): unknown {
  return (yaml as JsYaml).load(content);
}

/** Writes data as YAML. */
export function stringify(data: unknown, options: StringifyOptions = {}): string {
  return (yaml as JsYaml).dump(data, options);
}
