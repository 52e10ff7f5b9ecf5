/**
 * @file What the program consists of beside its own code, compared with the list that a reviewer has approved.
 *
 * The list is in this file. The lockfile says what is used in fact, each package with the hash of its contents
 * ("integrity"): as long as that is the same, so are its contents and its licence.
 *
 * Packages of @std that deno.json links are folders of this repository, reviewed with the rest. Those that it does not link are
 * the genuine ones: they are approved by name and version, with the hash that the lockfile holds.
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

const PACKAGES: readonly Dependency[] = [
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
    reason: "reads and writes configurations, behind the stand-in of @std/yaml",
  },
  {
    name: "npm:argparse",
    version: "2.0.1",
    integrity: "sha512-8+9WqebbFzpX9OR+Wa6O29asIogeRMzcGtAINdpMHHyAg10f05aSFVBbcEqGf/PXw1EjAZ+q2/bEBg3DvurK3Q==",
    licence: "Python-2.0",
    reason: "belongs to js-yaml's own command; nothing here loads it",
  },
];
/** What the stand-in of @std/yaml stands on, and nothing else. */
const BEHIND_YAML = ["npm:js-yaml", "npm:argparse"];

/** A package of @std: the stand-in has this version, the genuine one this or a later one with the same first number. */
interface Standard {
  readonly name: string;
  readonly version: string;
  readonly reason: string;
}

const STANDARD: readonly Standard[] = [
  { name: "@std/cli", version: "1.0.20", reason: "command lines of the tasks" },
  { name: "@std/yaml", version: "1.0.9", reason: "configurations" },
  { name: "@std/assert", version: "1.0.13", reason: "tests" },
  { name: "@std/testing", version: "1.0.14", reason: "tests" },
];

/** Packages by name and version, such as "h5wasm@0.10.3". */
type Locked = Readonly<Record<string, { readonly integrity?: string; readonly dependencies?: readonly string[] }>>;

/** The parts of deno.lock and deno.json that say what is used. */
export interface Manifest {
  readonly lock: {
    readonly npm?: Locked;
    readonly jsr?: Locked;
    readonly remote?: Readonly<Record<string, string>>;
    readonly workspace?: { readonly links?: Readonly<Record<string, unknown>> };
  };
  readonly config: {
    readonly imports?: Readonly<Record<string, string>>;
    readonly scopes?: Readonly<Record<string, Readonly<Record<string, string>>>>;
    readonly links?: readonly string[];
  };
}

/** Everything that is approved: of @std, stand-ins where deno.json links them, else the genuine packages in the lockfile. */
export function approved({ lock, config }: Manifest): Dependency[] {
  const isLinked = ({ name }: Standard) => linkedFolders(config).includes(folderOf(name));
  const standIns = STANDARD.filter(isLinked).map(({ name, version, reason }) => {
    return { name: `jsr:${name}`, version, integrity: folderOf(name), licence: "MIT", reason };
  });
  // js-yaml may be in the lockfile without need: deno check reads stand-ins that are not linked too
  const needed = ({ name, version }: Dependency) =>
    !BEHIND_YAML.includes(name) || standIns.some((entry) => entry.name === "jsr:@std/yaml") ||
    lock.npm?.[`${name}@${version}`.slice("npm:".length)] !== undefined;
  return [...PACKAGES.filter(needed), ...standIns, ...genuine(lock.jsr ?? {}, STANDARD.filter((entry) => !isLinked(entry)))];
}

/** Packages of @std as the lockfile has them, and what these stand on within @std. */
function genuine(locked: Locked, wanted: readonly Standard[]): Dependency[] {
  const keysOf = (name: string) => Object.keys(locked).filter((key) => key.startsWith(`${name}@`));
  const versionOf = (key: string) => key.slice(key.lastIndexOf("@") + 1);
  const reasons = new Map(
    wanted.flatMap(({ name, version, reason }) =>
      keysOf(name).filter((key) => isFrom(version, versionOf(key))).map((key) => [key, reason] as const)
    ),
  );
  // the map grows while it is walked
  for (const user of reasons.keys()) {
    for (const dependency of locked[user]!.dependencies ?? []) {
      const name = /^jsr:(@std\/[^@]+)/.exec(dependency)?.[1];
      if (name === undefined || STANDARD.some((entry) => entry.name === name)) continue;
      for (const key of keysOf(name)) if (!reasons.has(key)) reasons.set(key, `belongs to ${user}`);
    }
  }
  return [...reasons].map(([key, reason]) => {
    const version = versionOf(key), integrity = locked[key]!.integrity ?? "a hash";
    return { name: `jsr:${key.slice(0, -version.length - 1)}`, version, integrity, licence: "MIT", reason };
  });
}

/** True for a release with the same first number that is not older. */
function isFrom(from: string, version: string): boolean {
  const [least, given] = [from, version].map((text) => text.split(".").map(Number)) as [number[], number[]];
  const difference = given.map((part, i) => part - least[i]!).find((part) => part !== 0) ?? 0;
  return given.every(Number.isInteger) && given[0] === least[0] && difference >= 0;
}

/**
 * What differs between what is used and what was approved.
 *
 * @param manifest contents of deno.lock and deno.json
 * @param sources text of each source file, by its path
 * @returns one line for each difference; none if all was approved
 */
export function audit(manifest: Manifest, sources: ReadonlyMap<string, string>): string[] {
  const { lock, config } = manifest;
  const used = new Map<string, string>([
    ...Object.entries(lock.npm ?? {}).map(([key, { integrity }]) => [`npm:${key}`, integrity ?? "no hash"] as const),
    ...Object.entries(lock.jsr ?? {}).map(([key, { integrity }]) => [`jsr:${key}`, integrity ?? "no hash"] as const),
    ...Object.entries(lock.remote ?? {}),
    ...Object.keys(lock.workspace?.links ?? {}).map((key) => [key, folderOf(key)] as const),
  ]);
  const list = new Map(approved(manifest).map(({ name, version, integrity }) => [`${name}@${version}`, integrity]));
  const problems: string[] = [];
  for (const [key, integrity] of used) {
    const expected = list.get(key);
    if (expected === undefined) problems.push(`deno.lock has ${key}, which is not on the list`);
    else if (expected !== integrity) problems.push(`deno.lock has ${key} with other contents (${integrity}) than were approved`);
  }
  for (const key of list.keys()) if (!used.has(key)) problems.push(`${key} is on the list and not in deno.lock`);
  for (const folder of linkedFolders(config)) {
    if (!STANDARD.some(({ name }) => folderOf(name) === folder)) {
      problems.push(`deno.json links ${folder}, which is not on the list`);
    }
  }
  const names = [config.imports ?? {}, ...Object.values(config.scopes ?? {})].flatMap((map) => Object.keys(map));
  return [...problems, ...foreignImports(sources, names)];
}

function linkedFolders(config: Manifest["config"]): string[] {
  return (config.links ?? []).map((path) => path.replace("./", ""));
}

/** "lib/std/cli" of "@std/cli" or "jsr:@std/cli@1.0.20". */
function folderOf(key: string): string {
  return key.replace(/^(?:jsr:)?@std\/([^@]*).*$/, "lib/std/$1");
}

const IMPORT = /(?:\bfrom\s*["']|\bimport\s*["']|\bimport\s*\(\s*["'`])([^"'`\s]+)["'`]/g;

/**
 * Imports that are neither files of this program, nor names of the import map, nor approved packages, nor Deno's own modules. A
 * lockfile does not show an import that no task reaches, so the text is searched.
 */
function foreignImports(sources: ReadonlyMap<string, string>, names: readonly string[]): string[] {
  const found: string[] = [];
  const whole = PACKAGES.map(({ name, version }) => `${name}@${version}`);
  for (const [path, text] of sources) {
    for (const [, target] of text.matchAll(IMPORT)) {
      const ours = /^\.{1,2}\//.test(target!) || target!.startsWith("node:") || whole.includes(target!);
      if (ours || names.some((name) => target === name || target!.startsWith(`${name}/`))) continue;
      found.push(`${path} imports "${target}", which is not on the list`);
    }
  }
  return found;
}
