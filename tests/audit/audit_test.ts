/** @file The audit of dependencies refuses what nobody has approved, with stand-ins of @std and with the genuine packages. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { approved, audit, type Manifest } from "./audit.ts";
import { fail, succeed, Workspace } from "../support/tasks.ts";

type Lock = Record<string, Record<string, unknown>>;
interface Changeable {
  lock: Lock;
  config: { imports: Record<string, string>; links: string[] };
}

const read = (path: string) => JSON.parse(Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url)));
const NAMES = ["assert", "cli", "testing", "yaml"];
const NO_SOURCES = new Map<string, string>();

/** With the genuine packages: the lockfile as deno install writes it without links. */
function genuine(): Changeable {
  return {
    lock: read("tests/fixtures/audit/genuine.json"),
    config: { imports: Object.fromEntries(NAMES.map((name) => [`@std/${name}`, `jsr:@std/${name}@^1.0.9`])), links: [] },
  };
}

/** With stand-ins. */
function linked(): Changeable {
  const { lock: { jsr: _, ...lock }, config } = genuine();
  const links = ["assert@1.0.13", "cli@1.0.20", "testing@1.0.14", "yaml@1.0.9"].map((key) => [`jsr:@std/${key}`, {}]);
  return {
    lock: { ...lock, workspace: { links: Object.fromEntries(links) } },
    config: { ...config, links: NAMES.map((name) => `./lib/std/${name}`) },
  };
}

function problems(manifest: Changeable, sources = NO_SOURCES): string {
  return audit(manifest as Manifest, sources).join("\n");
}

Deno.test("audit() finds nothing to say about this program", () => {
  assertEquals(audit({ lock: read("deno.lock"), config: read("deno.json") }, NO_SOURCES), []);
});

Deno.test("audit() finds nothing to say about stand-ins, the genuine packages, or some of each", () => {
  assertEquals([problems(linked()), problems(genuine())], ["", ""]);
  const mixed = linked();
  mixed.config.links.shift();
  delete (mixed.lock["workspace"]!["links"] as Lock)["jsr:@std/assert@1.0.13"];
  mixed.lock["jsr"] = { "@std/assert@1.0.13": { integrity: "x" } };
  assertEquals(problems(mixed), "");
});

Deno.test("audit() demands js-yaml for its stand-in alone", () => {
  const without = (manifest: Changeable) => {
    for (const key of ["js-yaml@4.1.1", "argparse@2.0.1"]) delete manifest.lock["npm"]![key];
    return problems(manifest);
  };
  assertStringIncludes(without(linked()), "npm:js-yaml@4.1.1 is on the list and not in deno.lock");
  assertEquals(without(genuine()), "");
});

Deno.test("audit() demands no genuine package that no command has used yet", () => {
  const fresh = genuine();
  fresh.lock["jsr"] = { "@std/cli@1.0.20": { integrity: "x" } };
  assertEquals(problems(fresh), "");
});

Deno.test("approved() lists the genuine packages and what they stand on, with the hashes of the lockfile", () => {
  const manifest = genuine(), list = approved(manifest as Manifest);
  assertEquals(
    list.filter(({ name }) => name.startsWith("jsr:")).map(({ name, version }) => `${name}@${version}`).toSorted(),
    Object.keys(manifest.lock["jsr"]!).map((key) => `jsr:${key}`),
  );
  const of = (wanted: string) => list.find(({ name }) => name === wanted)!;
  assertEquals(of("jsr:@std/cli").integrity, (manifest.lock["jsr"]!["@std/cli@1.0.32"] as { integrity: string }).integrity);
  assertEquals([of("jsr:@std/yaml").reason, of("jsr:@std/fs").reason], ["configurations", "belongs to @std/testing@1.0.20"]);
});

const CHANGES: [string, (lock: Lock) => unknown, string][] = [
  ["a new package", ({ npm }) => npm!["left-pad@1.0.0"] = { integrity: "sha512-x" }, "left-pad@1.0.0, which is not on the list"],
  ["a new version", ({ npm }) => npm!["h5wasm@0.10.4"] = npm!["h5wasm@0.10.3"], "h5wasm@0.10.4, which is not on the list"],
  ["other contents", ({ npm }) => npm!["h5wasm@0.10.3"] = { integrity: "sha512-x" }, "other contents (sha512-x)"],
  ["a package that is gone", ({ npm }) => delete npm!["h5wasm@0.10.3"], "npm:h5wasm@0.10.3 is on the list and not in"],
  ["a module by its address", (lock) => lock["remote"] = { "https://example.org/x.ts": "hash" }, "https://example.org/x.ts"],
];
const GENUINE_CHANGES: typeof CHANGES = [
  [
    "a package of @std that nothing here uses",
    ({ jsr }) => jsr!["@std/tar@1.0.0"] = { integrity: "x" },
    "jsr:@std/tar@1.0.0, which",
  ],
  ["one of another scope", ({ jsr }) => jsr!["@else/cli@1.0.32"] = { integrity: "x" }, "jsr:@else/cli@1.0.32, which"],
  ["an older version", ({ jsr }) => jsr!["@std/cli@1.0.19"] = { integrity: "x" }, "jsr:@std/cli@1.0.19, which"],
  ["another first number", ({ jsr }) => jsr!["@std/assert@2.0.0"] = { integrity: "x" }, "jsr:@std/assert@2.0.0, which"],
  ["a version before its release", ({ jsr }) => jsr!["@std/yaml@1.3.0-rc.1"] = { integrity: "x" }, "1.3.0-rc.1, which"],
  ["a package without a hash", ({ jsr }) => jsr!["@std/yaml@1.2.0"] = {}, "jsr:@std/yaml@1.2.0 with other contents (no hash)"],
  ["a package of npm behind one of @std", ({ npm }) => npm!["yaml@2.0.0"] = { integrity: "sha512-x" }, "npm:yaml@2.0.0, which"],
  ["a stand-in that is not linked", (lock) => lock["workspace"] = { links: { "jsr:@std/cli@1.0.20": {} } }, "jsr:@std/cli@1.0.20"],
];
const LINKED_CHANGES: typeof CHANGES = [
  ["a stand-in that is not locked", (lock) => lock["workspace"] = {}, "jsr:@std/assert@1.0.13 is on the list and not in deno.lock"],
  ["a genuine package beside its stand-in", (lock) => lock["jsr"] = { "@std/cli@1.0.32": {} }, "jsr:@std/cli@1.0.32, which"],
];
for (
  const [kind, manifest, changes] of [
    ["stand-ins", linked, [...CHANGES, ...LINKED_CHANGES]],
    ["the genuine packages", genuine, [...CHANGES, ...GENUINE_CHANGES]],
  ] as const
) {
  for (const [what, change, expected] of changes) {
    Deno.test(`audit() refuses ${what}, with ${kind}`, () => {
      const changed = manifest();
      change(changed.lock);
      assertStringIncludes(problems(changed), expected);
    });
  }
}

Deno.test("audit() refuses another folder that deno.json links", () => {
  const changed = linked();
  changed.config.links.push("./lib/other");
  assertStringIncludes(problems(changed), "deno.json links lib/other, which is not on the list");
});

Deno.test("audit() refuses an import that the lockfile does not show", () => {
  // put together here, so that the audit of this file does not find it
  const [word, source] = ["import", "from"];
  for (
    const text of [`${word} x ${source} "npm:x@1";`, `await ${word}('jsr:@x/y');`, `await ${word}(\`https://example.org/x.ts\`);`]
  ) {
    assertStringIncludes(problems(genuine(), new Map([["lib/a.ts", text]])), "lib/a.ts imports");
  }
  const own = `${word} a ${source} "./a.ts"; ${word} b ${source} "@std/cli/parse-args"; ${word} c ${source} "node:fs";`;
  assertEquals(problems(genuine(), new Map([["lib/a.ts", own]])), "");
});

Deno.test("deno task audit lists every package with its licence", async () => {
  using workspace = new Workspace();
  const { stdout } = await succeed(workspace, "audit");
  for (const text of ["npm:h5wasm", "0.10.3", "NIST", "sha512-W4Jy5", "jsr:@std/yaml"]) assertStringIncludes(stdout, text);
  assertStringIncludes(await fail(workspace, "audit", "--all"), `unknown argument "--all"`);
});
