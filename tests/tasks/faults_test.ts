/** @file What the adapter refuses ends a task in one line that says what was refused and what to do. */

import { assertStringIncludes } from "@std/assert";
import { walk } from "../../lib/disk/files.ts";
import { temporaryFolder } from "../support/files.ts";
import { fail, Workspace } from "../support/tasks.ts";
import { FINETUNE_TOY, writeToy } from "../support/toy.ts";

const REPOSITORY = new URL("../../", import.meta.url).pathname;

/** A copy of the program in which one kernel is changed. */
function copyWith(kernel: string, change: (source: string) => string): ReturnType<typeof temporaryFolder> {
  const copy = temporaryFolder();
  const files = ["deno.json", "deno.lock", ...["lib", "kernels", "tasks", "configs"].flatMap((name) => walk(REPOSITORY + name))];
  for (const file of files.map((path) => path.replace(REPOSITORY, ""))) {
    Deno.mkdirSync(`${copy.path}/${file}`.replace(/\/[^/]*$/, ""), { recursive: true });
    Deno.copyFileSync(REPOSITORY + file, `${copy.path}/${file}`);
  }
  const path = `${copy.path}/kernels/${kernel}.wgsl`;
  const source = Deno.readTextFileSync(path), changed = change(source);
  if (changed === source) throw new Error(`${kernel}.wgsl was not changed`);
  Deno.writeTextFileSync(path, changed);
  return copy;
}

for (
  const [what, change, says] of [
    ["is no WGSL", (source) => source.replaceAll("  let row", "  lett row"), "parsing error"],
    [
      "is larger than a workgroup may be",
      (source) => source.replaceAll("@workgroup_size(WIDTH)", "@workgroup_size(99999)"),
      "out of range",
    ],
  ] as [string, (source: string) => string, string][]
) {
  Deno.test(`a kernel that ${what} ends the task in one line that names it, with a remedy`, async () => {
    using copy = copyWith("layer_norm", change);
    using workspace = new Workspace(`${copy.path}/`);
    writeToy(`${workspace.root}data/toy.h5`, 100);
    const line = await fail(workspace, "finetune", ...FINETUNE_TOY, "--out", "runs/x");
    assertStringIncludes(line, "The adapter refused kernel layer_norm.forward");
    assertStringIncludes(line, says);
    assertStringIncludes(line, "update the driver, or use another adapter");
  });
}
