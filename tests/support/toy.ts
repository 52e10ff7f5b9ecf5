/** @file A small learnable data set: class 1 has its deposits in the lower half, and the mass counts them. */

import { Hdf5Writer } from "../../lib/disk/hdf5_writer.ts";
import { Random } from "../../lib/random.ts";

const SIZE = 12;
const CHANNELS = 2;

/** Overrides for a model that fits the data and trains in seconds. */
export const TOY_MODEL: readonly string[] = [
  "model.in_channels=2",
  "model.img_size=12",
  "model.patch_size=3",
  "model.embed_dim=16",
  "model.depth=1",
  "model.num_heads=2",
  "model.lcm_kernel=3",
  "model.projection_dim=8",
  "augment.roll=none",
  "augment.flip_eta=false",
  "augment.drop_channels_min=0",
  "augment.drop_channels_max=1",
].flatMap((pair) => ["--set", pair]);

/** Arguments that train it on data/toy.h5 so that it learns. */
export const FINETUNE_TOY: readonly string[] = [
  "--config",
  "configs/scratch.yaml",
  ...TOY_MODEL,
  ...[
    "data.labelled_path=data/toy.h5",
    "data.batch_size=20",
    "data.augment=false",
    "training.warmup_epochs=1",
    "training.backbone_lr=0.003",
    "training.head_lr=0.003",
  ].flatMap((pair) => ["--set", pair]),
];

/** Writes labelled (or, without labels, unlabelled) images; another seed gives others. */
export function writeToy(path: string, count: number, labelled = true, seed = 4): void {
  const random = new Random(seed, 60);
  const shapes = [{ name: "jet", shape: [count, SIZE, SIZE, CHANNELS] }];
  if (labelled) { for (const name of ["Y", "m"]) shapes.push({ name, shape: [count, 1] }); }
  using writer = new Hdf5Writer(path, shapes);
  const labels = new Float32Array(count), masses = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const image = new Float32Array(SIZE * SIZE * CHANNELS);
    const label = i % 2, deposits = 10 + random.below(30);
    for (let k = 0; k < deposits; k++) {
      const half = random.uniform() < 0.85 ? label : 1 - label;
      const row = half * SIZE / 2 + random.below(SIZE / 2);
      image[(row * SIZE + random.below(SIZE)) * CHANNELS + random.below(CHANNELS)] = 50 + random.below(206);
    }
    writer.write("jet", i, image);
    labels[i] = label;
    masses[i] = 50 + 4 * deposits;
  }
  if (labelled) {
    writer.write("Y", 0, labels);
    writer.write("m", 0, masses);
  }
}
