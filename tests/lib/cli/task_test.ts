/** @file A command line is taken word for word, or refused in one line. */

import { assertStringIncludes } from "@std/assert";
import { fail, Workspace } from "../../support/tasks.ts";

for (
  const [args, expected] of [
    [["inspect", "--colour=red", "a.h5"], `unknown argument "--colour=red"`],
    [["inspect", "--no-svg", "a.h5"], `unknown argument "--no-svg"`],
    [["inspect", "--no-out=reports/x", "a.h5"], `unknown argument "--no-out=reports/x"`],
    [["inspect", "-s", "a.h5"], `unknown argument "-s"`],
    [["inspect", "--svg=no", "a.h5"], "--svg takes no value"],
    [["inspect", "--out=", "a.h5"], "--out needs a value"],
    [["inspect", "a.h5", "--out", "--svg"], "--out needs a value"],
    [["kernels", "a", "b"], "there are 2 names"],
    [["inspect", "a.h5", "b.h5"], 'may not use "a.h5"'],
    // names that look like numbers, or like options
    [["inspect", "data/007"], "data/007"],
    [["inspect", "0x10"], `"0x10"`],
    [["inspect", "--", "--svg"], `"--svg"`],
    [["audit", "--", "x"], `unknown argument "x"`],
  ] as [[string, ...string[]], string][]
) {
  Deno.test(`deno task ${args.join(" ")} is answered by: ${expected}`, async () => {
    using workspace = new Workspace();
    assertStringIncludes(await fail(workspace, ...args), expected);
  });
}
