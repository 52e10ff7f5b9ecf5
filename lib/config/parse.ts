/**
 * @file Configurations in YAML, checked key by key. An unknown key, a wrong type or a value out of range is an error that names
 * the key, what was expected and the nearest valid name.
 *
 * YAML's versions and libraries disagree on what a bare word is: 0100 is 64 or 100, `no` false or text. So the file is read
 * with every value as text, and the key says what the text means, as it does for `--set`.
 */

import { parse, stringify } from "@std/yaml";
import { shorten } from "../format.ts";
import { defaultConfig, KEYS, type RunConfig } from "./keys.ts";
import { isKey, keysOf, type Section } from "./schema.ts";
import { targetNames } from "./targets.ts";

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
  const tree = readYaml(yaml, source);
  const config = defaultConfig();
  apply(config, KEYS, tree, source, "");
  for (const override of overrides) {
    const [, path, value] = /^([\w.]+)=(.*)$/s.exec(override) ?? [];
    if (path === undefined || value === undefined) {
      throw new ConfigError(`--set ${override}: expected key=value, such as training.epochs=2`);
    }
    const nested = path.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
    apply(config, KEYS, nested, `--set ${override}`, "");
  }
  checkTogether(config, source);
  return config;
}

/** Keys and values, with every value as text; null where there is none. */
function readYaml(text: string, source: string): unknown {
  // what a tab means for the level of a key is not agreed on either
  const indent = text.search(/^ *\t[ \t]*[\w.]+:(\s|$)/m);
  if (indent >= 0) {
    throw new ConfigError(`${source}: line ${text.slice(0, indent).split("\n").length} begins with a tab: YAML takes spaces alone`);
  }
  try {
    return parse(text, { schema: "failsafe" }) ?? {};
  } catch (error) {
    throw new ConfigError(`${source}: not valid YAML: ${(error as Error).message.split("\n")[0]}`);
  }
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

/** What YAML writes for no value. */
const NOTHING: ReadonlySet<unknown> = new Set([null, "~", "null", "Null", "NULL"]);
const FLAGS: ReadonlyMap<unknown, boolean> = new Map(
  ["true", "True", "TRUE", "false", "False", "FALSE"].map((word) => [word, word.toLowerCase() === "true"]),
);
/** Octal for some, decimal for others. */
const ZEROS_IN_FRONT = /^[-+]?0[\d_]/;

/** What a text means where the default is of this type; the text itself if it means nothing, which the key then refuses. */
function meaningOf(value: unknown, type: string): unknown {
  if (type === "string") return NOTHING.has(value) ? "" : value;
  if (typeof value !== "string") return value;
  if (type === "boolean") return FLAGS.get(value) ?? value;
  // such as 12, -1.5, 3e-4, 1_000, 0x1f
  const number = Number(value.replaceAll(/(?<=\d)_(?=\d)/g, ""));
  return value.trim() === "" || !Number.isFinite(number) || ZEROS_IN_FRONT.test(value) ? value : number;
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
      apply(target[name] as Tree, entry, NOTHING.has(value) ? {} : value, source, `${prefix}${name}.`);
      continue;
    }
    const type = typeof entry.initial, meaning = meaningOf(value, type), given = entry.reads?.(meaning) ?? meaning;
    const expected = entry.refuses(given);
    if (expected !== undefined) {
      const hint = type === "number" && ZEROS_IN_FRONT.test(String(value)) ? ", without zeros in front" : "";
      const advice = type === "number" ? `, such as ${entry.initial}` : "";
      throw new ConfigError(`${source}: ${prefix}${name} must be ${expected}${hint}${advice}: it is ${show(given)}`);
    }
    target[name] = given;
  }
}

function checkTogether(
  { augment, mae, active_mae, data: { fold, folds, test_path, class_of, keys } }: RunConfig,
  source: string,
): void {
  if (folds > 0 && test_path !== "") {
    throw new ConfigError(`${source}: data.folds tests on a part of the images, and data.test_path on others: use one of them`);
  }
  if (class_of !== "" && keys.labels !== "") {
    throw new ConfigError(`${source}: data.class_of and data.keys.labels both say the classes: use one of them`);
  }
  const targets = targetNames({ keys }), twice = targets.find((name, i) => targets.indexOf(name) < i);
  if (twice !== undefined) throw new ConfigError(`${source}: data.keys.targets names "${shorten(twice)}" twice: name it once`);
  if (targets.length > 0 && keys.mass !== "") {
    throw new ConfigError(`${source}: data.keys.mass and data.keys.targets both say what is learned: use one of them`);
  }
  if (folds === 1 || fold >= Math.max(1, folds)) {
    throw new ConfigError(
      `${source}: data.fold must be less than data.folds, which is 0 or at least 2: they are ${fold} and ${folds}`,
    );
  }
  for (const [name, { decoder_embed_dim: dim, decoder_num_heads: heads }] of Object.entries({ mae, active_mae })) {
    if (dim % heads === 0) continue;
    throw new ConfigError(
      `${source}: ${name}.decoder_embed_dim must be a multiple of ${name}.decoder_num_heads: ${dim} is not a multiple of ${heads}`,
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
  if (known.includes(key)) {
    const lines = key.split(".").map((part) => `${part}:`).join(" and, indented below it, ");
    return `${source}: "${key}" is a key in a section: write ${lines}`;
  }
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
