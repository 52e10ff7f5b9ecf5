/** @file The README says which folder may use which, and quotes code: here both are compared with the files. */

import { assert, assertEquals } from "@std/assert";
import { exists, walk } from "../../lib/disk/files.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/**
 * What each folder of lib may use beside itself, the lowest first. Files of lib itself (format.ts, json.ts, random.ts, ...) may be
 * used by all and use nothing.
 */
const MAY_USE: Readonly<Record<string, readonly string[]>> = {
  std: [],
  config: [],
  io: [],
  data: ["io"],
  gpu: [],
  mpi: [],
  tensor: ["gpu"],
  nn: ["config", "tensor", "gpu"],
  input: ["config", "data", "io", "nn", "tensor", "gpu"],
  weights: ["config", "data", "io", "nn", "tensor"],
  eval: ["config", "data", "input", "io", "nn", "tensor", "gpu", "weights"],
  report: ["data", "eval", "io", "weights"],
  disk: ["config", "data", "gpu", "input", "io", "nn", "tensor", "train", "weights"],
  train: ["config", "data", "eval", "gpu", "input", "io", "nn", "tensor", "weights"],
  web: ["config", "data", "eval", "gpu", "input", "io", "nn", "report", "train", "weights"],
  cli: ["config", "data", "disk", "eval", "gpu", "input", "io", "mpi", "nn", "report", "tensor", "train", "weights"],
};

/** Files of lib with those that they import, both as paths from the root. */
function imports(): Map<string, string[]> {
  const files = ["lib", "tasks"].flatMap((folder) => walk(ROOT + folder)).filter((path) => path.endsWith(".ts"));
  return new Map(files.map((path) => {
    const found = Deno.readTextFileSync(path).matchAll(/^(?:import|export)\b[^;]*?\bfrom "(\.[^"]+\.ts)"/gm);
    return [path.slice(ROOT.length), Array.from(found, ([, to]) => new URL(to!, `file://${path}`).pathname.slice(ROOT.length))];
  }));
}

/** "data" of "lib/data/split.ts"; "" of files of lib itself. */
function folderOf(path: string): string {
  return /^lib\/(\w+)\//.exec(path)?.[1] ?? "";
}

Deno.test("folders of lib use those below them alone", () => {
  const wrong = [...imports()].filter(([from]) => from.startsWith("lib/")).flatMap(([from, targets]) =>
    targets.filter((to) => {
      const [user, used] = [folderOf(from), folderOf(to)];
      return user !== used && used !== "" && !(MAY_USE[user] ?? []).includes(used);
    }).map((to) => `${from} uses ${to}`)
  );
  assertEquals(wrong, []);
});

Deno.test("no files import one another in a circle", () => {
  const all = imports();
  const circles: string[] = [];
  const state = new Map<string, "open" | "done">();
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === "done") return;
    if (state.get(path) === "open") {
      circles.push([...trail.slice(trail.indexOf(path)), path].join(" -> "));
      return;
    }
    state.set(path, "open");
    for (const next of all.get(path) ?? []) visit(next, [...trail, path]);
    state.set(path, "done");
  };
  for (const path of all.keys()) visit(path, []);
  assertEquals(circles, []);
});

Deno.test("code that the README quotes is that of the file that it names before", () => {
  const adding = Deno.readTextFileSync(`${ROOT}README.md`).split("## Adding to it")[1]!;
  const plain = (code: string) => code.replaceAll(/^ +/gm, "");
  const quotes = Array.from(adding.matchAll(/```ts ignore\n(.*?)```/gs), ({ 1: code, index }) => {
    return { code: code!, file: Array.from(adding.slice(0, index).matchAll(/`((?:lib|kernels|tests)\/\S+?\.\w+)`/g)).at(-1)![1]! };
  }).filter(({ file }) => exists(ROOT + file));
  assert(quotes.length >= 6);
  for (const { code, file } of quotes) {
    assert(plain(Deno.readTextFileSync(ROOT + file)).includes(plain(code)), `${file} does not hold\n${code}`);
  }
});

/** What needs a disk, a process or a terminal. */
const NEEDS_DENO = ["cli", "disk", "mpi", "std"];

Deno.test("what computes uses standards of the web alone, so that it runs in a page and in Node too", () => {
  const wrong = walk(`${ROOT}lib`).filter((path) => path.endsWith(".ts")).flatMap((path) => {
    const name = path.slice(ROOT.length);
    if (NEEDS_DENO.includes(folderOf(name))) return [];
    const code = Deno.readTextFileSync(path).replaceAll(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, "");
    return Array.from(code.matchAll(/\bDeno\.\w+|"node:\w+"/g), ([used]) => `${name} uses ${used}`);
  });
  assertEquals(wrong, []);
});

Deno.test("what the Worker of a data file runs makes no Blob: its contents would stay in memory when the Worker ends", () => {
  const all = imports(), reached = new Set(["lib/disk/loader_worker.ts"]);
  for (const path of reached) for (const next of all.get(path) ?? []) reached.add(next);
  assert(reached.size > 20);
  assertEquals([...reached].filter((path) => /\bnew (Blob|File|Response)\(/.test(Deno.readTextFileSync(ROOT + path))), []);
});
