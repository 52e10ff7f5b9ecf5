/**
 * @file What the program consists of beside its own code, compared with the list that a reviewer has approved.
 *
 * The list is in this file. The lockfile says what is used in fact, each package with the hash of its contents
 * ("integrity"): as long as that is the same, so are its contents and its licence.
 */

/** A package that was looked at and approved. */
export interface Dependency {
  /** Registry and name, such as "npm:h5wasm". */
  readonly name: string;
  readonly version: string;
  /** Hash of the contents as in the lockfile, or the folder that serves the package. */
  readonly integrity: string;
  /** SPDX identifier, or the name of the licence. */
  readonly licence: string;
  /** Why it is here. */
  readonly reason: string;
}

/** Everything that was approved. */
export const APPROVED: readonly Dependency[] = [
  {
    name: "npm:h5wasm",
    version: "0.10.3",
    integrity: "sha512-W4Jy5ExtX/VNbyD8GdOBckDuj6AL16TemppVNxZsV3rJZEWCv2sxlCzOttZLer3zkMttbDYsWHl0qt1z3Bln+Q==",
    licence: "NIST-Software and BSD-3-Clause (HDF5)",
    reason: "reads HDF5 files: the HDF5 library as WebAssembly",
  },
  {
    name: "npm:js-yaml",
    version: "4.1.1",
    integrity: "sha512-qQKT4zQxXl8lLwBtHMWwaTcGfFOZviOJet3Oy/xmGk2gZH677CJM9EvtfdSkgWcATZhj/55JZ0rmy3myCT5lsA==",
    licence: "MIT",
    reason: "reads and writes configurations, behind @std/yaml",
  },
  {
    name: "npm:argparse",
    version: "2.0.1",
    integrity: "sha512-8+9WqebbFzpX9OR+Wa6O29asIogeRMzcGtAINdpMHHyAg10f05aSFVBbcEqGf/PXw1EjAZ+q2/bEBg3DvurK3Q==",
    licence: "Python-2.0",
    reason: "belongs to js-yaml's own command; nothing here loads it",
  },
  standIn("cli", "1.0.20", "command lines of the tasks"),
  standIn("yaml", "1.0.9", "configurations"),
  standIn("assert", "1.0.13", "tests"),
  standIn("testing", "1.0.14", "tests"),
];

function standIn(name: string, version: string, reason: string): Dependency {
  return { name: `jsr:@std/${name}`, version, integrity: `lib/std/${name}`, licence: "MIT", reason };
}

/** The parts of deno.lock and deno.json that say what is used. */
export interface Manifest {
  readonly lock: {
    readonly npm?: Readonly<Record<string, { readonly integrity?: string }>>;
    readonly jsr?: Readonly<Record<string, { readonly integrity?: string }>>;
    readonly remote?: Readonly<Record<string, string>>;
    readonly workspace?: { readonly links?: Readonly<Record<string, unknown>> };
  };
  readonly config: { readonly imports?: Readonly<Record<string, string>>; readonly links?: readonly string[] };
}

/**
 * What differs between what is used and what was approved.
 *
 * @param manifest contents of deno.lock and deno.json
 * @param sources text of each source file, by its path
 * @returns one line for each difference; none if all was approved
 */
export function audit({ lock, config }: Manifest, sources: ReadonlyMap<string, string>): string[] {
  const links = new Map(Object.keys(lock.workspace?.links ?? {}).map((key) => [key, folderOf(key)]));
  const used = new Map<string, string>([
    ...Object.entries(lock.npm ?? {}).map(([key, { integrity }]) => [`npm:${key}`, integrity ?? "no hash"] as const),
    ...Object.entries(lock.jsr ?? {}).map(([key, { integrity }]) => [`jsr:${key}`, integrity ?? "no hash"] as const),
    ...Object.entries(lock.remote ?? {}),
    ...links,
  ]);
  const approved = new Map(APPROVED.map(({ name, version, integrity }) => [`${name}@${version}`, integrity]));
  const problems: string[] = [];
  for (const [key, integrity] of used) {
    const expected = approved.get(key);
    if (expected === undefined) problems.push(`deno.lock has ${key}, which is not on the list`);
    else if (expected !== integrity) problems.push(`deno.lock has ${key} with other contents (${integrity}) than were approved`);
  }
  for (const key of approved.keys()) if (!used.has(key)) problems.push(`${key} is on the list and not in deno.lock`);
  for (const path of config.links ?? []) {
    if (![...links.values()].includes(path.replace("./", ""))) problems.push(`deno.json links ${path}, which is not on the list`);
  }
  return [...problems, ...foreignImports(sources, Object.keys(config.imports ?? {}))];
}

/** "lib/std/cli" of "jsr:@std/cli@1.0.20". */
function folderOf(key: string): string {
  return key.replace(/^jsr:@std\/(.*)@.*$/, "lib/std/$1");
}

const IMPORT = /(?:\bfrom\s*["']|\bimport\s*["']|\bimport\s*\(\s*["'`])([^"'`\s]+)["'`]/g;

/**
 * Imports that are neither files of this program, nor names of the import map, nor Deno's own modules. A lockfile does not show
 * an import that no task reaches, so the text is searched.
 */
function foreignImports(sources: ReadonlyMap<string, string>, names: readonly string[]): string[] {
  const found: string[] = [];
  for (const [path, text] of sources) {
    // stand-ins have import maps of their own; what they name is in the lockfile
    const known = path.startsWith("lib/std/") ? [...names, "js-yaml"] : names;
    for (const [, target] of text.matchAll(IMPORT)) {
      const ours = /^\.{1,2}\//.test(target!) || target!.startsWith("node:");
      if (ours || known.some((name) => target === name || target!.startsWith(`${name}/`))) continue;
      found.push(`${path} imports "${target}", which is not on the list`);
    }
  }
  return found;
}
