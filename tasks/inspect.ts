/** @file deno task inspect: says what a data file holds, or several. */

import { ConsoleReporter } from "../lib/cli/console.ts";
import { inspect } from "../lib/cli/inspect.ts";
import { rooted } from "../lib/cli/paths.ts";
import { runTask } from "../lib/cli/task.ts";

const QUANTITIES = ["images", "labels", "mass", "pt"] as const;

const usage = {
  task: "inspect",
  summary: "say what a data file holds, and whether it is a published one; or what several hold together",
  positional: ["FILE", "[FILE ...]"],
  options: {
    "images=NAME": "dataset of the images, where it is not the usual one",
    "labels=NAME": "the same for labels",
    "mass=NAME": "the same for masses",
    "pt=NAME": "the same for transverse momenta",
    "sample=N": "images to look at, spread over the files; 0: all (2000)",
    "index=LIST": "images to draw, such as 3,17 (the first, the middle and the last)",
    "out=DIR": "folder for pictures (reports/inspect)",
  },
  flags: { svg: "draw a few images as SVG, a panel for each channel" },
};

await runTask(usage, ({ args, signal }) =>
  inspect(args.positional.join(), {
    names: Object.fromEntries(QUANTITIES.flatMap((quantity) => args.get(quantity) ? [[quantity, args.get(quantity)]] : [])),
    sample: args.whole("sample") ?? 2000,
    pictures: args.has("svg") ? rooted(args.get("out") ?? "reports/inspect") : undefined,
    indices: args.list("index"),
    reporter: new ConsoleReporter(),
    signal,
  }));
