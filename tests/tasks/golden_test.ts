/** @file `deno task finetune --init` and `deno task predict` against PyTorch's numbers, through real files. */

import { assertEquals } from "@std/assert";
import { Hdf5Writer } from "../../lib/disk/hdf5_writer.ts";
import { stratifiedSplit } from "../../lib/data/split.ts";
import { decodeSafetensors, encodeSafetensors, storeFloats, toFloats } from "../../lib/io/safetensors.ts";
import type { ModelConfig } from "../../lib/nn/config.ts";
import { assertClose, assertStateClose, Fixture } from "../support/fixtures.ts";
import { succeed, Workspace } from "../support/tasks.ts";

/** Image i of a fixture, channels last. */
function image(fixture: Fixture, i: number): Float32Array {
  const [, channels, size] = fixture.shape("input") as [number, number, number];
  const pixels = channels * size * size;
  const input = fixture.floats("input").subarray(i * pixels, (i + 1) * pixels);
  return Float32Array.from({ length: pixels }, (_, at) => input[(at % channels) * size * size + Math.floor(at / channels)]!);
}

/** Weights without metadata, as PyTorch writes them. */
function writeWeights(fixture: Fixture, path: string): void {
  const tensors = new Map([...fixture.state("weight.")].map(([name, { shape, values }]) => [name, storeFloats(shape, values)]));
  Deno.writeFileSync(path, encodeSafetensors({ tensors, metadata: {} }));
}

const settings = (values: Record<string, unknown>) =>
  Object.entries(values).flatMap(([key, value]) => ["--set", `${key}=${value}`]);

for (const name of ["finetune_odd_sizes", "active_odd_wide"]) {
  Deno.test(`deno task predict gives PyTorch's logits and masses for weights without metadata (${name})`, () => predicts(name));
}

for (const name of ["finetune_tiny", "active_submanifold"]) {
  Deno.test(`three steps of deno task finetune --init are PyTorch's three steps (${name})`, () => finetunes(name));
}

async function predicts(name: string): Promise<void> {
  const fixture = new Fixture(name);
  const { config } = fixture;
  const [batch, channels, size] = fixture.shape("input") as [number, number, number];
  using workspace = new Workspace();
  writeWeights(fixture, `${workspace.root}weights/w.safetensors`);
  {
    using writer = new Hdf5Writer(`${workspace.root}data/x.h5`, [{ name: "jet", shape: [batch, size, size, channels] }]);
    for (let i = 0; i < batch; i++) writer.write("jet", i, image(fixture, i));
  }
  const files = ["--weights", "weights/w.safetensors", "--data", "data/x.h5", "--out", "reports/p.csv"];
  const set = settings({ "model.denominator_floor": config.denominator_floor, "data.norm_scale": 1, ...tokensOf(config) });
  await succeed(workspace, "predict", ...files, ...set);
  const [header, ...rows] = new TextDecoder().decode(workspace.read("reports/p.csv")).trim().split("\n").map((line) =>
    line.split(",")
  );
  const columns = (name: string) => header!.flatMap((title, i) => title.startsWith(name) ? [i] : []);
  const values = (name: string) => rows.flatMap((row) => columns(name).map((i) => Number(row[i])));
  assertClose(values("logit_"), fixture.floats("eval.logits"), "logits");
  assertClose(values("mass"), fixture.floats("eval.mass"), "mass");
  assertEquals(values("index"), Array.from({ length: batch }, (_, i) => i));
}

/** What weights without metadata do not tell of a model on active tokens. */
function tokensOf({ tokens, lcm }: ModelConfig): Record<string, string> {
  return tokens === "active" ? { "model.tokens": tokens, "model.lcm": lcm } : {};
}

async function finetunes(name: string): Promise<void> {
  const fixture = new Fixture(name);
  const { config, facts } = fixture;
  const [batch, channels, size] = fixture.shape("input") as [number, number, number];
  using workspace = new Workspace();
  writeWeights(fixture, `${workspace.root}weights/w.safetensors`);
  // the first training images of the split are the fixture's, three times over
  const goals = fixture.floats("mass");
  const squares = 3 * goals.reduce((sum, goal) => sum + goal * goal, 0);
  const { labels, train, sources } = labelsForBatches(fixture.integers("label"), 3, 2 * squares);
  const count = labels.length;
  const picked = sources.map((source, i) => ({ image: train[i]!, source }));
  const mass = new Float32Array(count);
  const rest = [...train].filter((image) => !picked.some((p) => p.image === image));
  for (const { image, source } of picked) mass[image] = goals[source]!;
  standardise(mass, rest, picked.map(({ source }) => goals[source]!));
  {
    using writer = new Hdf5Writer(`${workspace.root}data/x.h5`, [
      { name: "jet", shape: [count, size, size, channels] },
      { name: "Y", shape: [count, 1] },
      { name: "m", shape: [count, 1] },
    ]);
    for (const { image: at, source } of picked) writer.write("jet", at, image(fixture, source));
    writer.write("Y", 0, labels);
    writer.write("m", 0, mass);
  }
  const model = Object.fromEntries(Object.entries(config).map(([key, value]) => [`model.${key}`, value]));
  const set = settings({
    ...model,
    "augment.drop_channels_min": 0,
    "augment.drop_channels_max": 1,
    "data.labelled_path": "data/x.h5",
    "data.batch_size": batch,
    "data.norm_scale": 1,
    "data.augment": false,
    "data.shuffle": false,
    "training.max_steps": 3,
    "training.warmup_epochs": 0,
    "training.backbone_lr": facts.backbone_lr,
    "training.head_lr": facts.head_lr,
    "training.weight_decay": facts.weight_decay,
  });
  await succeed(
    workspace,
    "finetune",
    "--config",
    "configs/scratch.yaml",
    "--init",
    "weights/w.safetensors",
    "--out",
    "runs/r",
    ...set,
  );
  const { tensors } = decodeSafetensors(workspace.read("runs/r/latest.safetensors"));
  const state = new Map([...tensors].map(([name, tensor]) => [name, { shape: tensor.shape, values: toFloats(tensor) }]));
  assertStateClose(state, fixture.state("after3."), "after 3 steps,");
}

/**
 * Labels for which each of the first batches of the split can be the fixture's batch, in some order: a step does
 * not depend on the order within its batch. Which class comes where depends on the sizes of the classes alone.
 *
 * @param least training images
 * @returns labels, the training part of their split, and which of the fixture's images each picked one is
 */
function labelsForBatches(
  wanted: Uint32Array,
  batches: number,
  least: number,
): { labels: Float32Array; train: Uint32Array; sources: number[] } {
  for (let count = 50; count < 300; count++) {
    for (let zeros = 15; zeros < count - 15; zeros++) {
      const labels = Float32Array.from({ length: count }, (_, i) => i < zeros ? 0 : 1);
      const { train } = stratifiedSplit(labels, 42);
      const sources = Array.from({ length: batches }, (_, b) => {
        const left = [...wanted.keys()];
        return Array.from(train.subarray(b * wanted.length, (b + 1) * wanted.length), (image) => {
          const at = left.findIndex((source) => wanted[source] === labels[image]);
          return at < 0 ? -1 : left.splice(at, 1)[0]!;
        });
      }).flat();
      if (train.length >= least && !sources.includes(-1) && (train.length - sources.length) % 2 === 0) {
        return { labels, train, sources };
      }
    }
  }
  throw new Error("no labels found whose split begins as wanted");
}

/** Fills in masses of the other training images so that mean and deviation over all of them are 0 and 1. */
function standardise(mass: Float32Array, rest: number[], given: number[]): void {
  const n = rest.length + given.length;
  const sum = given.reduce((a, b) => a + b, 0), squares = given.reduce((a, b) => a + b * b, 0);
  const shift = -sum / rest.length;
  const spread = Math.sqrt((n - squares) / rest.length - shift * shift);
  if (!(spread > 0) || rest.length % 2 !== 0) throw new Error("the fixture's masses leave no room");
  rest.forEach((image, i) => mass[image] = shift + (i % 2 === 0 ? spread : -spread));
}
