/**
 * @file A kernel: the text of its file, behind the libraries that the file says it uses.
 *
 * WGSL has no imports. A file in kernels/ that takes functions, types or constants of others names their files on one line of its own,
 *
 *     // uses lib/philox.wgsl, lib/step.wgsl
 *
 * and so does a library. {@linkcode kernelOf} puts each once before whatever uses it. A line that leaves out a library, or names one
 * too many, is an error, so that a reader may believe it.
 */

import { LIBRARIES } from "./libraries.ts";
import { type Layout, layoutOf } from "./layout.ts";
import { type Binding, bindingsOf, type Constants } from "./wgsl.ts";

/** A kernel file with its libraries. */
export interface Kernel {
  /** File name without its ending, for messages and profiles. */
  readonly name: string;
  /** The text of the libraries and of the file. */
  readonly source: string;
  /** Names of the libraries that the file uses, itself or by way of others but the one that every kernel uses. */
  readonly libraries: ReadonlySet<string>;
  /** What the text declares to be bound, by name. */
  readonly bindings: ReadonlyMap<string, Binding>;
  /** Its `struct Dims`: what differs from launch to launch. */
  readonly dims: Layout;
}

/** What is compiled of a kernel. */
export interface Specialisation {
  /** The kernel. */
  readonly kernel: Kernel;
  /** Its entry point. */
  readonly entry: string;
  /** Values for the file's const declarations. */
  readonly constants: Constants;
}

const OF_EVERY_KERNEL = "lib/invocation.wgsl";
const NO_DIMS: Layout = { fields: new Map(), bytes: 0, alignment: 4 };

/**
 * Makes a kernel from the text of its file.
 *
 * @param name of the file, without its ending
 * @param text of the file
 * @param libraries texts of those that it may use, by their names
 * @throws {Error} if the text, or a library of it, uses a library that it does not name, or names one that does not exist, that it
 * does not use, or that uses itself by way of others
 */
export function kernelOf(name: string, text: string, libraries: Readonly<Record<string, string>> = LIBRARIES): Kernel {
  const texts = new Set<string>();
  const itsOwn = new Set<string>();
  const include = (file: string, text: string, users: readonly string[]): void => {
    if (users.includes(file)) throw new Error(`Kernel libraries use one another in a circle: ${[...users, file].join(", ")}`);
    for (const used of checkedUses(file, text, libraries)) include(used, libraries[used]!, [...users, file]);
    if (users.length > 0 && ![...users, file].includes(OF_EVERY_KERNEL)) itsOwn.add(file);
    texts.add(text);
  };
  include(`${name}.wgsl`, text, []);
  const source = [...texts].join("\n");
  return { name, source, libraries: itsOwn, bindings: bindingsOf(source), dims: layoutOf(source, "Dims") ?? NO_DIMS };
}

/** The libraries that a file names, which are those that it uses. */
function checkedUses(file: string, text: string, libraries: Readonly<Record<string, string>>): string[] {
  const named = usesOf(file, text);
  const foreign = foreignNames(text);
  for (const [library, itsText] of Object.entries(libraries)) {
    if (library === file) continue;
    const name = exportsOf(itsText).find((name) => foreign.has(name));
    if (name === undefined && named.includes(library)) {
      throw new Error(`Kernel file ${file} names ${library}, and uses nothing of it`);
    }
    if (name !== undefined && !named.includes(library)) {
      throw new Error(`Kernel file ${file} uses ${name} of ${library}: name it in a line "// uses ${library}"`);
    }
  }
  const unknown = named.find((library) => !(library in libraries));
  if (unknown !== undefined) throw new Error(`Kernel file ${file} names ${unknown}: there is no such library`);
  return named;
}

/** The libraries in the line "// uses ..." of a file. */
function usesOf(file: string, text: string): string[] {
  const lines = text.match(/^\/\/ uses .*$/gmi) ?? [];
  if (lines.length === 0) return [];
  const list = /^\/\/ uses (lib\/\w+\.wgsl(?:, lib\/\w+\.wgsl)*)$/.exec(lines[0]!);
  if (lines.length > 1 || !list) {
    throw new Error(`Kernel file ${file} says "${lines.at(-1)}": one line is due, such as "// uses lib/a.wgsl, lib/b.wgsl"`);
  }
  return list[1]!.split(", ");
}

/** What a library has for others: its functions, types and constants. */
function exportsOf(text: string): string[] {
  return Array.from(text.matchAll(/^(?:fn|struct|alias|const) (\w+)/gm), ([, name]) => name!);
}

/** Names in a text that it does not declare itself; what stands behind a dot is a member of a struct. */
function foreignNames(text: string): Set<string> {
  const code = text.replaceAll(/\/\/.*$/gm, "");
  const names = new Set(code.match(/(?<![.\w])[a-zA-Z_]\w*/g));
  for (const [, name, typed] of code.matchAll(/\b(?:fn|struct|alias|const|let|var)(?:<[^>]*>)? (\w+)|\b(\w+):/g)) {
    names.delete((name ?? typed)!);
  }
  return names;
}
