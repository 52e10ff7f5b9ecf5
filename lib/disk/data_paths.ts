/**
 * @file Which files a path in a configuration or on a command line means: one, several with commas between them, or those whose names
 * fit a pattern, as in a shell.
 *
 * `*` stands for any characters of a name, `?` for one, `[ab]` and `[0-9]` for one of some, `{a,b}` for each of some words. Files of a pattern are
 * in the order of their characters' codes, as a shell sorts them with LC_ALL=C. A name that begins with a dot has to be asked for.
 */

import { DataError } from "../data/errors.ts";
import { listed } from "../format.ts";
import type { DataPart } from "./data_files.ts";
import { exists } from "./files.ts";

const PATTERN = /[*?[]/;

/**
 * The files that a path means, in the order in which they are named.
 *
 * @param rooted where a path as users give it lies
 * @throws {DataError} if nothing fits a pattern, or a file is named twice
 */
export function dataFiles(path: string, rooted: (path: string) => string): string[] {
  if (isWhole(rooted(path))) return [rooted(path)];
  const files = splitList(path).flatMap(inBraces).flatMap((one) => {
    const place = rooted(one);
    return PATTERN.test(place) && !exists(place) ? expand(place) : [place];
  });
  const twice = files.find((file, i) => files.indexOf(file) < i);
  if (twice !== undefined) throw new DataError(`${path}: ${twice} is named twice, and its images would count twice. Name it once`);
  return files;
}

/**
 * True for a file whose name holds a comma, or what else a list or a pattern is made of; a list that is read as one name may lie where a
 * task must not look.
 */
function isWhole(path: string): boolean {
  try {
    return exists(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return false;
    throw error;
  }
}

/**
 * Gives each file the class that its name says.
 *
 * @param classOf such as "qcd*.h5: 0, top*.h5: 1"; patterns without a slash are for the name alone
 * @throws {DataError} if not exactly one pattern fits a file
 */
export function withClasses(files: readonly string[], classOf: string): DataPart[] {
  const rules = rulesOf(classOf);
  return files.map((path) => {
    const [rule, other] = rules.filter(({ fits }) => fits(path));
    if (!rule) throw new DataError(`${path}: none of the patterns of data.class_of fits it (${classOf}). Add one`);
    if (other) {
      throw new DataError(
        `${path}: both "${rule.pattern}" and "${other.pattern}" of data.class_of fit it. Let one pattern fit each file`,
      );
    }
    return { path, label: rule.label };
  });
}

/** @throws {DataError} if a pattern of data.class_of fits no file */
export function checkPatterns(files: readonly string[], classOf: string): void {
  const idle = rulesOf(classOf).find(({ fits }) => !files.some(fits));
  if (idle) throw new DataError(`data.class_of: no file fits "${idle.pattern}". There are ${listed(files)}`);
}

/** Patterns with their classes; one without a slash is for the last part of a path alone. */
function rulesOf(classOf: string): { pattern: string; label: number; fits: (path: string) => boolean }[] {
  return parseClasses(classOf).map(({ pattern, label }) => {
    const depth = pattern.split("/").length, fits = matcher(pattern);
    return { pattern, label, fits: (path) => fits(path.split("/").slice(-depth).join("/")) };
  });
}

/** A pattern and the class of the files that fit it. */
function parseClasses(classOf: string): { pattern: string; label: number }[] {
  return splitList(classOf).map((pair) => {
    const [, pattern, label] = /^(.*\S)\s*:\s*(\d+)$/.exec(pair)!;
    return { pattern: pattern!, label: Number(label) };
  });
}

/** Parts between commas, without the spaces around them; commas in braces belong to a part. */
function splitList(text: string): string[] {
  return text.split(/,(?![^{}]*\})/).map((part) => part.trim()).filter((part) => part !== "");
}

/** "a{b,c}d" as "abd" and "acd". */
function inBraces(text: string): string[] {
  const [, before, words, after] = /^(.*?)\{([^{}]*,[^{}]*)\}(.*)$/.exec(text) ?? [];
  return words === undefined ? [text] : words.split(",").flatMap((word) => inBraces(before + word + after));
}

/** Paths of the files that fit a pattern. */
function expand(pattern: string): string[] {
  const below = (folder: string, [part = "", ...rest]: readonly string[]): string[] => {
    const paths = PATTERN.test(part) ? namesIn(folder, part, rest.length === 0) : [folder + part];
    return rest.length === 0 ? paths.filter(exists) : paths.flatMap((path) => below(`${path}/`, rest));
  };
  const found = below("", pattern.split("/")).sort();
  if (found.length > 0) return found;
  const folder = pattern.slice(0, pattern.search(PATTERN)).replace(/[^/]*$/, "");
  const there = exists(folder || ".") ? listed(namesIn(folder, "*", true).sort()) || "no file" : "no such folder";
  throw new DataError(`${pattern}: no file is called like that. In ${folder || "this folder"} there is ${there}`);
}

/** Paths of the files, or of the folders, that are in a folder and fit a pattern. */
function namesIn(folder: string, pattern: string, files: boolean): string[] {
  if (!exists(folder || ".")) return [];
  const fits = matcher(pattern);
  return [...Deno.readDirSync(folder || ".")].filter(({ name }) => fits(name) && (pattern.startsWith(".") || !name.startsWith(".")))
    .map(({ name }) => folder + name).filter((path) => exists(path) && Deno.statSync(path).isDirectory !== files);
}

/** Tells whether a path fits a pattern as a whole. */
function matcher(pattern: string): (path: string) => boolean {
  const source = pattern.replaceAll(/\[!?[^\]]+\]|[^]/g, (part) => {
    if (part === "*") return "[^/]*";
    if (part === "?") return "[^/]";
    if (part.length > 1) return part.replace("[!", "[^").replaceAll("\\", "\\\\");
    return part.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&");
  });
  try {
    const whole = new RegExp(`^${source}$`, "su");
    return (path) => whole.test(path);
  } catch {
    throw new DataError(`${pattern}: this is no pattern of names: a range such as [a-z] has to rise`);
  }
}
