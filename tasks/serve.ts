/** @file deno task serve: the page of dist/, for this machine alone. */

import { runTask, UsageError } from "../lib/cli/task.ts";
import { exists } from "../lib/disk/files.ts";
import { serveFolder } from "../lib/disk/serve.ts";

const usage = {
  task: "serve",
  summary: "show the page of deno task bundle on 127.0.0.1",
  options: { "port=N": "where (8000)" },
};

await runTask(usage, async ({ args, signal }) => {
  if (!exists("dist/index.html")) throw new UsageError("There is no page in dist/. Make it with deno task bundle");
  const server = serveFolder("dist", args.whole("port") ?? 8000);
  console.log(`The page is at http://127.0.0.1:${server.addr.port}/ until Ctrl-C`);
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
  await server.shutdown();
});
