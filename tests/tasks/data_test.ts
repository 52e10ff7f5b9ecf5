/** @file Tasks on data files as a user runs them: inspect, pack, weights. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { sha256 } from "../../lib/data/fingerprint.ts";
import { Hdf5Writer } from "../../lib/disk/hdf5_writer.ts";
import { serve, whole } from "../support/server.ts";
import { fail, succeed, Workspace } from "../support/tasks.ts";
import { TOY_MODEL, writeToy } from "../support/toy.ts";
import { until } from "../support/waiting.ts";

const LABELLED = "data/s/Dataset_Specific_labelled_full_only_for_2i.h5";

Deno.test("deno task inspect says what a generated file holds, and draws it", async () => {
  using workspace = new Workspace();
  await succeed(workspace, "synth", "--out", "data/s", "--labelled", "300");
  const { stdout } = await succeed(workspace, "inspect", LABELLED, "--svg", "--index", "3,299");
  for (
    const text of [
      "(300, 125, 125, 8)",
      "float 32 bit",
      "of class 1",
      "Mass in GeV: ",
      "pT in GeV: ",
      "all 300; 98.",
      "whole numbers from 0 to 255",
      "4 HCAL",
      "hand-made features",
      "This is not the published labelled file",
    ]
  ) assertStringIncludes(stdout, text);
  for (const index of [3, 299]) {
    const svg = new TextDecoder().decode(workspace.read(`reports/inspect/Dataset_Specific_labelled_full_only_for_2i-${index}.svg`));
    assertStringIncludes(svg, `Image ${index}, class`);
    assertStringIncludes(svg, "\u0394\u03c6 (rad)");
    assert(!/NaN|undefined|Infinity/.test(svg), "the picture holds something that is no number");
  }
  assertStringIncludes(
    await fail(workspace, "inspect", LABELLED, "--svg", "--index", "300"),
    "there is no image 300: the last is 299",
  );
});

Deno.test("deno task inspect takes files of other shapes, and refuses what is none", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 100);
  const { stdout } = await succeed(workspace, "inspect", "data/toy.h5");
  assertStringIncludes(stdout, "(100, 12, 12, 2)");
  Deno.writeTextFileSync(`${workspace.root}data/page.h5`, "<html>");
  assertStringIncludes(await fail(workspace, "inspect", "data/page.h5"), "data/page.h5: this is not an HDF5 file");
  assertStringIncludes(await fail(workspace, "inspect"), "FILE is missing");
  assertStringIncludes(await fail(workspace, "inspect", "data/toy.h5", "data/more.h5"), "data/more.h5: there is no such file");
});

Deno.test("deno task pack stops at Ctrl-C, keeps what it has, and goes on", async () => {
  using workspace = new Workspace();
  const count = 8000;
  // the images after the first are holes: 4 GB that take no disk
  {
    using writer = new Hdf5Writer(`${workspace.root}data/big.h5`, [{ name: "jet", shape: [count, 125, 125, 8] }]);
    writer.write("jet", 0, new Float32Array(125 * 125 * 8).map((_, i) => i % 100 === 0 ? 7 : 0));
  }
  const child = workspace.command("pack", "--data", "data/big.h5").spawn();
  const packed = () =>
    Array.from(list(`${workspace.root}cache`)).filter((name) => name.endsWith(".index"))
      .some((name) => Deno.statSync(`${workspace.root}cache/${name}`).size > 0);
  assert(await until(child, packed), "the packing ended before it was stopped");
  child.kill("SIGINT");
  const { code, stderr } = await child.output();
  assertEquals(code, 130);
  assertStringIncludes(new TextDecoder().decode(stderr), "what is packed is kept");
  const { stdout } = await succeed(workspace, "pack", "--data", "data/big.h5");
  assertStringIncludes(stdout, `${count} images of 125 x 125 x 8 packed`);
  assertEquals(list(`${workspace.root}cache`).filter((name) => !name.endsWith(".safetensors")), []);
});

Deno.test("inspect, pack and training say how many images are empty and which chunks and masses were never written", async () => {
  using workspace = new Workspace();
  const count = 40, size = 12, channels = 2;
  {
    using writer = new Hdf5Writer(`${workspace.root}data/half.h5`, [
      { name: "jet", shape: [count, size, size, channels] },
      ...["Y", "m"].map((name) => ({ name, shape: [count, 1] })),
    ]);
    const perImage = size * size * channels;
    writer.write("jet", 0, Float32Array.from({ length: 25 * perImage }, (_, i) => i % 17 === 0 ? 1 + i % 255 : 0));
    writer.write("Y", 0, Float32Array.from({ length: count }, (_, i) => i % 2));
    writer.write("m", 0, Float32Array.from({ length: 30 }, (_, i) => 100 + i));
  }
  const empty = "15 of 40 images are empty, the first is 25";
  const { stdout } = await succeed(workspace, "inspect", "data/half.h5");
  assertStringIncludes(stdout, `Beware: ${empty}`);
  assertStringIncludes(stdout, "10 of 40 values of Mass are exactly 0, the first is that of image 30");
  assertStringIncludes((await succeed(workspace, "pack", "--data", "data/half.h5")).stdout, empty);
  const toy = ["data.labelled_path=data/half.h5", "data.batch_size=8", "training.max_steps=1"].flatMap((pair) => ["--set", pair]);
  const training = await succeed(
    workspace,
    "finetune",
    "--config",
    "configs/scratch.yaml",
    ...TOY_MODEL,
    ...toy,
    "--out",
    "runs/a",
  );
  assertStringIncludes(training.stdout, empty);
  assertStringIncludes(training.stdout, "10 of 40 masses are exactly 0");

  Deno.copyFileSync(new URL("../fixtures/hdf5/strips.h5", import.meta.url), `${workspace.root}data/strips.h5`);
  const strips = await succeed(workspace, "pack", "--data", "data/strips.h5", "--images", "filled");
  const unwritten = "3 of 4 chunks were never written, the first of images 0 to 1";
  assertStringIncludes(strips.stdout, `5 of 7 images are empty, the first is 0; ${unwritten}`);
  writeDataset(`${workspace.root}data/none.h5`, "jet", [20, size, size, channels]);
  const none = ["data.unlabelled_path=data/none.h5", "data.batch_size=8"].flatMap((pair) => ["--set", pair]);
  const refusal = await fail(
    workspace,
    "pretrain",
    "--config",
    "configs/pretrain_simclr.yaml",
    ...TOY_MODEL,
    ...none,
    "--out",
    "runs/b",
  );
  assertStringIncludes(refusal, "all 20 images are empty");
});

/** Files that no task can use, and what is said about them. */
const BROKEN: Readonly<Record<string, { readonly write: (path: string) => void; readonly says: string }>> = {
  "cut short": {
    write(path) {
      writeToy(path, 50);
      Deno.truncateSync(path, 10_000);
    },
    says: "the file is cut short",
  },
  "empty": { write: (path) => Deno.writeFileSync(path, new Uint8Array(0)), says: "the file is empty" },
  "no HDF5": { write: (path) => Deno.writeTextFileSync(path, "<html>".repeat(200)), says: "this is not an HDF5 file" },
  "without images": {
    write: (path) => writeDataset(path, "spam", [5, 12, 12, 2]),
    says: "there is no dataset jet or X_jets or images",
  },
  "of another shape": { write: (path) => writeDataset(path, "jet", [5, 288]), says: 'dataset "jet" has shape (5, 288)' },
  "without a single image": { write: (path) => writeDataset(path, "jet", [0, 12, 12, 2]), says: 'dataset "jet" holds no image' },
  "of text": {
    write: (path) => Deno.copyFileSync(new URL("../fixtures/hdf5/text.h5", import.meta.url), path),
    says: "holds text, which cannot be read here",
  },
  "with NaN": {
    write(path) {
      using writer = new Hdf5Writer(path, [{ name: "jet", shape: [5, 12, 12, 2] }]);
      writer.write("jet", 3, new Float32Array(288).fill(NaN, 7, 8));
    },
    says: 'dataset "jet": image 3 holds NaN',
  },
};

for (const [name, { write, says }] of Object.entries(BROKEN)) {
  Deno.test(`deno task pack refuses a file ${name} in one line, and leaves nothing in the cache`, async () => {
    using workspace = new Workspace();
    write(`${workspace.root}data/broken.h5`);
    const line = await fail(workspace, "pack", "--data", "data/broken.h5");
    assertStringIncludes(line, `${workspace.root}data/broken.h5: `);
    assertStringIncludes(line, says);
    assertEquals(list(`${workspace.root}cache`), []);
  });
}

function writeDataset(path: string, name: string, shape: readonly number[]): void {
  using _writer = new Hdf5Writer(path, [{ name, shape }]);
}

Deno.test("deno task weights fetches weights, and refuses others than were asked for", async () => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, 60);
  const toy = ["data.labelled_path=data/toy.h5", "data.batch_size=20", "training.max_steps=1"].flatMap((pair) => ["--set", pair]);
  await succeed(workspace, "finetune", "--config", "configs/scratch.yaml", ...TOY_MODEL, ...toy, "--out", "runs/a");
  const file = workspace.read("runs/a/best.safetensors");
  const hash = await sha256(Uint8Array.from(file));
  using server = serve(() => whole(file));
  const url = server.url.replace("jets.h5", "tiny.safetensors");
  const { host } = new URL(url);
  const refusal = await fail(workspace, "weights", "--url", url, "--sha256", hash);
  assertStringIncludes(refusal, `${host}, which this task may not reach. Allow it by putting L2VIT_HOSTS="${host},"`);
  workspace.env["L2VIT_HOSTS"] = `${host},`;
  await succeed(workspace, "weights", "--url", url, "--sha256", hash);
  assertEquals(workspace.read("weights/tiny.safetensors"), file);
  const other = ["--url", url, "--sha256", "0".repeat(64), "--out", "weights/other.safetensors"];
  assertStringIncludes(await fail(workspace, "weights", ...other), `the SHA-256 of what came is ${hash}`);
  assertEquals(list(`${workspace.root}weights`).includes("other.safetensors"), false);
  assertStringIncludes(await fail(workspace, "weights", "--url", url, "--sha256", "12"), "64 hexadecimal digits");
  assertStringIncludes(await fail(workspace, "weights", "--url", "file:///etc/passwd", "--sha256", hash), "http or https");
});

function list(folder: string): string[] {
  try {
    return Array.from(Deno.readDirSync(folder), ({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
