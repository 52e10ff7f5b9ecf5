/** @file The audit of dependencies refuses what nobody has approved. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { audit, type Manifest } from "../../../lib/cli/audit.ts";
import { fail, succeed, Workspace } from "../../support/tasks.ts";

const read = (name: string) => JSON.parse(Deno.readTextFileSync(new URL(`../../../${name}`, import.meta.url)));
const manifest = (): { lock: Record<string, Record<string, unknown>>; config: Manifest["config"] } => ({
  lock: read("deno.lock"),
  config: read("deno.json"),
});
const NO_SOURCES = new Map<string, string>();

Deno.test("audit() finds nothing to say about this program", () => {
  assertEquals(audit(manifest(), NO_SOURCES), []);
});

for (
  const [what, change, expected] of [
    ["a new package", ({ npm }) => npm!["left-pad@1.0.0"] = { integrity: "sha512-x" }, "left-pad@1.0.0, which is not on the list"],
    ["a new version", ({ npm }) => npm!["h5wasm@0.10.4"] = npm!["h5wasm@0.10.3"], "h5wasm@0.10.4, which is not on the list"],
    ["other contents", ({ npm }) => npm!["h5wasm@0.10.3"] = { integrity: "sha512-x" }, "other contents (sha512-x)"],
    ["a package that is gone", ({ npm }) => delete npm!["argparse@2.0.1"], "npm:argparse@2.0.1 is on the list and not in"],
    ["a module by its address", (lock) => lock["remote"] = { "https://example.org/x.ts": "hash" }, "https://example.org/x.ts"],
    ["another stand-in", ({ workspace }) => workspace!["links"] = {}, "deno.json links ./lib/std/assert"],
  ] as [string, (lock: Record<string, Record<string, unknown>>) => unknown, string][]
) {
  Deno.test(`audit() refuses ${what}`, () => {
    const changed = manifest();
    change(changed.lock);
    assertStringIncludes(audit(changed, NO_SOURCES).join("\n"), expected);
  });
}

Deno.test("audit() refuses an import that the lockfile does not show", () => {
  // put together here, so that the audit of this file does not find it
  const [word, source] = ["import", "from"];
  for (
    const text of [`${word} x ${source} "npm:x@1";`, `await ${word}('jsr:@x/y');`, `await ${word}(\`https://example.org/x.ts\`);`]
  ) {
    assertStringIncludes(audit(manifest(), new Map([["lib/a.ts", text]])).join(), "lib/a.ts imports");
  }
  const own = `${word} a ${source} "./a.ts"; ${word} b ${source} "@std/cli/parse-args"; ${word} c ${source} "node:fs";`;
  assertEquals(audit(manifest(), new Map([["lib/a.ts", own]])), []);
});

Deno.test("deno task audit lists every package with its licence", async () => {
  using workspace = new Workspace();
  const { stdout } = await succeed(workspace, "audit");
  for (const text of ["npm:h5wasm", "0.10.3", "NIST", "sha512-W4Jy5", "lib/std/yaml"]) assertStringIncludes(stdout, text);
  assertStringIncludes(await fail(workspace, "audit", "--all"), `unknown argument "--all"`);
});
