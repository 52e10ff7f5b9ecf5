/** @file deno task audit: every package that this program uses, and a failure if one was not approved. */

import { approved, audit } from "../tests/audit/audit.ts";
import { table } from "../lib/cli/console.ts";
import { runTask } from "../lib/cli/task.ts";
import { walk } from "../lib/disk/files.ts";

const usage = {
  task: "audit",
  summary: "list every package with version, licence, integrity and reason; exit 1 if deno.lock, deno.json or an import has others",
};
/** Programs of their own: peers, run by deno task bench --peers alone; ONNX Runtime, run by the test of exported models; Dawn in Node. */
const NOT_OURS = ["tests/bench/peers/", "tests/onnx_runtime/", "tests/dawn/"];

await runTask(usage, () => {
  const sources = new Map(
    ["mod.ts", ...["lib", "tasks", "tests"].flatMap((folder) => walk(folder))]
      .filter((path) => path.endsWith(".ts") && !NOT_OURS.some((folder) => path.startsWith(folder)))
      .map((path) => [path, Deno.readTextFileSync(path)]),
  );
  const [lock, config] = ["deno.lock", "deno.json"].map((path) => JSON.parse(Deno.readTextFileSync(path)));
  const list = approved({ lock, config }), problems = audit({ lock, config }, sources);
  console.log(table(
    ["package", "version", "licence", "used for"],
    list.map(({ name, version, licence, reason }) => [name, version, licence, reason]),
  ));
  console.log("\nIntegrity (hash of the contents, or the folder that serves them):");
  for (const { name, version, integrity } of list) console.log(`  ${name}@${version}  ${integrity}`);
  console.log("\nFor packages of @std that deno.json does not link, name and version are approved, and the hash is deno.lock's.");
  console.log("Beside these: Deno itself, with its node: modules, and the Vulkan driver of the adapter.");
  if (problems.length > 0) {
    throw new Error(
      `${problems.join("; ")}. If it is meant to be there, review it and add it to the lists in tests/audit/audit.ts`,
    );
  }
  console.log(`${sources.size} source files import nothing else.`);
});
