/** @file What each task's flags allow, by trying: its script is replaced by one that tries everything else. */

import { assertEquals } from "@std/assert";
import { temporaryFolder } from "../support/files.ts";

const REPOSITORY = new URL("../../", import.meta.url).pathname;
const { tasks } = JSON.parse(Deno.readTextFileSync(`${REPOSITORY}deno.json`)) as { tasks: Record<string, { command: string }> };

const writes = (...folders: string[]) => folders.map((folder) => `write its ${folder} folder`);

/** Data may be kept on another disk by a link; no task can make one. */
const READS_DATA = "follow a link that the user put into data";

/** What of the attempts each task is meant to be capable of. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  pretrain: [READS_DATA, ...writes("cache", "weights", "runs")],
  finetune: [READS_DATA, ...writes("cache", "weights", "runs")],
  eval: [READS_DATA, ...writes("cache", "reports")],
  predict: [READS_DATA, ...writes("cache", "runs", "reports")],
  explain: [READS_DATA, ...writes("cache", "reports")],
  probe: [READS_DATA, ...writes("cache")],
  convert: writes("weights", "runs"),
  export: writes("weights", "runs", "reports"),
  download: [READS_DATA, ...writes("data")],
  weights: writes("weights"),
  pack: [READS_DATA, ...writes("cache")],
  inspect: [READS_DATA, ...writes("reports")],
  synth: [READS_DATA, ...writes("data")],
  demo: [],
  doctor: [READS_DATA],
  fuzz: [],
  soak: [],
  audit: [],
  bench: ["run another deno"],
};
/** Tasks that run tools of Deno with their own rights, on this repository alone. */
const TOOLS = ["check", "test"];

Deno.test("every task is probed", () => {
  assertEquals([...Object.keys(ALLOWED), ...TOOLS].toSorted(), Object.keys(tasks).toSorted());
});

for (const [name, allowed] of Object.entries(ALLOWED)) {
  Deno.test(`deno task ${name} can do nothing but ${allowed.join(", ") || "its work"}`, async () => {
    using copy = temporaryFolder();
    using workspace = temporaryFolder();
    const probe = tasks[name]!.command.replace(/\S+$/, "probe.ts");
    Deno.writeTextFileSync(`${copy.path}/deno.json`, JSON.stringify({ tasks: { [name]: probe } }));
    Deno.copyFileSync(`${REPOSITORY}tests/support/probe.ts`, `${copy.path}/probe.ts`);
    for (const folder of ["tasks", "kernels", "configs", ".git"]) Deno.mkdirSync(`${copy.path}/${folder}`);
    const root = `${workspace.path}/`;
    for (const folder of ["data", "cache", "weights", "runs", "reports"]) Deno.mkdirSync(root + folder);
    Deno.writeTextFileSync(`${root}secret.txt`, "secret");
    Deno.symlinkSync(`${root}secret.txt`, `${root}data/link.txt`);
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const answering = answer(listener);
    const { stdout, stderr } = await new Deno.Command("deno", {
      args: ["task", "--quiet", name, root, `127.0.0.1:${listener.addr.port}`],
      cwd: copy.path,
      env: { L2VIT_ROOT: root },
    }).output();
    listener.close();
    await answering;
    const text = new TextDecoder().decode(stdout);
    const worked: string[] = text === "" ? [new TextDecoder().decode(stderr)] : JSON.parse(text);
    assertEquals(worked.toSorted(), allowed.toSorted());
  });
}

/** Answers whoever connects, so that an attempt fails only if it is forbidden. */
async function answer(listener: Deno.Listener): Promise<void> {
  try {
    for await (const connection of listener) {
      await connection.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"));
      connection.close();
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
