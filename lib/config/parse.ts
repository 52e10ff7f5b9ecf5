/**
 * @file Configurations in YAML, checked key by key. An unknown key, a wrong type or a value out of range is an error that names
 * the key, what was expected and the nearest valid name.
 */

import { parse, stringify } from "@std/yaml";
import { shorten } from "../format.ts";
import { defaultConfig, KEYS, type RunConfig } from "./keys.ts";
import { isKey, keysOf, type Section } from "./schema.ts";

/** A configuration that cannot be used. */
export class ConfigError extends Error {
  /** Name of the error class. */
  override readonly name = "ConfigError";
}

/** Values by key, as they are filled in. */
type Tree = Record<string, unknown>;

/**
 * Reads a configuration and applies overrides.
 *
 * @param yaml text of the file
 * @param source name of the file, for messages
 * @param overrides such as "training.epochs=2", later ones win
 * @throws {ConfigError} naming the key, what was expected and the nearest valid name
 */
export function parseConfig(yaml: string, source: string, overrides: readonly string[] = []): RunConfig {
  let tree: unknown;
  try {
    tree = parse(yaml) ?? {};
  } catch (error) {
    throw new ConfigError(`${source}: not valid YAML: ${(error as Error).message.split("\n")[0]}`);
  }
  const config = defaultConfig();
  apply(config, KEYS, tree, source, "");
  for (const override of overrides) {
    const [, path, value] = /^([\w.]+)=(.*)$/s.exec(override) ?? [];
    if (path === undefined || value === undefined) {
      throw new ConfigError(`--set ${override}: expected key=value, such as training.epochs=2`);
    }
    const nested = path.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), scalar(value));
    apply(config, KEYS, nested, `--set ${override}`, "");
  }
  checkTogether(config, source);
  return config;
}

/** A configuration as YAML. */
export function formatConfig(config: RunConfig): string {
  return stringify(config as Tree);
}

/** The keys of two configurations whose values differ, as "key: a -> b". */
export function differences(a: RunConfig, b: RunConfig, ignored: readonly string[] = []): string[] {
  return keysOf(KEYS).flatMap(([name]) => {
    const [left, right] = [valueAt(a, name), valueAt(b, name)];
    return left === right || ignored.includes(name) ? [] : [`${name}: ${left} -> ${right}`];
  });
}

function valueAt(config: RunConfig, name: string): unknown {
  return name.split(".").reduce<unknown>((inner, key) => (inner as Tree)[key], config);
}

/** A value on the command line: numbers and booleans as in YAML, anything else as text. */
function scalar(value: string): unknown {
  if (value === "true" || value === "false") return value === "true";
  return value.trim() !== "" && Number.isFinite(Number(value)) ? Number(value) : value;
}

function apply(target: Tree, section: Section, tree: unknown, source: string, prefix: string): void {
  if (typeof tree !== "object" || tree === null || Array.isArray(tree)) {
    const what = prefix ? `"${prefix.slice(0, -1)}"` : "the file";
    throw new ConfigError(`${source}: ${what} must hold keys and values: it is ${show(tree)}`);
  }
  for (const [name, value] of Object.entries(tree)) {
    const entry = Object.hasOwn(section, name) ? section[name]! : undefined;
    if (!entry) throw new ConfigError(unknownKey(source, prefix + name));
    if (!isKey(entry)) {
      // a section without keys is null in YAML
      apply(target[name] as Tree, entry, value ?? {}, source, `${prefix}${name}.`);
      continue;
    }
    // and so is an empty text
    const given = value === null && typeof entry.initial === "string" ? "" : value;
    const expected = entry.refuses(given);
    if (expected !== undefined) throw new ConfigError(`${source}: ${prefix}${name} must be ${expected}: it is ${show(given)}`);
    target[name] = given;
  }
}

function checkTogether({ augment, mae }: RunConfig, source: string): void {
  if (mae.decoder_embed_dim % mae.decoder_num_heads !== 0) {
    throw new ConfigError(
      `${source}: mae.decoder_embed_dim must be a multiple of mae.decoder_num_heads: ` +
        `${mae.decoder_embed_dim} is not a multiple of ${mae.decoder_num_heads}`,
    );
  }
  if (augment.drop_channels_min > augment.drop_channels_max) {
    throw new ConfigError(
      `${source}: augment.drop_channels_min must not exceed augment.drop_channels_max: ` +
        `${augment.drop_channels_min} is more than ${augment.drop_channels_max}`,
    );
  }
}

/** A value in few words; YAML can make some that contain themselves. */
function show(value: unknown): string {
  if (value === undefined) return "missing";
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "keys and values";
  return shorten(JSON.stringify(value) ?? String(value));
}

function unknownKey(source: string, key: string): string {
  const known = keysOf(KEYS).map(([name]) => name);
  const sections = known.flatMap((name) => name.split(".").slice(0, -1).map((_, i, parts) => parts.slice(0, i + 1).join(".")));
  const nearest = [...new Set([...known, ...sections])].toSorted((a, b) => distance(key, a) - distance(key, b))[0]!;
  return `${source}: unknown key "${shorten(key)}". Did you mean "${nearest}"?`;
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
