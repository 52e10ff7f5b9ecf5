/** @file deno task kernels: what the adapter gets of kernels. */

import { kernels, kernelText, modelKernels, specialisationText } from "../lib/cli/kernels.ts";
import { rooted } from "../lib/cli/paths.ts";
import { runTask } from "../lib/cli/task.ts";
import { makeFolder, writeFileAtomic } from "../lib/disk/atomic.ts";

const usage = {
  task: "kernels",
  summary: "list the kernels, or print what the adapter gets of one: libraries in it, constants set, loops unrolled",
  positional: ["[NAME]"],
  options: {
    "entry=NAME": "entry point (all)",
    "set=CONST=VALUE": "value of a constant",
    "out=DIR": "write files there instead, such as reports/kernels",
  },
  repeated: ["set"],
  flags: { all: "every kernel as the published model's plans use it, on this adapter and on GPUs" },
};

await runTask(usage, async ({ args }) => {
  const [name] = args.positional;
  const texts = new Map<string, string>();
  if (args.has("all")) {
    const counts = new Map<string, number>();
    for (const used of await modelKernels()) {
      const title = `${used.kernel.name}.${used.entry}`;
      const number = (counts.get(title) ?? 0) + 1;
      counts.set(title, number);
      texts.set(`${title}.${number}`, specialisationText(used));
    }
  } else if (name !== undefined) texts.set(name, kernelText(name, { entry: args.get("entry"), set: args.all("set") }));
  else for (const [kernel, entries] of kernels()) console.log(`${kernel}: ${entries.join(", ")}`);
  const out = args.get("out");
  if (out === undefined) return texts.forEach((text) => console.log(text));
  const folder = rooted(out);
  makeFolder(folder);
  for (const [title, text] of texts) writeFileAtomic(`${folder}/${title}.wgsl`, text);
  console.log(`${texts.size} files are in ${folder}`);
});
