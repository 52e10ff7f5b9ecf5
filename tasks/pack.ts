/** @file deno task pack: packs a data file ahead of training. */

import { ConsoleReporter } from "../lib/cli/console.ts";
import { rooted } from "../lib/cli/paths.ts";
import { runTask } from "../lib/cli/task.ts";
import { dataFiles } from "../lib/disk/data_paths.ts";
import { Loader } from "../lib/disk/loader.ts";
import { Interrupted } from "../lib/interrupted.ts";

const usage = {
  task: "pack",
  summary: "pack the non-zeros of a data file into the cache folder, as training does at its first start",
  options: {
    "data=FILE": "file with images, HDF5 or NumPy, or several",
    "cache=DIR": "folder for packed files (cache, as data.cache_dir)",
    "images=NAME": "dataset of the images, where it is not the usual one",
  },
  required: ["data"],
};

await runTask(usage, async ({ args, signal }) => {
  const reporter = new ConsoleReporter();
  const files = dataFiles(args.need("data"), rooted), cache = rooted(args.get("cache") ?? "cache");
  const path = files.length === 1 ? files[0]! : args.need("data");
  const images = args.get("images");
  using loader = await Loader.open(path, images === undefined ? {} : { images }, files.map((path) => ({ path })));
  const started = performance.now();
  try {
    await loader.pack(cache, reporter.counting(`packing ${path}`), signal, (line) => reporter.line(line));
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new Interrupted(`Stopped while packing ${path}; what is packed is kept in ${cache}`);
  }
  const seconds = (performance.now() - started) / 1000;
  const perImage = 4 * loader.words / loader.count;
  for (const remark of loader.remarks) reporter.line(`${path}: ${remark}`);
  reporter.line(
    `${path}: ${loader.count} images of ${loader.size} x ${loader.size} x ${loader.channels} packed in ${seconds.toFixed(1)} s, ` +
      `${perImage.toFixed(0)} bytes an image instead of ${4 * loader.size ** 2 * loader.channels}, in ${cache}`,
  );
});
