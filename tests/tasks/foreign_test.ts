/** @file Weights that others trained: what their files do not say is said on the screen and in the report, or refused. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Hdf5Writer } from "../../lib/disk/hdf5_writer.ts";
import { decodeSafetensors, encodeSafetensors } from "../../lib/io/safetensors.ts";
import { exists } from "../../lib/disk/files.ts";
import { fail, succeed, Workspace } from "../support/tasks.ts";

const FIXTURES = new URL("../fixtures/torch/", import.meta.url);
const IMAGES = 60, SIZE = 6, CHANNELS = 2;
const DATA = ["--data", "data/toy.h5"];
/** Sizes of the fixtures' model, in a configuration. */
const SIZES = [
  "in_channels=2",
  "img_size=6",
  "patch_size=3",
  "embed_dim=8",
  "depth=1",
  "num_heads=2",
  "mlp_ratio=2",
  "lcm_kernel=3",
];

/** A workspace with the fixtures' weights and images of their size. */
function workspaceOf(...weights: string[]): Workspace {
  const workspace = new Workspace();
  for (const name of weights) Deno.copyFileSync(new URL(name, FIXTURES), `${workspace.root}weights/${name}`);
  using writer = new Hdf5Writer(`${workspace.root}data/toy.h5`, [
    { name: "jet", shape: [IMAGES, SIZE, SIZE, CHANNELS] },
    { name: "Y", shape: [IMAGES, 1] },
    { name: "m", shape: [IMAGES, 1] },
  ]);
  for (let i = 0; i < IMAGES; i++) {
    writer.write("jet", i, Float32Array.from({ length: SIZE * SIZE * CHANNELS }, (_, k) => (7 * i + 13 * k) % 11 === 0 ? 200 : 0));
  }
  writer.write("Y", 0, Float32Array.from({ length: IMAGES }, (_, i) => i % 2));
  writer.write("m", 0, Float32Array.from({ length: IMAGES }, (_, i) => 100 + i));
  return workspace;
}

const textOf = (workspace: Workspace, path: string) => new TextDecoder().decode(workspace.read(path));

function masses(workspace: Workspace, path: string): number[] {
  return textOf(workspace, path).trim().split("\n").slice(1).map((line) => Number(line.split(",").at(-1)));
}

Deno.test("eval, predict, explain and probe say what is assumed of weights, and use what they are told instead", async () => {
  using workspace = workspaceOf("model.pt", "beside.pt");
  const assumed = "data.norm_scale 255, model.img_size 6, model.denominator_floor 100";
  const predicted = await succeed(workspace, "predict", "--weights", "weights/model.pt", ...DATA, "--out", "reports/a.csv");
  assertStringIncludes(
    predicted.stdout,
    `weights/model.pt does not clearly say: mass_mean 0, mass_std 1, ${assumed}; masses are in units`,
  );
  const explained = await succeed(workspace, "explain", "--weights", "weights/model.pt", ...DATA, "--index", "0");
  assertStringIncludes(explained.stdout, `mass_mean 0, mass_std 1, ${assumed}`);
  const probed = await succeed(workspace, "probe", "--weights", "weights/model.pt", ...DATA, "--neighbours", "3");
  assertStringIncludes(probed.stdout, `clearly say: ${assumed}. Give what you know`);
  await succeed(workspace, "eval", "--model", "foreign=weights/model.pt", ...DATA);
  assertStringIncludes(textOf(workspace, "reports/report.html"), `mass_mean 0, mass_std 1, ${assumed}`);
  assertStringIncludes(JSON.parse(textOf(workspace, "reports/metrics.json")).notes[0], assumed);

  const set = ["mass_mean=142.5", "mass_std=51.25", "data.norm_scale=255", "model.denominator_floor=100", "model.img_size=6"]
    .flatMap((pair) => ["--set", pair]);
  const told = await succeed(workspace, "predict", "--weights", "weights/model.pt", ...DATA, "--out", "reports/b.csv", ...set);
  assert(!told.stdout.includes("Assumed"), told.stdout);
  const expected = masses(workspace, "reports/a.csv").map((mass) => mass * 51.25 + 142.5);
  assertEquals(masses(workspace, "reports/b.csv"), expected);
  // the same numbers in the file, beside another scale
  const known = await succeed(workspace, "predict", "--weights", "weights/beside.pt", ...DATA, "--out", "reports/c.csv", ...set);
  assert(!known.stdout.includes("Assumed"), known.stdout);
  assertEquals(masses(workspace, "reports/c.csv"), expected);
  // what is no mass is refused, whoever says it
  for (
    const [pair, says] of [
      ["mass_std=1e30", "mass_std must be at most 1e15, in GeV"],
      ["mass_std=0", "mass_std must be at least 1e-30, in GeV"],
      ["mass_mean=1e300", "mass_mean must be at most 1e15, in GeV"],
    ] as const
  ) {
    const told = ["--weights", "weights/beside.pt", ...DATA, "--out", "reports/d.csv", "--set", pair];
    assertStringIncludes(await fail(workspace, "predict", ...told), `--set ${pair}: ${says}`);
  }
  assert(!exists(`${workspace.root}reports/d.csv`));
});

Deno.test("finetune refuses a backbone of another scale or floor, names both values, and takes it with --mismatch", async () => {
  using workspace = workspaceOf("beside.pt");
  const { tensors } = decodeSafetensors(Deno.readFileSync(new URL("model.safetensors", FIXTURES)));
  const metadata = { norm_scale: "1", model: JSON.stringify({ denominator_floor: 0.5 }) };
  Deno.writeFileSync(`${workspace.root}weights/known.safetensors`, encodeSafetensors({ tensors, metadata }));
  const settings = [
    ...SIZES.map((pair) => `model.${pair}`),
    "data.labelled_path=data/toy.h5",
    "data.batch_size=8",
    "training.epochs=1",
  ];
  const run = ["--config", "configs/scratch.yaml", ...settings.flatMap((pair) => ["--set", pair]), "--out", "runs/f"];
  for (const option of ["--pretrained", "--init"]) {
    const line = await fail(workspace, "finetune", ...run, option, "weights/known.safetensors");
    assertStringIncludes(
      line,
      "data.norm_scale 1, and the configuration says 255; model.denominator_floor 0.5, and the configuration says 100",
    );
    assertStringIncludes(
      line,
      "--set data.norm_scale=1 --set model.denominator_floor=0.5, or take it all the same with --mismatch",
    );
    assert(!exists(`${workspace.root}runs/f/latest.safetensors`));
  }
  const taken = await succeed(workspace, "finetune", ...run, "--pretrained", "weights/known.safetensors", "--mismatch");
  assertStringIncludes(taken.stdout, "and the configuration says 100; taken all the same");
  const again = [...run, "--fresh", "--set", "data.norm_scale=1"];
  const { stdout } = await succeed(workspace, "finetune", ...again, "--pretrained", "weights/beside.pt");
  assertStringIncludes(stdout, "does not clearly say: it was trained with model.denominator_floor 100, as the configuration says");
});

Deno.test("convert keeps what a checkpoint says, and writes no file that would be refused", async () => {
  using workspace = workspaceOf("beside5.pt", "ema.pt", "model.pt");
  const { stdout } = await succeed(workspace, "convert", "weights/beside5.pt", "weights/a.safetensors");
  assertStringIncludes(stdout, "35 tensors of");
  assertStringIncludes(stdout, "does not clearly say: model.img_size 6, model.denominator_floor 100");
  const { metadata } = decodeSafetensors(workspace.read("weights/a.safetensors"));
  assertEquals(metadata, {
    format: "pt",
    mass_mean: "142.5",
    mass_std: "51.25",
    norm_scale: "1",
    history: '{"loss":[1,null],"acc":[0.5,0.75]}',
  });
  assertStringIncludes(
    await fail(workspace, "convert", "weights/ema.pt", "weights/b.safetensors"),
    "several models: state_dict/module, ",
  );
  await succeed(workspace, "convert", "weights/ema.pt", "weights/b.safetensors", "--key", "state_dict_ema");
  await succeed(workspace, "convert", "weights/b.safetensors", "weights/new/c.safetensors");
  assertEquals(workspace.read("weights/b.safetensors"), workspace.read("weights/new/c.safetensors"));

  const { tensors } = decodeSafetensors(workspace.read("weights/b.safetensors"));
  const bias = tensors.get("reg_head.bias")!;
  tensors.set("reg_head.bias", { ...bias, bytes: new Uint8Array(Float32Array.of(-Infinity).buffer) });
  Deno.writeFileSync(`${workspace.root}weights/inf.safetensors`, encodeSafetensors({ tensors, metadata: {} }));
  assertStringIncludes(
    await fail(workspace, "convert", "weights/inf.safetensors", "weights/d.safetensors"),
    'tensor "reg_head.bias" holds -Infinity at (0)',
  );
  assertStringIncludes(await fail(workspace, "convert", "weights/model.pt", "weights/d.pt"), "must end in .safetensors");
  assert(!exists(`${workspace.root}weights/d.safetensors`) && !exists(`${workspace.root}weights/d.pt`));
});
