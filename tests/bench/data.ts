/** @file The data path: from HDF5 to packed words to augmented views on the adapter, beside h5py on the same files. */

import { openJets } from "../../lib/disk/data_files.ts";
import { openPacked } from "../../lib/disk/pack_file.ts";
import { packInMemory } from "../../lib/data/pack_memory.ts";
import type { PackedStore } from "../../lib/disk/packed_store.ts";
import { writeSynthetic } from "../../lib/disk/write_synthetic.ts";
import type { Gpu } from "../../lib/gpu/device.ts";
import { BatchBuffers, batchesOf, ResidentImages, stageAhead } from "../../lib/input/batches.ts";
import { Random } from "../../lib/random.ts";
import { imagePatches, NO_AUGMENTATION } from "../../lib/tensor/ops/images.ts";
import { createStep, writeStep } from "../../lib/tensor/step.ts";
import { Tape } from "../../lib/tensor/tape.ts";
import { PEERS, PYTHON, runPeer } from "./peers.ts";

/** Images a second of one way to read. */
export interface DataResult {
  readonly what: string;
  /** Null if it was not run. */
  readonly images_per_s: number | null;
  /** What was measured, or why it was not. */
  readonly note: string;
}

const COUNT = 1024;
const BATCH = 128;
const PASSES = 3;
const AUGMENTATION = { ...NO_AUGMENTATION, flipEta: true, flipPhi: true, roll: "phi" as const };

/**
 * Measures the data path on generated images.
 *
 * @param folder for the data; generated at the first run, 0.5 GB
 * @param cache for the packed images, which are packed anew
 */
export async function benchData(gpu: Gpu, folder: string, cache: string): Promise<DataResult[]> {
  const path = `${folder}/contiguous.h5`, gzip = `${folder}/gzip.h5`;
  Deno.mkdirSync(folder, { recursive: true });
  const results: DataResult[] = [];
  const add = (what: string, images_per_s: number | null, note: string) => results.push({ what, images_per_s, note });
  if (!exists(path)) {
    const started = performance.now();
    await writeSynthetic(path, COUNT, 1, 0, false);
    add("generated and written", rate(started), "deno task synth, one core");
  }
  add("contiguous, dense", await best(() => readDense(path)), "float32 at its offset in the file");
  add("contiguous to packed", await best(() => pack(path)), "reading included, one core");
  const peer = await runPeer(PYTHON, [`${PEERS}bench_h5py.py`, path, gzip]);
  if (peer.output) add("gzip to packed", await best(() => pack(gzip), 1), "level 4 and shuffle, chunks of 8");
  else add("gzip to packed", null, peer.note);
  const file = await openJets(path);
  using store = await openPacked(file, cache);
  file[Symbol.dispose]();
  add("packed, in random order", await best(() => readPacked(store)), "check sums included");
  add("packed to views", await best(() => makeViews(gpu, store)), "uploaded, unpacked and augmented on the adapter");
  using resident = await ResidentImages.load(gpu, store, 1);
  add("resident to views", await best(() => makeViews(gpu, store, resident)), "the data set being on the adapter");
  for (const kind of ["contiguous", "gzip"] as const) {
    add(
      `h5py: ${kind}, dense`,
      peer.output ? Number(peer.output[kind]) : null,
      peer.output ? "batches of 128 in order" : peer.note,
    );
  }
  return results;
}

/** Images a second of the fastest of some passes. */
async function best(pass: () => Promise<void>, passes = PASSES): Promise<number> {
  let most = 0;
  for (let i = 0; i < passes; i++) {
    const started = performance.now();
    await pass();
    most = Math.max(most, rate(started));
  }
  return most;
}

const rate = (started: number) => 1000 * COUNT / (performance.now() - started);

async function readDense(path: string): Promise<void> {
  using file = await openJets(path);
  for await (const _group of file.scan(Uint32Array.from({ length: COUNT }, (_, i) => i)));
}

async function pack(path: string): Promise<void> {
  using file = await openJets(path);
  await packInMemory(file);
}

function readPacked(store: PackedStore): Promise<void> {
  for (const batch of batchesOf(shuffled(), BATCH)) store.read(batch);
  return Promise.resolve();
}

async function makeViews(gpu: Gpu, store: PackedStore, resident?: ResidentImages): Promise<void> {
  using buffers = new BatchBuffers(gpu, store, BATCH, resident);
  const step = createStep(gpu);
  const tape = new Tape(gpu, { training: true, step });
  imagePatches(tape, buffers.tensors, { channels: 8, size: 125, patch: 5 }, { normScale: 255 }, 1, AUGMENTATION);
  using plan = tape.compile();
  let number = 0;
  for await (const staged of stageAhead(buffers, batchesOf(shuffled(), BATCH))) {
    buffers.upload(staged);
    writeStep(gpu, step, { seed: 1, step: number++ });
    plan.run();
  }
  await gpu.finish();
}

function shuffled(): Uint32Array {
  return new Random(1, 0).shuffle(Uint32Array.from({ length: COUNT }, (_, i) => i));
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
