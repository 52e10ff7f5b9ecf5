/**
 * @file How a configuration is declared: each key once, with its default, what it means and what it may be.
 *
 * The type of a configuration follows from its declaration ({@linkcode ConfigOf}), and so do its defaults, its checks and its
 * documentation: a key that is used and not declared does not compile, and there is no second list to keep in step.
 */

/** A declared key. */
export interface Key<Value extends string | number | boolean> {
  /** Value where none is given. */
  readonly initial: Value;
  /** What it means, for help and README. */
  readonly meaning: string;
  /** Unit of the value, if it has one. */
  readonly unit?: string;
  /** Where the idea comes from, such as "arXiv:2002.05709". */
  readonly source?: string;
  /** Text for what YAML has as a list or as keys and values; such a value is refused without. */
  readonly reads?: (value: unknown) => unknown;
  /** Says what a value is not ("a whole number", "at least 1"); undefined if it may be. */
  readonly refuses: (value: unknown) => string | undefined;
}

/** Keys by name, in sections. */
export interface Section {
  /** A key, or a section of its own. */
  readonly [name: string]: Key<string> | Key<number> | Key<boolean> | Section;
}

/** The configuration that a section declares. */
export type ConfigOf<Declared> = {
  -readonly [Name in keyof Declared]: Declared[Name] extends Key<infer Value> ? Value : ConfigOf<Declared[Name]>;
};

/** What is said about a key beside its default and meaning. */
export type About = Partial<Pick<Key<string>, "unit" | "source">>;

/** True for a key, false for a section. */
export function isKey(entry: Section[string]): entry is Key<string> | Key<number> | Key<boolean> {
  return typeof entry["refuses"] === "function";
}

/** A key that takes any text. */
export function text(initial: string, meaning: string, about: About = {}): Key<string> {
  return { initial, meaning, ...about, refuses: (value) => typeof value === "string" ? undefined : "text" };
}

/** A key that takes paths: one text, or a list, which becomes a text with commas. */
export function paths(initial: string, meaning: string, about: About = {}): Key<string> {
  return list(initial, meaning, about, "a path or a list of paths");
}

/** A key that takes names of datasets, in the same way. */
export function datasets(meaning: string, about: About = {}): Key<string> {
  return list("", meaning, about, "a name or a list of names");
}

function list(initial: string, meaning: string, about: About, expected: string): Key<string> {
  const reads = (value: unknown) => {
    const list = Array.isArray(value)
      ? value
      : typeof value === "string"
      ? /^\[([^\[\]]*,[^\[\]]*)\]$/.exec(value)?.[1]?.split(",")
      : undefined;
    return list?.every((item) => typeof item === "string" && item.trim() !== "")
      ? list.map((item) => item.trim()).join(",")
      : value;
  };
  return { ...text(initial, meaning, about), reads, refuses: (value) => typeof value === "string" ? undefined : expected };
}

/** A key that takes a whole number for each of some patterns of names, as "qcd*.h5: 0, top*.h5: 1". */
export function numbersByPattern(meaning: string, about: About = {}): Key<string> {
  const reads = (value: unknown) => {
    if (typeof value === "string") {
      const pairs = value.replace(/^\s*\{(.*)\}\s*$/s, "$1").split(",");
      return pairs.map((pair) => pair.trim().replace(/^(["'])(.*)\1\s*:/, "$2:")).join(", ");
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    return Object.entries(value).map(([pattern, number]) => `${pattern}: ${number}`).join(", ");
  };
  const refuses = (value: unknown) => {
    const isPair = (pair: string) => /^[^:]*[^:\s][^:]*:\s*\d+\s*$/.test(pair);
    return typeof value === "string" && (value === "" || value.split(",").every(isPair))
      ? undefined
      : "a class for each pattern, such as {qcd*.h5: 0, top*.h5: 1}";
  };
  return { initial: "", meaning, ...about, reads, refuses };
}

/** A key that takes one of some words, the first by default. */
export function oneOf<Word extends string>(words: readonly [Word, ...Word[]], meaning: string, about: About = {}): Key<Word> {
  const refuses = (value: unknown) => {
    if (typeof value !== "string") return "text";
    return words.some((word) => word === value) ? undefined : `one of ${words.join(", ")}`;
  };
  return { initial: words[0], meaning, ...about, refuses };
}

/** A key that is true or false. */
export function flag(initial: boolean, meaning: string, about: About = {}): Key<boolean> {
  return { initial, meaning, ...about, refuses: (value) => typeof value === "boolean" ? undefined : "true or false" };
}

/** Smallest and largest value of a number, and what is said about it. */
export type NumberAbout = About & { readonly least?: number; readonly most?: number };

/** A key that takes a whole number, from 1 if nothing else is said. */
export function whole(initial: number, meaning: string, { least = 1, most = 2 ** 31, ...about }: NumberAbout = {}): Key<number> {
  const refuses = (value: unknown) => Number.isInteger(value) ? outside(value as number, least, most) : "a whole number";
  return { initial, meaning, ...about, refuses };
}

/** Largest number of 32 bits, and the smallest above 0 that every adapter keeps: kernels compute with such. */
const MOST_FLOAT32 = 3.4028234663852886e38, LEAST_FLOAT32 = 1.1754943508222875e-38;

/** A key that takes a number, from 0 if nothing else is said, as far as 32 bits can hold it. */
export function real(
  initial: number,
  meaning: string,
  { least = 0, most = MOST_FLOAT32, ...about }: NumberAbout = {},
): Key<number> {
  const refuses = (value: unknown) => {
    if (typeof value !== "number" || !Number.isFinite(value)) return "a number";
    if (value > 0 && value < LEAST_FLOAT32 && least === 0) return `0 or at least ${LEAST_FLOAT32}`;
    return outside(value, least, most);
  };
  return { initial, meaning, ...about, refuses };
}

function outside(value: number, least: number, most: number): string | undefined {
  return value < least ? `at least ${short(least)}` : value > most ? `at most ${short(most)}` : undefined;
}

/** A limit as people write it: 1e15, not sixteen digits. */
function short(limit: number): string {
  const [plain, exponential] = [String(limit), limit.toExponential().replace("+", "")];
  return Math.abs(limit) >= 1e6 && exponential.length < plain.length ? exponential : plain;
}

/** Every key with its default. */
export function defaultsOf<Declared extends Section>(section: Declared): ConfigOf<Declared> {
  const fill = (of: Section): Record<string, unknown> =>
    Object.fromEntries(Object.entries(of).map(([name, entry]) => [name, isKey(entry) ? entry.initial : fill(entry)]));
  // the type follows from the declaration, as the values do
  return fill(section) as ConfigOf<Declared>;
}

/** All keys under their full names, such as "data.keys.images". */
export function keysOf(section: Section, prefix = ""): [name: string, key: Key<string> | Key<number> | Key<boolean>][] {
  return Object.entries(section).flatMap(([name, entry]) =>
    isKey(entry) ? [[prefix + name, entry]] : keysOf(entry, `${prefix}${name}.`)
  );
}
