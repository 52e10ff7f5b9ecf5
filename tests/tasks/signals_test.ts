/** @file Signals of terminals and batch systems: the state is saved, the exit code says which, and no debugger listens. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { existsSync } from "node:fs";
import { readResume } from "../support/files.ts";
import { Workspace } from "../support/tasks.ts";
import { FINETUNE_TOY, writeToy } from "../support/toy.ts";
import { delay, epochsOf, until } from "../support/waiting.ts";

const UNIX = { ignore: Deno.build.os !== "linux" && Deno.build.os !== "darwin" };
/** More epochs than any test waits for. */
const ENDLESS = [...FINETUNE_TOY, "--set", "training.epochs=100000", "--set", "training.patience=100000", "--out", "runs/x"];
/** Where Deno's debugger listens. */
const DEBUGGER = { hostname: "127.0.0.1", port: 9229 };

function workspaceWithToy(): Workspace {
  const workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 100);
  return workspace;
}

/** Waits until a run has written the metrics of so many epochs. */
async function reach(epochs: number, workspace: Workspace, child: Deno.ChildProcess): Promise<void> {
  assert(await until(child, () => epochsOf(workspace, "x") >= epochs), "the run has ended before");
}

async function assertSaved(workspace: Workspace, { stderr }: Deno.CommandOutput): Promise<void> {
  assertStringIncludes(new TextDecoder().decode(stderr), "Run the same command again to go on");
  assert((await readResume(`${workspace.root}runs/x/resume.safetensors`)).state.step > 0);
}

const CODES = { SIGHUP: 129, SIGTERM: 143, SIGUSR1: 138, SIGUSR2: 140, SIGXCPU: 152 } as const;

for (const [signal, code] of Object.entries(CODES) as [keyof typeof CODES, number][]) {
  Deno.test({
    ignore: Deno.build.os !== "linux",
    name: `${signal} to deno task saves the run and ends with code ${code}`,
    fn: async () => {
      using workspace = workspaceWithToy();
      const child = workspace.command("finetune", ...ENDLESS).spawn();
      await reach(1, workspace, child);
      child.kill(signal);
      const output = await child.output();
      assertEquals(output.code, code);
      await assertSaved(workspace, output);
    },
  });
}

Deno.test({
  ...UNIX,
  name: "a signal that a terminal and deno task both send on is one request, and the state is saved",
  fn: async () => {
    using workspace = workspaceWithToy();
    const child = workspace.direct("finetune", ...ENDLESS).spawn();
    await reach(1, workspace, child);
    for (let i = 0; i < 3; i++) {
      child.kill("SIGINT");
      await delay(5);
    }
    const output = await child.output();
    assertEquals(output.code, 130);
    await assertSaved(workspace, output);
  },
});

Deno.test({
  ...UNIX,
  name: "SIGUSR1 opens no debugger, to the process itself as little as to deno task",
  fn: async () => {
    for (const start of ["command", "direct"] as const) {
      using workspace = workspaceWithToy();
      const child = workspace[start]("finetune", ...ENDLESS).spawn();
      await reach(1, workspace, child);
      let ended = false;
      const output = child.output().finally(() => ended = true);
      child.kill("SIGUSR1");
      while (!ended) {
        const connection = await Deno.connect(DEBUGGER).catch(() => undefined);
        connection?.close();
        assertEquals(connection, undefined, "a debugger listens");
      }
      await assertSaved(workspace, await output);
    }
  },
});

Deno.test({
  ignore: Deno.build.os !== "linux",
  name: "a run whose SIGHUP was ignored when it was started, as nohup does it, goes on after one",
  fn: async () => {
    using workspace = workspaceWithToy();
    const words = ENDLESS.map((word) => `'${word}'`).join(" ");
    const child = workspace.inShell(`trap '' HUP; exec deno task --quiet finetune ${words}`, "finetune").spawn();
    await reach(1, workspace, child);
    child.kill("SIGHUP");
    await reach(5, workspace, child);
    child.kill("SIGTERM");
    const output = await child.output();
    assertEquals(output.code, 143);
    await assertSaved(workspace, output);
  },
});

Deno.test({
  ...UNIX,
  name: "work that has nothing to save ends at the first signal too",
  fn: async () => {
    using workspace = new Workspace();
    const kernels = workspace.command("kernels", "--all", "--out", "reports/kernels").spawn();
    assert(await until(kernels, () => existsSync(`${workspace.root}reports/kernels`)), "it has ended before");
    kernels.kill("SIGINT");
    const bench = workspace.command("bench", "--only", "step-full").spawn();
    const reader = bench.stdout.getReader();
    assert(!(await reader.read()).done, "it has ended before");
    bench.kill("SIGTERM");
    reader.releaseLock();
    assertEquals([(await kernels.output()).code, (await bench.output()).code], [130, 143]);
    assertEquals(existsSync(`${workspace.root}reports/kernels`), false);
  },
});
