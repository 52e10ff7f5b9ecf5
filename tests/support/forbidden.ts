/** @file Tries what a task must not be able to do, and prints what worked. Run in place of a task, with its flags. */

const [folder, address] = Deno.args as [string, string];
const remote = `http://${address}/x.ts`;

const attempts: Record<string, () => unknown> = {
  "read /etc/passwd": () => Deno.readTextFileSync("/etc/passwd"),
  "read the home folder": () => Array.from(Deno.readDirSync("/root")),
  "read beside its folders": () => Deno.readTextFileSync(`${folder}secret.txt`),
  "read by climbing out": () => Deno.readTextFileSync(`${folder}data/../secret.txt`),
  "make a link": () => Deno.symlinkSync("/etc/passwd", `${folder}runs/made`),
  "follow a link that the user put into data": () => Deno.readTextFileSync(`${folder}data/link.txt`),
  "read its own source's neighbour .git": () => Array.from(Deno.readDirSync(".git")),
  "write beside its folders": () => Deno.writeTextFileSync(`${folder}written.txt`, "x"),
  "write by climbing out": () => Deno.writeTextFileSync(`${folder}runs/../written.txt`, "x"),
  "write a task": () => Deno.writeTextFileSync("tasks/written.ts", "x"),
  "write a kernel": () => Deno.writeTextFileSync("kernels/written.wgsl", "x"),
  "write a configuration": () => Deno.writeTextFileSync("configs/written.yaml", "x"),
  "read an environment variable": () => Deno.env.get("HOME"),
  "read all environment variables": () => Deno.env.toObject(),
  "run a program": () => new Deno.Command("/bin/true").outputSync(),
  "run another deno": () => new Deno.Command("deno", { args: ["--version"] }).outputSync(),
  "load a native library": () => Deno.dlopen("libc.so.6", {}),
  "connect": async () => (await Deno.connect({ hostname: address.split(":")[0]!, port: Number(address.split(":")[1]) })).close(),
  "fetch": () => fetch(remote),
  "listen": () => Deno.listen({ port: 0 }).close(),
  "import from the network": () => import(remote),
  "read the machine's name": () => Deno.hostname(),
  "write its data folder": () => Deno.writeTextFileSync(`${folder}data/written.txt`, "x"),
  "write its cache folder": () => Deno.writeTextFileSync(`${folder}cache/written.txt`, "x"),
  "write its weights folder": () => Deno.writeTextFileSync(`${folder}weights/written.txt`, "x"),
  "write its runs folder": () => Deno.writeTextFileSync(`${folder}runs/written.txt`, "x"),
  "write its reports folder": () => Deno.writeTextFileSync(`${folder}reports/written.txt`, "x"),
};

const worked: string[] = [];
for (const [name, attempt] of Object.entries(attempts)) {
  try {
    await attempt();
    worked.push(name);
  } catch (error) {
    // a refusal is what is hoped for; a connection that fails for another reason was allowed
    if (!(error instanceof Deno.errors.NotCapable) && !/Requires .* access/.test((error as Error).message)) worked.push(name);
  }
}
console.log(JSON.stringify(worked));
// tasks are started by deno bench, which would go on to print a table
Deno.exit();
