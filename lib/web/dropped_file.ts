/** @file What is in a file that was dropped. The page's first look does without, so this is loaded with the first such file. */

import { findEmpty, remarksOn } from "../data/empty.ts";
import { DataError } from "../data/errors.ts";
import { readData } from "../data/formats.ts";
import { JetFile } from "../data/jet_file.ts";
import { packInMemory } from "../data/pack_memory.ts";
import type { Progress } from "../interrupted.ts";
import { decodeLayout, isSafetensors, SafetensorsError } from "../io/safetensors.ts";
import { type ByteSource, readRange, readStart } from "../io/source.ts";
import { isTorch } from "../io/torch.ts";
import { readZipDirectory, ZipError } from "../io/zip.ts";
import { decodeWeights } from "../weights/file_weights.ts";
import type { Weights } from "../weights/weights.ts";
import { decodeJets, holdsJets, type Jets } from "./shown_jets.ts";

/**
 * Takes a file for what it is, whatever its name says; the name of one that is damaged says who explains it.
 *
 * @throws {DataError} if it holds no jets that can be read
 * @throws {WeightsError} if it holds no weights that can be read
 */
export async function readDropped(name: string, file: ByteSource, progress?: Progress): Promise<Jets | Weights> {
  const start = readStart(file, 512), read = (from: number, to: number) => readRange(file, from, to);
  const isExample = () => isSafetensors(start) && holdsJets(decodeLayout(file.size, read).metadata);
  const isCheckpoint = () =>
    isTorch(start) && readZipDirectory(file.size, read).some((entry) => /(^|\/)data\.pkl$/.test(entry.name));
  if (holds(isExample)) return decodeJets(name, readStart(file));
  const isWeights = holds(isCheckpoint) || isSafetensors(start) || /\.(pt|pth|bin|safetensors)$/i.test(name);
  return isWeights ? decodeWeights({ path: name, bytes: file }) : await readJets(name, file, progress);
}

/** False where a file is too damaged to tell. */
function holds(test: () => boolean): boolean {
  try {
    return test();
  } catch (error) {
    if (error instanceof SafetensorsError || error instanceof ZipError) return false;
    throw error;
  }
}

/**
 * Reads and packs the jets of a data file.
 *
 * @throws {DataError} as deno task inspect says it
 */
export async function readJets(name: string, file: ByteSource, progress?: Progress): Promise<Jets> {
  using jets = JetFile.of(await readData(name, file));
  const scalars = (["labels", "mass"] as const).map((quantity) => jets.has(quantity) ? jets.readScalars(quantity) : undefined);
  const columns = new Map(jets.columns.flatMap((name) => {
    const values = readColumn(jets, name);
    return values ? [[name, values]] : [];
  }));
  const images = await packInMemory(jets, progress);
  const empty = findEmpty(images, jets.fills);
  if (empty.count === images.count) throw new DataError(`${name}: all ${images.count} images are empty`);
  return { name, images, labels: scalars[0], mass: scalars[1], columns, remarks: remarksOn(jets, empty, images.count) };
}

/** The numbers of a dataset; undefined if one of them is none: nobody may ask for it. */
function readColumn(jets: JetFile, name: string): Float64Array | undefined {
  try {
    return jets.readScalars(`target ${name}`);
  } catch (error) {
    if (error instanceof DataError) return undefined;
    throw error;
  }
}
