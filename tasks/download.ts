/** @file deno task download: fetches the two published files. */

import { ConsoleReporter } from "../lib/cli/console.ts";
import { fetchFile } from "../lib/cli/fetch.ts";
import { rooted } from "../lib/cli/paths.ts";
import { runTask } from "../lib/cli/task.ts";
import { PUBLISHED_FILES, type PublishedKind, verifyPublished } from "../lib/disk/published.ts";
import { formatBytes } from "../lib/format.ts";

/** First bytes of an HDF5 file. */
const HDF5 = Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a);
const KINDS: readonly PublishedKind[] = ["labelled", "unlabelled"];

const usage = {
  task: "download",
  summary: "fetch the published data files into data/, both of them unless one is named",
  flags: Object.fromEntries(KINDS.map((kind) => [kind, `the ${kind} file, ${formatBytes(PUBLISHED_FILES[kind].bytes)}`])),
};

await runTask(usage, async ({ args, signal }) => {
  const reporter = new ConsoleReporter();
  const chosen = KINDS.filter((kind) => args.has(kind));
  for (const kind of chosen.length > 0 ? chosen : KINDS) {
    const { name, url, bytes } = PUBLISHED_FILES[kind];
    const path = rooted(`data/${name}`);
    await fetchFile({ url, path, bytes, magic: HDF5, verify: (partial) => verifyPublished(partial, kind) }, reporter, signal);
  }
});
