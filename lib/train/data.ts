/** @file A run's data: files opened, checked against the model, packed and divided. */

import { ConfigError, type RunConfig } from "../config.ts";
import { DataError } from "../data/errors.ts";
import { JetFile, type JetNames } from "../data/jet_file.ts";
import { PackedImages, type Progress } from "../data/packed.ts";
import { randomSplit, stratifiedSplit } from "../data/split.ts";
import { gridOf } from "../nn/config.ts";
import type { LabelledData } from "./finetune.ts";
import type { UnlabelledData } from "./simclr.ts";

/** Names of datasets from the config; empty ones are looked for. */
export function jetNames({ keys }: RunConfig["data"]): JetNames {
  return Object.fromEntries(Object.entries(keys).filter(([, name]) => name !== ""));
}

/**
 * Reads labelled images and divides them as scikit-learn does.
 *
 * @param path HDF5 file
 * @throws {DataError} if labels or masses are missing or no class numbers
 */
export async function readLabelled(config: RunConfig, path: string, progress?: Progress): Promise<LabelledData> {
  using file = await openMatching(config, path);
  for (const quantity of ["labels", "mass"] as const) {
    if (!file.has(quantity)) {
      throw new DataError(
        `${path}: there is no dataset with ${quantity}. Use a labelled file, or name it with data.keys.${quantity}`,
      );
    }
  }
  const labels = checkLabels(file.readScalars("labels"), config.model.num_classes, path);
  const mass = file.readScalars("mass");
  let split: LabelledData["split"];
  try {
    split = stratifiedSplit(labels, config.data.seed);
  } catch (error) {
    throw new DataError(`${path}: ${(error as Error).message}`);
  }
  return { images: await PackedImages.read(file, progress), labels, mass, split };
}

/** Reads images without labels, 5 % of them for validation. */
export async function readUnlabelled(config: RunConfig, path: string, progress?: Progress): Promise<UnlabelledData> {
  using file = await openMatching(config, path);
  if (file.count < 4) throw new DataError(`${path}: it holds ${file.count} images; at least 4 are needed`);
  const images = await PackedImages.read(file, progress);
  return { images, split: randomSplit(file.count, config.data.seed) };
}

/**
 * Opens a file whose images a model can read.
 *
 * @throws {ConfigError} if channels differ, or if the images are not cut into as many patches as the model has
 */
export async function openMatching({ data, model }: Pick<RunConfig, "data" | "model">, path: string): Promise<JetFile> {
  const file = await JetFile.open(path, jetNames(data));
  // pixels beyond the last whole patch are left out, so several sizes give the same grid
  if (Math.floor(file.size / model.patch_size) !== gridOf(model) || file.channels !== model.in_channels) {
    file[Symbol.dispose]();
    throw new ConfigError(
      `${path}: images are ${file.size} x ${file.size} with ${file.channels} channels, the model reads ` +
        `${model.img_size} x ${model.img_size} with ${model.in_channels}. Set model.img_size and model.in_channels to match`,
    );
  }
  return file;
}

function checkLabels(labels: Float64Array, classes: number, path: string): Float64Array {
  const bad = labels.findIndex((label) => !Number.isInteger(label) || label < 0 || label >= classes);
  if (bad < 0) return labels;
  throw new DataError(
    `${path}: label ${labels[bad]} of image ${bad} is no class from 0 to ${classes - 1}. Set model.num_classes to match`,
  );
}
