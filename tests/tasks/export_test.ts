/** @file `deno task export`: ONNX Runtime and `deno task predict` agree on the same file, and what cannot be exported is refused. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { MASS } from "../../lib/data/targets.ts";
import { Hdf5Writer } from "../../lib/disk/hdf5_writer.ts";
import type { TrainedOn } from "../../lib/data/provenance.ts";
import type { ModelConfig } from "../../lib/nn/config.ts";
import { isHead } from "../../lib/nn/heads.ts";
import { readTensors } from "../../lib/disk/weight_files.ts";
import { outputNames } from "../../lib/weights/onnx_graph.ts";
import { encodeInfo, type WeightsInfo } from "../../lib/weights/weights_info.ts";
import { Random } from "../../lib/random.ts";
import { type OnnxJob, type OnnxOutputs, runOnnx } from "../support/onnx_runtime.ts";
import { messages, texts, wholes } from "../support/protobuf.ts";
import { fail, succeed, Workspace } from "../support/tasks.ts";
import { infoOf, randomState, SMALL_MODEL, writeWeights } from "../support/weights.ts";

const FIXTURES = new URL("../fixtures/torch/", import.meta.url).pathname;
const IMAGES = 5;
/** What else is told of the models. */
const INFO: Readonly<Record<string, Partial<WeightsInfo>>> = {
  odd: { transform: "log1p", targets: [{ ...MASS, mean: 5, std: 0.3, log: true }] },
  classes: {
    transform: "sqrt",
    targets: [
      { name: "m", unit: "GeV", mean: 142, std: 51, log: false },
      { name: "pT/of jet", unit: "", mean: 6, std: 0.2, log: true },
      { name: "logits", unit: "cm", mean: 0, std: 1e-3, log: false },
    ],
  },
};
const MODELS: Readonly<Record<string, Partial<ModelConfig>>> = {
  plain: { depth: 2 },
  // 2 pixels are left out, 9 tokens, 6 numbers a head, another MLP and kernel, a floor that is not reached
  odd: {
    in_channels: 3,
    img_size: 17,
    patch_size: 5,
    embed_dim: 18,
    num_heads: 3,
    mlp_ratio: 1.5,
    lcm_kernel: 5,
    denominator_floor: 1e-6,
  },
  classes: { num_classes: 3, num_targets: 3, head_hidden: 7, denominator_floor: 1 },
  pixels: {
    in_channels: 1,
    img_size: 5,
    patch_size: 1,
    embed_dim: 6,
    num_heads: 1,
    lcm_kernel: 1,
    num_classes: 10,
    denominator_floor: 10,
  },
};

/** Images (n, size, size, channels) of whole numbers, mostly zeros. */
function imagesFor({ img_size, in_channels }: ModelConfig): Float32Array {
  const random = new Random(7, 98);
  const pixel = () => random.uniform() < 0.2 ? random.below(256) : 0;
  return Float32Array.from({ length: IMAGES * img_size * img_size * in_channels }, pixel);
}

/** The same as (n, channels, size, size). */
function channelsFirst(images: Float32Array, { img_size, in_channels }: ModelConfig): Float32Array {
  const pixels = img_size * img_size;
  return images.map((_, i) => {
    const image = Math.floor(i / (pixels * in_channels)), channel = Math.floor(i / pixels) % in_channels;
    return images[(image * pixels + i % pixels) * in_channels + channel]!;
  });
}

/** Writes weights and images, and gives what predict makes of them. */
async function predicted(workspace: Workspace, name: string, model: ModelConfig, images: Float32Array): Promise<OnnxOutputs> {
  writeWeights(`${workspace.root}weights/${name}.safetensors`, randomState(model, 5), { ...infoOf(model), ...INFO[name] });
  const shape = [IMAGES, model.img_size, model.img_size, model.in_channels];
  {
    using writer = new Hdf5Writer(`${workspace.root}data/${name}.h5`, [{ name: "jet", shape }]);
    writer.write("jet", 0, images);
  }
  const files = ["--weights", `weights/${name}.safetensors`, "--data", `data/${name}.h5`, "--out", `reports/${name}.csv`];
  await succeed(workspace, "predict", ...files);
  const lines = new TextDecoder().decode(workspace.read(`reports/${name}.csv`)).trim().split(/\r?\n/).map((line) =>
    line.split(",")
  );
  const [titles, ...rows] = lines as [string[], ...string[][]];
  const columns = (title: RegExp) => titles.flatMap((text, i) => title.test(text) ? [i] : []);
  const values = (title: RegExp) => rows.flatMap((row) => columns(title).map((i) => Number(row[i])));
  const scores = [IMAGES, model.num_classes];
  return {
    logits: { dims: scores, data: values(/^logit_/) },
    probabilities: { dims: scores, data: values(/^prob_/) },
    ...Object.fromEntries(
      outputNames(INFO[name]?.targets ?? [MASS]).map((output, t) => {
        // columns of targets follow that of the class
        return [output, { dims: [IMAGES], data: rows.map((row) => Number(row[titles.indexOf("class") + 1 + t])) }];
      }),
    ),
  };
}

/** The first images of some outputs. */
function firstOf(outputs: OnnxOutputs, images: number): OnnxOutputs {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { dims: [all, ...rest], data }]) => {
      return [name, { dims: [images, ...rest], data: data.slice(0, images * data.length / all!) }];
    }),
  );
}

Deno.test("ONNX Runtime gives what deno task predict gives, for odd sizes, deep heads, several classes and targets, and both layouts", async () => {
  using workspace = new Workspace();
  const jobs: OnnxJob[] = [], expected: { what: string; outputs: OnnxOutputs }[] = [];
  for (const [name, changes] of Object.entries(MODELS)) {
    const model = { ...SMALL_MODEL, ...changes }, images = imagesFor(model);
    const outputs = await predicted(workspace, name, model, images);
    const { img_size: size, in_channels: channels } = model;
    for (const layout of ["channels-last", "channels-first"]) {
      const file = `reports/${name}.${layout}.onnx`;
      await succeed(workspace, "export", "--weights", `weights/${name}.safetensors`, "--out", file, "--layout", layout);
      const [input, axes] = layout === "channels-last"
        ? [images, [size, size, channels]]
        : [channelsFirst(images, model), [channels, size, size]];
      for (const count of [1, IMAGES]) {
        jobs.push({
          model: workspace.root + file,
          images: input.subarray(0, count * input.length / IMAGES),
          shape: [count, ...axes],
        });
        expected.push({ what: `${count} images of ${file}`, outputs: firstOf(outputs, count) });
      }
    }
  }
  const results = await runOnnx(jobs);
  for (const [i, { what, outputs }] of expected.entries()) {
    assertEquals(Object.keys(results[i]!), Object.keys(outputs), what);
    for (const [name, { dims, data }] of Object.entries(outputs)) {
      assertEquals(results[i]![name]!.dims, dims, `${name} of ${what}`);
      for (const [at, value] of data.entries()) {
        const found = results[i]![name]!.data[at]!;
        assert(Math.abs(found - value) <= 1e-5 * Math.max(1, Math.abs(value)), `${name} of ${what}: ${found} in place of ${value}`);
      }
    }
  }
});

const TRAINED_ON: TrainedOn = {
  ...{ path: "data/x.h5", keys: {}, images: 10, fingerprint: "f".repeat(64), labels: "e".repeat(64) },
  ...{ split: "stratified", seed: 43, train: 7, val: 1, test: 2 },
};

/** Weights in weights/w.safetensors. */
function workspaceWith(changes: Partial<ReturnType<typeof infoOf>> = {}, state = randomState(SMALL_MODEL, 5)): Workspace {
  const workspace = new Workspace();
  writeWeights(`${workspace.root}weights/w.safetensors`, state, { ...infoOf(SMALL_MODEL), ...changes });
  return workspace;
}

const EXPORT = ["--weights", "weights/w.safetensors", "--out", "weights/m.onnx"];

/** What the metadata of weights/m.onnx say. */
function metadataOf(workspace: Workspace): Record<string, string> {
  const pairs = messages(workspace.read("weights/m.onnx"), 14);
  return Object.fromEntries(pairs.map((pair) => [texts(pair, 1)[0]!, texts(pair, 2)[0]!]));
}

Deno.test("deno task export says in the file what it holds, and what the model was trained on", async () => {
  using workspace = workspaceWith({ trainedOn: [TRAINED_ON] });
  const { stdout } = await succeed(workspace, "export", ...EXPORT);
  assertStringIncludes(stdout, "images (N, 12, 12, 2) to logits (N, 2), probabilities (N, 2) and mass (N) in GeV");
  const file = workspace.read("weights/m.onnx");
  assertEquals([wholes(file, 1), messages(file, 8).flatMap((set) => wholes(set, 2))], [[7], [12]]);
  const { model, trained_on, weights_sha256, ...rest } = metadataOf(workspace);
  assertEquals(JSON.parse(model!).embed_dim, 16);
  assertEquals(JSON.parse(trained_on!), [TRAINED_ON]);
  assertEquals(weights_sha256!.length, 64);
  assertEquals(rest, {
    ...{
      format: "l2vit",
      version: encodeInfo(infoOf(SMALL_MODEL))["version"]!,
      mass_mean: "142.53",
      mass_std: "51.25",
      norm_scale: "255",
    },
    ...{ classes: "0,1", layout: "channels-last", images_unit: "as in the data file", mass_unit: "GeV" },
    ...{ split: "stratified", split_seed: "43", images_sha256: "f".repeat(64) },
  });
});

Deno.test("deno task export names the outputs of several targets, and their units", async () => {
  const { targets } = INFO["classes"]!, model = { ...SMALL_MODEL, num_targets: 3 };
  using workspace = workspaceWith({ model, targets: targets! }, randomState(model, 5));
  const { stdout } = await succeed(workspace, "export", ...EXPORT);
  assertStringIncludes(stdout, "probabilities (N, 2), m (N) in GeV, pT_of_jet (N) and logits_ (N) in cm");
  const { target_outputs, target_units, mass_unit, mass_mean, version, targets: known } = metadataOf(workspace);
  assertEquals([target_outputs, target_units, mass_unit, mass_mean, version], [
    "m,pT_of_jet,logits_",
    "GeV,,cm",
    undefined,
    undefined,
    "4",
  ]);
  assertEquals(JSON.parse(known!), targets);
  const other = [...EXPORT.slice(0, -1), "weights/n.onnx", "--set", "mass_mean=1"];
  assertStringIncludes(
    await fail(workspace, "export", ...other),
    "predicts m (GeV), pT/of jet, logits (cm), and not the mass alone",
  );
});

Deno.test("deno task export refuses masses without a unit, and takes one", async () => {
  using workspace = workspaceWith({ assumed: ["mass_mean", "mass_std", "data.norm_scale"] });
  assertStringIncludes(await fail(workspace, "export", ...EXPORT), "--set mass_mean=GEV --set mass_std=GEV");
  assertStringIncludes(await fail(workspace, "export", ...EXPORT, "--set", "mass_std=50"), "does not say mass_mean, so");
  const { stdout } = await succeed(workspace, "export", ...EXPORT, "--set", "mass_std=50", "--set", "mass_mean=140");
  assertStringIncludes(stdout, "data.norm_scale 255");
  const { mass_mean, mass_std, assumed, norm_scale } = metadataOf(workspace);
  assertEquals([mass_mean, mass_std, assumed, norm_scale], ["140", "50", "data.norm_scale", undefined]);
});

Deno.test("deno task export refuses what no program could compute with", async () => {
  const state = randomState(SMALL_MODEL, 5);
  using backbone = workspaceWith({}, new Map([...state].filter(([name]) => !isHead(name))));
  assertStringIncludes(await fail(backbone, "export", ...EXPORT), "a backbone without heads");
  using workspace = workspaceWith();
  for (
    const [set, why] of [
      ["data.norm_scale=1e300", "data.norm_scale must be at most"],
      ["mass_std=1e-60", "mass_std must be at least 1e-30"],
      ["model.img_size=20", 'tensor "pos_embed"'],
      ["data.batch_size=3", "does not use that key"],
    ] as const
  ) {
    assertStringIncludes(await fail(workspace, "export", ...EXPORT, "--set", set), why);
  }
  state.get("blocks.0.lcm.bn.running_var")!.values[3] = -2;
  using negative = workspaceWith({}, state);
  assertStringIncludes(await fail(negative, "export", ...EXPORT), "holds -2 at (3), and a variance is not negative");
});

Deno.test("deno task export replaces no file, and names what there is to choose from", async () => {
  using workspace = workspaceWith();
  const [flag, weights] = EXPORT as [string, string];
  assertStringIncludes(await fail(workspace, "export", flag, weights, "--out", weights), "is there already");
  assertStringIncludes(await fail(workspace, "export", ...EXPORT, "--format", "tflite"), "none of onnx, torch");
  assertStringIncludes(await fail(workspace, "export", ...EXPORT, "--layout", "NCHW"), "none of channels-last, channels-first");
  for (const extra of [["--layout", "channels-first"], ["--set", "mass_mean=1"]]) {
    assertStringIncludes(
      await fail(workspace, "export", ...EXPORT, "--format", "torch", ...extra),
      "have no use with --format torch",
    );
  }
  assertEquals([...Deno.readDirSync(`${workspace.root}weights`)].map(({ name }) => name), ["w.safetensors"]);
});

Deno.test("deno task export --format torch writes the tensors of a checkpoint as they are, and says what else they need", async () => {
  using workspace = new Workspace();
  Deno.copyFileSync(`${FIXTURES}training.pt`, `${workspace.root}weights/in.pt`);
  const { stdout } = await succeed(
    workspace,
    "export",
    ...["--weights", "weights/in.pt", "--out", "weights/out.pt", "--format", "torch"],
  );
  assertStringIncludes(stdout, "a state dict of 35 tensors");
  assertEquals(readTensors(`${workspace.root}weights/out.pt`).tensors, readTensors(`${FIXTURES}training.pt`).tensors);
  using known = workspaceWith();
  const described = await succeed(known, "export", "--format", "torch", ...EXPORT);
  assertStringIncludes(described.stdout, "Not in it: mass_mean 142.53, mass_std 51.25, data.norm_scale 255, model.img_size 12");
});
