/** @file deno task kernels: what the adapter gets of kernels. */

import { kernels, kernelText } from "../lib/cli/kernels.ts";
import { modelKernels } from "../lib/cli/model_kernels.ts";
import { rooted } from "../lib/cli/paths.ts";
import { runTask } from "../lib/cli/task.ts";
import { makeOutputFolder, writeFileAtomic } from "../lib/disk/atomic.ts";

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
  flags: { all: "every kernel that plans use, for every kind of adapter, compiled by this one" },
};

await runTask(usage, async ({ args, signal }) => {
  const [name] = args.positional;
  const out = args.get("out"), folder = out === undefined ? undefined : rooted(out);
  using _folder = folder === undefined ? undefined : makeOutputFolder(folder);
  const texts = new Map<string, string>();
  if (args.has("all")) {
    const counts = new Map<string, number>();
    for (const [text, { specialisation: { kernel, entry }, kinds }] of await modelKernels(undefined, undefined, signal)) {
      const title = `${kernel.name}.${entry}`;
      const number = (counts.get(title) ?? 0) + 1;
      counts.set(title, number);
      texts.set(`${title}.${number}`, text.replace("\n", `\n// ${kinds.join(", ")}\n`));
    }
  } else if (name !== undefined) texts.set(name, kernelText(name, { entry: args.get("entry"), set: args.all("set") }));
  else for (const [kernel, entries] of kernels()) console.log(`${kernel}: ${entries.join(", ")}`);
  if (folder === undefined) return texts.forEach((text) => console.log(text));
  for (const [title, text] of texts) writeFileAtomic(`${folder}/${title}.wgsl`, text);
  console.log(`${texts.size} files are in ${folder}`);
});
