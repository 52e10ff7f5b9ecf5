/** @file What is fuzzed: for each kind of file that users are given by others, how to read all of it, and what may be thrown. */

import { openData, openJets } from "../../lib/disk/data_files.ts";
import { defaultConfig } from "../../lib/config/keys.ts";
import { ConfigError, formatConfig, parseConfig } from "../../lib/config/parse.ts";
import { DataError } from "../../lib/data/errors.ts";
import { hdf5Memory } from "../../lib/data/hdf5.ts";
import { openPacked } from "../../lib/disk/pack_file.ts";
import { packGroup } from "../../lib/data/pack_group.ts";
import { PackedStore } from "../../lib/disk/packed_store.ts";
import { decodeSafetensors, encodeSafetensors, type Safetensors, toFloats } from "../../lib/io/safetensors.ts";
import { Choices } from "../../lib/gpu/choices.ts";
import { readNpyHeader } from "../../lib/io/npy.ts";
import { openZip } from "../../lib/io/zip.ts";
import { isHead } from "../../lib/nn/heads.ts";
import { readTensors, readWeights } from "../../lib/disk/weight_files.ts";
import { fitWeights, WeightsError } from "../../lib/weights/weights.ts";
import { Random } from "../../lib/random.ts";
import { CHECKPOINT_VERSION, freshState, hashOfResume, UnusableCheckpoint } from "../../lib/train/checkpoint.ts";
import { RunFolder } from "../../lib/disk/run_folder.ts";
import { formatTunings, readTunings } from "../../lib/disk/tuning_file.ts";
import { npy } from "../support/numpy.ts";
import { zipOf } from "../support/zip.ts";
import { readResume } from "../support/files.ts";
import { growHdf5, readGrownHdf5 } from "./hdf5_grammar.ts";
import { mutateBytes, mutateText } from "./mutate.ts";
import { growCheckpoint } from "./pickle_grammar.ts";

/** One kind of file. */
export interface Target {
  readonly name: string;
  /** Valid files to start from. */
  readonly seeds: readonly Uint8Array[];
  /** Makes a file that may be wrong out of a valid one. */
  readonly mutate: (file: Uint8Array, random: Random) => Promise<Uint8Array> | Uint8Array;
  /** Reads everything in the file. */
  readonly read: (path: string) => Promise<void> | void;
  /** Errors that say what is wrong with the file; any other is a failure. */
  readonly refusals: readonly (new (...args: never[]) => Error)[];
  /** Bytes that it takes beside the memory of JavaScript. */
  readonly memory?: () => Promise<number>;
}

const FIXTURES = new URL("../fixtures/", import.meta.url);

/**
 * All targets.
 *
 * @param folder where a target may keep a file beside the one that is read
 */
export async function targets(folder: string): Promise<Target[]> {
  return [
    {
      name: "safetensors",
      seeds: [
        fixture("torch/model.safetensors"),
        described(fixture("torch/model.safetensors")),
      ],
      mutate: mutateSafetensors,
      read: readAllWeights,
      refusals: [WeightsError],
    },
    {
      name: "pytorch",
      seeds: ["model", "training", "strided", "half", "pytorch2", "notebook"].map((name) => fixture(`torch/${name}.pt`)),
      mutate: mutateTorch,
      read: readAllWeights,
      refusals: [WeightsError],
    },
    {
      name: "pickles",
      seeds: [fixture("torch/model.pt")],
      mutate: growCheckpoint,
      read: readGrownWeights,
      refusals: [WeightsError],
    },
    {
      name: "hdf5",
      seeds: ["contiguous", "chunked", "gzip_shuffle", "big_endian", "integers", "latest", "userblock", "odd", "lists_new", "types"]
        .map(
          (name) => fixture(`hdf5/${name}.h5`),
        ),
      mutate: mutateBytes,
      read: readAllNumbers,
      refusals: [DataError],
      memory: hdf5Memory,
    },
    {
      name: "numpy",
      seeds: ["jets.npz", "jets_packed.npz", "jets.npy", "types.npz"].map((name) => fixture(`numpy/${name}`)),
      mutate: mutateNumpy,
      read: readAllNumbers,
      refusals: [DataError],
    },
    {
      name: "datasets",
      seeds: [growHdf5(new Random(1, 1, 97))],
      mutate: (_file, random) => growHdf5(random),
      read: readGrownHdf5,
      refusals: [DataError],
      memory: hdf5Memory,
    },
    { name: "packed", seeds: await packedSeeds(folder), mutate: mutateSafetensors, read: readAllPacked, refusals: [DataError] },
    {
      name: "config",
      seeds: ["finetune", "pretrain_simclr", "pretrain_mae", "few_labels/pretrain"].map((name) =>
        Deno.readFileSync(new URL(`../../configs/${name}.yaml`, import.meta.url))
      ),
      mutate: (file, random) => random.below(4) === 0 ? mutateBytes(file, random) : asText(file, random),
      read: (path) => {
        const text = Deno.readTextFileSync(path);
        // what is accepted can be written, and read again as the same
        const config = parseConfig(text, path);
        if (formatConfig(parseConfig(formatConfig(config), path)) !== formatConfig(config)) {
          throw new Error("it does not survive writing");
        }
      },
      refusals: [ConfigError],
    },
    {
      name: "metrics",
      seeds: [new TextEncoder().encode(METRICS)],
      mutate: (file, random) => random.below(2) === 0 ? mutateBytes(file, random) : asText(file, random),
      read: (path) => readMetrics(path, folder),
      refusals: [],
    },
    {
      name: "tuning",
      seeds: [new TextEncoder().encode(formatTunings({ gpu: { "8 x 8 x 8 A B": "tiled" }, cpu: {} }))],
      mutate: (file, random) => random.below(2) === 0 ? mutateBytes(file, random) : asText(file, random),
      read: (path) => new Choices().answer(readTunings(path)["gpu"] ?? {}),
      refusals: [],
    },
    {
      name: "resume",
      seeds: [await resumeSeed()],
      mutate: mutateResume,
      read: async (path) => void await readResume(path),
      refusals: [UnusableCheckpoint],
    },
  ];
}

const METRICS = Array.from({ length: 6 }, (_, i) => `{"epoch":${i + 1},"step":${10 * i},"lr":0.0003,"train_loss":1.5e-1}\n`).join(
  "",
);

function fixture(name: string): Uint8Array {
  return Deno.readFileSync(new URL(name, FIXTURES));
}

function asText(file: Uint8Array, random: Random): Uint8Array {
  return new TextEncoder().encode(mutateText(new TextDecoder().decode(file), random));
}

/** Header and data of a safetensors file; the header's length is right unless it is changed itself. */
function splitHeader(file: Uint8Array): { header: string; data: Uint8Array } {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  return { header: new TextDecoder().decode(file.subarray(8, 8 + length)), data: file.subarray(8 + length) };
}

function joinHeader(header: string, data: Uint8Array): Uint8Array {
  const text = new TextEncoder().encode(header);
  const file = new Uint8Array(8 + text.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  file.set(data, 8 + text.length);
  return file;
}

function mutateSafetensors(file: Uint8Array, random: Random): Uint8Array {
  if (random.below(3) === 0) return mutateBytes(file, random);
  const { header, data } = splitHeader(file);
  return joinHeader(mutateText(header, random), random.below(4) === 0 ? mutateBytes(data, random) : data);
}

/** The pickle is changed under a checksum that is right, or the archive as it is. */
function mutateTorch(file: Uint8Array, random: Random): Uint8Array {
  if (random.below(3) === 0) return mutateBytes(file, random);
  const archive = openZip(random.below(3) === 0 ? growCheckpoint(file, random) : file);
  const entries = Object.fromEntries(archive.names.map((name) => [name, archive.read(name)!]));
  const pickle = Object.keys(entries).find((name) => name.endsWith("data.pkl"))!;
  entries[pickle] = mutateBytes(entries[pickle]!, random);
  return zipOf(entries);
}

/** The headers of arrays are changed under lengths and checksums that are right, or the file as it is. */
function mutateNumpy(file: Uint8Array, random: Random): Uint8Array {
  if (random.below(3) === 0) return mutateBytes(file, random);
  if (file[0] === 0x93) return mutateArray(file, random);
  const archive = openZip(fixture(`numpy/${random.below(2) === 0 ? "jets" : "types"}.npz`));
  return zipOf(Object.fromEntries(archive.names.map((name) => [name, mutateArray(archive.read(name)!, random)])));
}

function mutateArray(file: Uint8Array, random: Random): Uint8Array {
  const { bytes } = readNpyHeader(file), header = new TextDecoder().decode(file.subarray(10, bytes)).trim();
  const numbers = file.subarray(bytes);
  return npy(mutateText(header, random), random.below(4) === 0 ? mutateBytes(numbers, random) : numbers, 1 + random.below(2));
}

/** Weights with all the metadata that this project writes. */
function described(file: Uint8Array): Uint8Array {
  const { header, data } = splitHeader(file);
  const metadata = {
    format: "l2vit",
    model: JSON.stringify({
      ...defaultConfig().model,
      in_channels: 2,
      img_size: 6,
      patch_size: 3,
      embed_dim: 8,
      depth: 1,
      num_heads: 2,
    }),
    mass_mean: "142.5",
    mass_std: "51",
    norm_scale: "255",
    history: JSON.stringify({ train_loss: [1, 0.5], val_loss: [1.1, 0.7] }),
  };
  return joinHeader(JSON.stringify({ __metadata__: metadata, ...JSON.parse(header) }), data);
}

async function resumeSeed(): Promise<Uint8Array> {
  const { tensors } = decodeSafetensors(fixture("torch/model.safetensors"));
  const state = { ...freshState(4), epoch: 2, best: 0.5, history: { train_loss: [1, 0.7] } };
  const metadata = {
    format: "l2vit-resume",
    version: String(CHECKPOINT_VERSION),
    config: JSON.stringify(defaultConfig()),
    state: JSON.stringify(state),
  };
  return encodeSafetensors(await sealed(tensors, metadata));
}

/** The contents with a hash that is right. */
async function sealed(tensors: Safetensors["tensors"], metadata: Safetensors["metadata"]): Promise<Safetensors> {
  return { tensors, metadata: { ...metadata, sha256: await hashOfResume({ tensors, metadata }) } };
}

/** Configuration and state are changed under a hash that is right, or the file as it is. */
async function mutateResume(file: Uint8Array, random: Random): Promise<Uint8Array> {
  if (random.below(3) === 0) return mutateSafetensors(file, random);
  const { tensors, metadata } = decodeSafetensors(file);
  const key = random.below(3) === 0 ? "config" : "state";
  return encodeSafetensors(await sealed(tensors, { ...metadata, [key]: mutateText(metadata[key]!, random) }));
}

function readAllWeights(path: string): void {
  for (const tensor of readTensors(path).tensors.values()) toFloats(tensor);
  const weights = readWeights(path);
  const { targets, normScale, history, model, state } = weights;
  if (![...targets.flatMap(({ mean, std }) => [mean, std]), normScale].every(Number.isFinite)) {
    throw new Error("a scale that is not finite was accepted");
  }
  for (const values of Object.values(history)) {
    if (!Array.isArray(values) || !values.every((value) => typeof value === "number")) {
      throw new Error("a history was accepted that is none");
    }
  }
  fitWeights(weights, model, [...state.keys()].some(isHead));
}

/** A model that is not refused is the one that went in. */
function readGrownWeights(path: string): void {
  const { state } = readWeights(path);
  for (const [name, { values }] of readWeights(new URL("torch/model.pt", FIXTURES).pathname).state) {
    if (state.get(name)?.values.join() !== values.join()) throw new Error(`it read other numbers for ${name}`);
  }
}

/** Every dataset of a file by itself, whatever is said about the others; then the images, labels and so on. */
async function readAllNumbers(path: string): Promise<void> {
  using whole = await openData(path);
  let refusal: DataError | undefined, read = 0;
  for (const name of whole.names) {
    try {
      whole.dataset(name).readNumbers();
      read++;
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      refusal = error;
    }
  }
  if (read === 0 && refusal) throw refusal;
  if (["jet", "images"].every((name) => whole.kind(name) === "nothing")) return;
  using file = await openJets(path);
  for (const quantity of ["labels", "mass", "pt"] as const) if (file.has(quantity)) file.readScalars(quantity);
  for await (const group of file.scan(Uint32Array.from({ length: file.count }, (_, i) => i))) {
    packGroup(file, group, "u8") ?? packGroup(file, group, "f32");
  }
}

async function packedSeeds(folder: string): Promise<Uint8Array[]> {
  const seeds: Uint8Array[] = [];
  for (const name of ["contiguous", "integers"]) {
    using file = await openJets(new URL(`hdf5/${name}.h5`, FIXTURES).pathname);
    using store = await openPacked(file, folder);
    seeds.push(Deno.readFileSync(store.path));
  }
  return seeds;
}

function readAllPacked(path: string): void {
  using store = new PackedStore(path);
  for (let image = 0; image < store.count; image++) store.read([image]);
}

/** What remains of a metrics file whose run goes on after epoch 3 is whole lines of no later epoch. */
function readMetrics(path: string, folder: string): void {
  using run = new RunFolder(`${folder}/run`);
  run.begin(false);
  Deno.copyFileSync(path, run.metrics);
  run.trimMetrics(3);
  for (const line of Deno.readTextFileSync(run.metrics).split("\n").filter((text) => text !== "")) {
    if (!(JSON.parse(line).epoch <= 3)) throw new Error(`it kept ${line}`);
  }
}
