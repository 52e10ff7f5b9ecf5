/** @file This program names nothing of @std that the genuine packages do not have, so they can take the stand-ins' place. */

import { assertEquals } from "@std/assert";
import { walk } from "../../../lib/disk/files.ts";

/** What is used of each module. */
const GENUINE: Record<string, string[]> = {
  "@std/assert": [
    "assert",
    "assertAlmostEquals",
    "assertEquals",
    "assertExists",
    "assertMatch",
    "assertNotEquals",
    "assertRejects",
    "assertStringIncludes",
    "assertThrows",
  ],
  "@std/cli/parse-args": ["parseArgs"],
  "@std/testing/bdd": ["describe", "it"],
  "@std/yaml": ["parse", "stringify"],
};
/** Types that stand-ins export beside these; the genuine packages have them too. */
const TYPES = ["ParseOptions", "Args"];

const ROOT = new URL("../../../", import.meta.url).pathname;
const read = (path: string) => Deno.readTextFileSync(path);

Deno.test("every import from @std is of a module and of names that the genuine package has", () => {
  const files = [`${ROOT}mod.ts`, ...["lib", "tasks", "tests"].flatMap((folder) => walk(ROOT + folder))];
  const used: Record<string, Set<string>> = {};
  for (const path of files.filter((path) => path.endsWith(".ts"))) {
    for (const [, names, module] of read(path).matchAll(/^import (?:type )?\{([^}]*)\} from\s"(@std\/[^"]+)";$/gm)) {
      for (const name of names!.split(",").map((part) => part.trim()).filter(Boolean)) (used[module!] ??= new Set()).add(name);
    }
  }
  for (const [module, names] of Object.entries(used)) {
    assertEquals([...names].filter((name) => !GENUINE[module]?.includes(name)), [], `names of ${module}`);
  }
});

Deno.test("stand-ins export nothing else", () => {
  const known = [...Object.values(GENUINE).flat(), ...TYPES];
  for (const path of walk(`${ROOT}lib/std`).filter((path) => path.endsWith(".ts"))) {
    const names = [...read(path).matchAll(/^export (?:async )?(?:function|interface|const|class|type) (\w+)/gm)].map(([, name]) =>
      name!
    );
    assertEquals(names.filter((name) => !known.includes(name)), [], path);
  }
});

Deno.test("the installed modules have all these names", async () => {
  const modules: Record<string, Record<string, unknown>> = {
    "@std/assert": await import("@std/assert"),
    "@std/cli/parse-args": await import("@std/cli/parse-args"),
    "@std/testing/bdd": await import("@std/testing/bdd"),
    "@std/yaml": await import("@std/yaml"),
  };
  for (const [module, names] of Object.entries(GENUINE)) {
    assertEquals(names.filter((name) => typeof modules[module]![name] !== "function"), [], module);
  }
});
