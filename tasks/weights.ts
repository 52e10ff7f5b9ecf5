/** @file deno task weights: fetches published weights. */

import { ConsoleReporter } from "../lib/cli/console.ts";
import { fetchFile } from "../lib/cli/fetch.ts";
import { rooted } from "../lib/cli/paths.ts";
import { runTask, UsageError } from "../lib/cli/task.ts";
import { readWeights } from "../lib/disk/weight_files.ts";

const usage = {
  task: "weights",
  summary: "fetch published weights into weights/, and check their hash",
  options: {
    "url=URL": "where they are, http or https; hosts beyond those named in deno.json: L2VIT_HOSTS=HOST,",
    "sha256=H": "SHA-256 of the file in hexadecimal, as published beside it",
    "out=FILE": "where they go (weights/ and the last part of the address)",
  },
  required: ["url", "sha256"],
};

const forbidden = (host: string) =>
  `Allow it by putting L2VIT_HOSTS="${host}," before the command, or download the file by other means`;

await runTask(usage, async ({ args, signal }) => {
  const url = args.need("url"), sha256 = args.need("sha256");
  if (!/^[0-9a-f]{64}$/i.test(sha256)) throw new UsageError(`--sha256 must have 64 hexadecimal digits: it is "${sha256}"`);
  const path = rooted(args.get("out") ?? `weights/${nameIn(url)}`);
  const verify = (partial: string) => {
    readWeights(partial);
    return Promise.resolve();
  };
  await fetchFile({ url, path, sha256, verify, forbidden }, new ConsoleReporter(), signal);
});

/** The last part of an address's path, as a file name. */
function nameIn(url: string): string {
  if (!URL.canParse(url) || !["http:", "https:"].includes(new URL(url).protocol)) {
    throw new UsageError(`--url must be an http or https address: it is "${url}"`);
  }
  const name = decodeURIComponent(new URL(url).pathname.split("/").at(-1)!);
  if (!/^[\w][\w.-]*$/.test(name)) throw new UsageError("the address does not end in a file name: name a file with --out");
  return name;
}
