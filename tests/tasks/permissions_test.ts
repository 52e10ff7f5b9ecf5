/** @file What each task's flags allow, by trying: its script is replaced by one that tries everything else. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { temporaryFolder } from "../support/files.ts";
import { fail, Workspace } from "../support/tasks.ts";
import { writeToy } from "../support/toy.ts";

const REPOSITORY = new URL("../../", import.meta.url).pathname;
const { tasks } = JSON.parse(Deno.readTextFileSync(`${REPOSITORY}deno.json`)) as {
  tasks: Record<string, { command: string }>;
};

const writes = (...folders: string[]) => folders.map((folder) => `write its ${folder} folder`);

/** Data may be kept on another disk by a link; no task can make one. */
const READS_DATA = "follow a link that the user put into data";

/** What of the attempts each task is meant to be capable of. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  pretrain: [READS_DATA, ...writes("cache", "weights", "runs")],
  finetune: [READS_DATA, ...writes("cache", "weights", "runs")],
  watch: [],
  study: [READS_DATA, ...writes("cache", "runs")],
  mpi: [READS_DATA, ...writes("cache", "weights", "runs")],
  eval: [READS_DATA, ...writes("cache", "reports")],
  predict: [READS_DATA, ...writes("cache", "runs", "reports")],
  report: writes("reports"),
  explain: [READS_DATA, ...writes("cache", "reports")],
  probe: [READS_DATA, ...writes("cache")],
  convert: writes("weights", "runs"),
  export: writes("weights", "runs", "reports"),
  download: [READS_DATA, ...writes("data")],
  weights: writes("weights"),
  pack: [READS_DATA, ...writes("cache")],
  kernels: writes("reports"),
  inspect: [READS_DATA, ...writes("reports")],
  synth: [READS_DATA, ...writes("data")],
  demo: [],
  doctor: [READS_DATA],
  fuzz: [],
  soak: [],
  audit: [],
  bench: ["run another deno"],
  bundle: [],
  serve: ["connect", "fetch"],
};
/** Tasks that run tools of Deno with their own rights, on this repository alone, or no program at all. */
const TOOLS = ["check", "root", "scripts", "test"];

Deno.test("every task is probed", () => {
  assertEquals([...Object.keys(ALLOWED), ...TOOLS].toSorted(), Object.keys(tasks).toSorted());
});

for (const [name, allowed] of Object.entries(ALLOWED)) {
  Deno.test(`deno task ${name} can do nothing but ${allowed.join(", ") || "its work"}`, async () => {
    assertEquals(await probe(name), allowed.toSorted());
  });
}

Deno.test("deno task mpi alone may load a library, and no other than one file", async () => {
  const able = Object.entries(tasks).filter(([, { command }]) => command.includes("ffi")).map(([name]) => name);
  assertEquals(able, ["mpi"]);
  const allowed = ALLOWED["mpi"]!.toSorted();
  for (const library of ["/usr/lib/libmpi.so,/usr/lib", "/usr/lib/libmpi.so --allow-all", "/,", ""]) {
    assertEquals(await probe("mpi", { L2VIT_MPI: library }), allowed, library);
  }
});

Deno.test("L2VIT_HOSTS names hosts, and nothing else becomes of it", async () => {
  const allowed = ALLOWED["weights"]!.toSorted();
  for (const hosts of ["example.org,", "example.org,--allow-read,--allow-write,--allow-all,"]) {
    assertEquals(await probe("weights", { L2VIT_HOSTS: hosts }), allowed);
  }
  for (const hosts of ["x, --allow-all ", "x --allow-read ", "/etc/,", ","]) {
    const [error, ...more] = await probe("weights", { L2VIT_HOSTS: hosts });
    assertEquals([error!.includes("invalid"), more], [true, []], error);
  }
});

/** What a task's flags allow, or what its process says if they start none. */
async function probe(name: string, env: Record<string, string> = {}): Promise<string[]> {
  using copy = temporaryFolder();
  using workspace = temporaryFolder();
  const command = tasks[name]!.command.replace(/\S+ -- \$NOHUP$/, "forbidden.ts --");
  Deno.writeTextFileSync(
    `${copy.path}/deno.json`,
    JSON.stringify({ tasks: { root: tasks["root"], scripts: "true", [name]: command } }),
  );
  Deno.copyFileSync(`${REPOSITORY}tests/support/forbidden.ts`, `${copy.path}/forbidden.ts`);
  for (const folder of ["tasks", "kernels", "configs", ".git"]) Deno.mkdirSync(`${copy.path}/${folder}`);
  for (const script of ["mpi_library.sh", "vector_width.sh"]) {
    Deno.copyFileSync(`${REPOSITORY}tasks/${script}`, `${copy.path}/tasks/${script}`);
  }
  const root = `${workspace.path}/`;
  for (const folder of ["data", "cache", "weights", "runs", "reports"]) Deno.mkdirSync(root + folder);
  Deno.writeTextFileSync(`${root}secret.txt`, "secret");
  Deno.symlinkSync(`${root}secret.txt`, `${root}data/link.txt`);
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answering = answer(listener);
  const { stdout, stderr } = await new Deno.Command("deno", {
    args: ["task", "--quiet", name, root, `127.0.0.1:${listener.addr.port}`],
    cwd: copy.path,
    env: { L2VIT_ROOT: root, ...env },
  }).output();
  listener.close();
  await answering;
  const text = new TextDecoder().decode(stdout);
  return text === "" ? [new TextDecoder().decode(stderr)] : (JSON.parse(text) as string[]).toSorted();
}

Deno.test("permissions name the root within quotes, and are made after the task that checks it", () => {
  const nohup = "NOHUP=$(sh tasks/nohup.sh 2>/dev/null); ", root = "deno task --quiet root && ";
  const vectors = 'export LP_NATIVE_VECTOR_WIDTH="$(sh tasks/vector_width.sh 2>/dev/null)"; ';
  const trains = ["pretrain", "finetune", "mpi", "study", "bench"];
  for (const [name, { command }] of Object.entries(tasks)) {
    const before = nohup + (trains.includes(name) ? vectors : "") + root;
    const itself = command.replace(before, "").replace(/ -- \$NOHUP$/, "");
    assert(!itself.replaceAll(/"[^"]*"/g, "").includes("$"), `deno task ${name} lets the shell divide a variable`);
    if (command.includes("$L2VIT_ROOT.")) assert(command.startsWith(before), name);
  }
});

/** Roots that would widen the permissions to read to all files, or give the shell more than a name. */
const WIDENING = ["/,/", ",/", "/tmp/,/etc/,/", "!=,/etc/", "-n,/etc/", "x,!=,/etc/", "!,-d,/etc/"];
const UNUSABLE: Readonly<Record<string, string>> = {
  " /tmp/": "no space at its start",
  "/tmp/a  b/": "none after another",
  "/tmp/a\nb/": "no tab or line break",
  "/tmp/a\tb/": "no tab or line break",
  "/tmp": 'must end in a slash: it is "/tmp". Use L2VIT_ROOT="/tmp/"',
  "-A tasks/soak.ts": "must end in a slash",
};

Deno.test("a root with a comma is refused in one line, before anything runs", async () => {
  using workspace = new Workspace();
  for (const root of WIDENING) {
    workspace.env["L2VIT_ROOT"] = root;
    assertEquals(
      await fail(workspace, "convert", "/etc/hostname", "weights/x.safetensors"),
      "L2VIT_ROOT must name one folder, without a comma",
    );
  }
});

Deno.test("a root that is not a plain name is refused in one line, and runs nothing else", async () => {
  using workspace = new Workspace();
  for (const [root, says] of Object.entries(UNUSABLE)) {
    workspace.env["L2VIT_ROOT"] = root;
    assertStringIncludes(await fail(workspace, "convert", "/etc/hostname", "weights/x.safetensors"), says);
  }
});

Deno.test("a root may have spaces, quotes and equals signs in its name", async () => {
  for (const name of ["with a space", "it's", 'a "b"', "a=b", "$HOME", "*", "~"]) {
    using workspace = new Workspace();
    const root = `${workspace.root}${name}/`;
    Deno.mkdirSync(`${root}data`, { recursive: true });
    writeToy(`${root}data/toy.h5`, 40);
    workspace.env["L2VIT_ROOT"] = root;
    const { code, stdout, stderr } = await workspace.task("inspect", "data/toy.h5");
    assertEquals(code, 0, stderr);
    assertStringIncludes(stdout, `${root}data/toy.h5`);
  }
});

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
