/** @file What deno task doctor says about the adapter. */

import { assertMatch, assertStringIncludes } from "@std/assert";
import { fail, succeed, Workspace } from "../support/tasks.ts";

Deno.test("deno task doctor says whose WebGPU it is, checks the adapter's arithmetic and finds no problem", async () => {
  using workspace = new Workspace();
  const { stdout } = await succeed(workspace, "doctor");
  assertMatch(stdout, /WebGPU +wgpu, whose compiler of kernels is naga/);
  assertMatch(stdout, /self-check +matrix product off by \d\.\de-\d+ from double precision/);
});

Deno.test("deno task doctor does not take OpenGL for Vulkan", async () => {
  using workspace = new Workspace();
  workspace.env["DENO_WEBGPU_BACKEND"] = "gl";
  assertStringIncludes(await fail(workspace, "doctor", "--adapter"), "Vulkan driver");
});
