/** @file One of the processes of mpi.ts: trains a small model with the others, and rank 0 prints what a step takes. */

import { createHash } from "node:crypto";
import { MASS } from "../../lib/data/targets.ts";
import { hideWaylandWarning } from "../../lib/cli/task.ts";
import { defaultConfig } from "../../lib/config/keys.ts";
import { PackedImages } from "../../lib/data/packed.ts";
import { Gpu } from "../../lib/gpu/device.ts";
import { Pacer } from "../../lib/gpu/pacer.ts";
import { World } from "../../lib/mpi/world.ts";
import { Random } from "../../lib/random.ts";
import { createTensor, read, write } from "../../lib/tensor/tensor.ts";
import { Finetune } from "../../lib/train/finetune.ts";
import { RankExchange } from "../../lib/train/rank_exchange.ts";
import { StepRunner } from "../../lib/train/step_runner.ts";
import type { RankResult } from "./mpi.ts";

const [library, ranks] = Deno.args as [string, string];
const BATCH = 16, TIMES = 9, SIZE = 125, CHANNELS = 8;
/** Numbers of the gradient of the published model. */
const GRADIENT = 5_111_579;

hideWaylandWarning();
const world = new World({ library, patience: 300, overdue: () => Deno.exit(1) });
world.expect(Number(ranks));
const gpu = await Gpu.open();
const exchange = new RankExchange(world);

/** Milliseconds of a piece of work: the least of several, to which other work on the machine can only add. */
async function time(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < TIMES; i++) {
    await world.barrier();
    const started = performance.now();
    await work();
    times.push(performance.now() - started);
  }
  return Math.min(...times);
}

const gradient = createTensor(gpu, "gradient", [GRADIENT]), number = createTensor(gpu, "number", [1]);
const host = new Float32Array(GRADIENT);
const wait = await time(() => read(gpu, number));
const readBack = await time(() => read(gpu, gradient));
const upload = await time(() => {
  write(gpu, gradient, host);
  return read(gpu, number);
});
const whole = await time(() => exchange.mean(gpu, [gradient]));
const sum = await time(() => world.sum(host, 0.5));
const hash = await time(() => Promise.resolve(createHash("sha256").update(new Uint8Array(host.buffer)).digest("hex")));

const random = new Random(2, 80);
const pixels = new Float32Array(BATCH * SIZE * SIZE * CHANNELS);
for (let n = 0; n < pixels.length / 80; n++) pixels[random.below(pixels.length)] = 1 + random.below(255);
const images = PackedImages.fromDense(pixels, { channels: CHANNELS, size: SIZE });
const all = Uint32Array.from({ length: BATCH }, (_, i) => i);
const config = defaultConfig();
Object.assign(config.model, { embed_dim: 32, depth: 2, num_heads: 2 });
config.data.batch_size = BATCH;
config.training.batch_groups = world.size;
const split = { train: all, val: all, test: all };
const labels = Array.from(all, (i) => i % 2), mass = Array.from(all, (i) => 100 + i);
using method = new Finetune(gpu, config, { images, labels, targets: [{ ...MASS, values: mass }], split }, new Map(), exchange);
const pacer = new Pacer(gpu);
using runner = new StepRunner(gpu, method, exchange, pacer);
let step = 0;
const train = async () => {
  for await (const parts of runner.stage([all])) await runner.run(parts, { seed: 1, step: step++, learningRates: [1e-4, 1e-4] });
  await pacer.drain();
  await gpu.finish();
};
await train();
await train();
const trained = await time(train);
const parts = { wait, readBack, sum, upload: Math.max(0, upload - wait), exchange: whole, hash, step: trained };
const result: RankResult = { ranks: world.size, version: world.version, software: gpu.adapter.software, ...parts };
if (world.rank === 0) console.log(JSON.stringify(result));
world.finalize();
Deno.exit();
