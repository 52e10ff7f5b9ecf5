/** @file The README's operation works as it is written, in a copy of the sources. */

import { assert, assertEquals } from "@std/assert";
import { walk } from "../lib/disk/files.ts";
import { temporaryFolder } from "./support/files.ts";

const REPOSITORY = new URL("../", import.meta.url).pathname;
/** Tests of what every kernel has to do. */
const OF_KERNELS = [
  "tests/lib/gpu/kernel_test.ts",
  "tests/lib/gpu/wgsl_test.ts",
  "tests/lib/gpu/launch_bounds_test.ts",
  "tests/lib/structure_test.ts",
  "tests/kernels/every_entry_test.ts",
];

Deno.test("an operation takes the kernel, the function and the test that the README shows, and no change to another file", async () => {
  const recipe = /^### An operation$(.*?)^### /ms.exec(Deno.readTextFileSync(`${REPOSITORY}README.md`))![1]!;
  const files = Array.from(
    recipe.matchAll(/`([\w/]+\.(?:wgsl|ts))`:\n\n```[^\n]*\n(.*?)```/gs),
    ([, path, text]) => ({ path: path!, text: text! }),
  );
  assertEquals(files.map(({ path }) => path), ["kernels/asinh.wgsl", "lib/tensor/ops/asinh.ts", "tests/kernels/asinh_test.ts"]);
  using copy = temporaryFolder();
  for (const folder of ["kernels", "lib", "tasks", "tests/support", "tests/lib/gpu", "tests/kernels"]) {
    for (const path of walk(REPOSITORY + folder)) put(copy.path, path.slice(REPOSITORY.length), Deno.readFileSync(path));
  }
  for (const path of ["deno.json", "deno.lock", "README.md", "tests/lib/structure_test.ts"]) {
    put(copy.path, path, Deno.readFileSync(REPOSITORY + path));
  }
  for (const { path, text } of files) put(copy.path, path, new TextEncoder().encode(text));
  const args = [
    "test",
    "--lock=deno.lock",
    "--quiet",
    "--allow-read",
    "--allow-env=XDG_RUNTIME_DIR",
    ...OF_KERNELS,
    files[2]!.path,
  ];
  const { success, stdout, stderr } = await new Deno.Command("deno", { args, cwd: copy.path }).output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert(success, said);
  assert(said.includes("asinh() is its formula, forward and backward, by the kernels for GPUs"), said);
});

function put(folder: string, path: string, contents: Uint8Array): void {
  Deno.mkdirSync(`${folder}/${path}`.replace(/[^/]+$/, ""), { recursive: true });
  Deno.writeFileSync(`${folder}/${path}`, contents);
}
