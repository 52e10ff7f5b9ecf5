/** @file deno task kernels prints what the adapter gets of kernels. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { modelKernels } from "../../lib/cli/model_kernels.ts";
import { hideWaylandWarning } from "../../lib/cli/task.ts";
import { smallConfig } from "../support/methods.ts";
import { fail, succeed, Workspace } from "../support/tasks.ts";

Deno.test("deno task kernels lists kernels with their entry points", async () => {
  using workspace = new Workspace();
  const { stdout } = await succeed(workspace, "kernels");
  assertMatch(stdout, /^gelu: forward, backward$/m);
  assertMatch(stdout, /^matmul_tiled: tiled$/m);
});

Deno.test("deno task kernels NAME prints a kernel with what it uses, its constants set and its loops unrolled", async () => {
  using workspace = new Workspace();
  const { stdout } = await succeed(workspace, "kernels", "transpose", "--entry", "main", "--set", "WIDTH=32");
  assertStringIncludes(stdout, "const WIDTH: u32 = 32u;");
  assertStringIncludes(stdout, "fn group_number(");
  assertStringIncludes(stdout, "rows[3u] = x[first + (4u * i + 3u) * dims.columns4 + j];");
  assertEquals(/unroll|uses|segment_start/.test(stdout), false, stdout);
  await succeed(workspace, "kernels", "transpose", "--out", "reports/kernels");
  assertStringIncludes(new TextDecoder().decode(workspace.read("reports/kernels/transpose.wgsl")), "const WIDTH: u32 = 64u;");
});

Deno.test("deno task kernels refuses names and values that there are not", async () => {
  using workspace = new Workspace();
  assertStringIncludes(
    await fail(workspace, "kernels", "gelo"),
    'There is no kernel "gelo": there are active_tokens, adamw, add, ',
  );
  assertStringIncludes(await fail(workspace, "kernels", "gelu", "--entry", "main"), "it has forward, backward");
  assertStringIncludes(
    await fail(workspace, "kernels", "gelu", "--set", "WIDTH=wide"),
    "--set WIDTH=wide is no constant with its value",
  );
  assertStringIncludes(await fail(workspace, "kernels", "gelu", "--set", "N=3"), 'it declares no constant "N"');
});

Deno.test("modelKernels() finds and compiles what every method launches, on adapters with no more than the guaranteed limits too", async () => {
  hideWaylandWarning();
  const kinds = ["GPU with guaranteed limits", "GPU with subgroups of 32", "software with subgroups of 8"];
  const found = [...(await modelKernels(smallConfig(4), kinds)).values()];
  const names = new Set(found.map(({ specialisation: { kernel, entry } }) => `${kernel.name}.${entry}`));
  const some = ["layer_norm.forward", "layer_norm_group.forward", "nt_xent.backward", "masked_error.forward", "adamw.update"];
  for (const entry of ["sums", "pixels", "backward"]) some.push(`token_targets.${entry}`);
  for (const name of [...some, "attention_received.receive", "running_mean.update"]) assert(names.has(name), name);
  for (const kind of kinds) assert(found.some((kernel) => kernel.kinds.join() === kind), kind);
  const constants = found.map(({ specialisation }) => specialisation.constants);
  assert(constants.some(({ SUBGROUP }) => SUBGROUP === true));
  assert(constants.some(({ ACTIVE, BY_IMAGE }) => ACTIVE === true && BY_IMAGE === true));
});
