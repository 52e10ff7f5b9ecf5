/** @file deno task bundle: what the page in dist/ needs beside its scripts, which deno bundle has written there before. */

import { ConsoleReporter, table } from "../lib/cli/console.ts";
import { runTask } from "../lib/cli/task.ts";
import { openGpu } from "../lib/cli/training.ts";
import { writeFileAtomic } from "../lib/disk/atomic.ts";
import { exists, walk } from "../lib/disk/files.ts";
import { FIGURE_STYLE } from "../lib/report/svg.ts";
import { isExample, makeExample } from "../lib/web/example.ts";

const SOURCES = "lib/web", DIST = "dist";

const usage = {
  task: "bundle",
  summary: "write the page, with its example, into dist/",
  flags: { quick: "with a small example, for trying the page itself", fresh: "make the example anew that is there already" },
};

await runTask(usage, async ({ args, signal }) => {
  const reporter = new ConsoleReporter();
  const read = (name: string) => Deno.readTextFileSync(`${SOURCES}/${name}`);
  for (const name of ["index.html", "icon.svg"]) writeFileAtomic(`${DIST}/${name}`, read(name));
  writeFileAtomic(`${DIST}/style.css`, `${FIGURE_STYLE}\n${read("style.css")}`);
  for (const path of walk(DIST).filter((path) => path.endsWith(".js"))) {
    writeFileAtomic(path, withoutComments(Deno.readTextFileSync(path)));
  }
  const quick = args.has("quick"), files = ["example.safetensors", "model.safetensors"].map((name) => `${DIST}/${name}`);
  if (!args.has("fresh") && files.every(exists) && isExample(Deno.readFileSync(files[0]!), quick)) {
    reporter.line("The example that is there is kept; --fresh makes it anew");
  } else {
    using gpu = await openGpu(reporter);
    const made = await makeExample(gpu, reporter, signal, quick);
    for (const [i, bytes] of [made.example, made.model].entries()) writeFileAtomic(files[i]!, bytes);
  }
  reporter.line(table(["file of the page", "size", "compressed"], await sizes()));
  reporter.line(`\nThe page is in ${DIST}/: any server of files shows it, and so does deno task serve`);
});

/** A script whose kernels have no lines of comments, but for those that are read: nothing else in it has lines that begin so. */
function withoutComments(script: string): string {
  return script.replaceAll(/^ *\/\/(?! unroll\b| uses ).*\n/gm, "");
}

/** Files with their sizes, as they are and as servers send them. */
async function sizes(): Promise<string[][]> {
  return await Promise.all(
    walk(DIST).map(async (path) => {
      const packed = new Blob([Deno.readFileSync(path)]).stream().pipeThrough(new CompressionStream("gzip"));
      const bytes = await new Response(packed).bytes();
      const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`;
      return [path.slice(DIST.length + 1), kilobytes(Deno.statSync(path).size), kilobytes(bytes.length)];
    }),
  );
}
