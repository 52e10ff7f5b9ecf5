/** @file Data files on a disk. */

import type { DataFile } from "../data/data_file.ts";
import { DataError } from "../data/errors.ts";
import { readData } from "../data/formats.ts";
import { JetFile } from "../data/jet_file.ts";
import { JetSet } from "../data/jet_set.ts";
import type { JetNames, Jets } from "../data/jets.ts";
import type { ByteSource } from "../io/source.ts";
import { openSource } from "./files.ts";
import "./zlib.ts";

/**
 * Opens a data file of any format.
 *
 * @throws {DataError} if it is missing, damaged or of no format that is read
 * @throws {FileError} if it is something else than a file, or the operating system refuses
 */
export async function openData(path: string): Promise<DataFile> {
  return await readData(path, openDataFile(path));
}

/**
 * Opens a data file and finds its images.
 *
 * @param names datasets to use instead of the usual names
 * @throws {DataError} if there is no such file, or if it holds no images
 * @throws {FileError} if it is something else than a file, or the operating system refuses
 */
export async function openJets(path: string, names: JetNames = {}): Promise<JetFile> {
  return JetFile.of(await openData(path), names);
}

/** A file of a data set. */
export interface DataPart {
  /** Path of the file. */
  readonly path: string;
  /** Class of all its images, if its name says so. */
  readonly label?: number;
}

/**
 * Opens the files of a data set and finds their images.
 *
 * @param path what the set is called in messages
 * @param parts its files, at least one; all of them with a class, or none
 * @param names datasets to use instead of the usual names
 * @throws {DataError} if one is missing or holds no images, or if they do not fit together
 */
export async function openJetSet(path: string, parts: readonly DataPart[], names: JetNames = {}): Promise<Jets> {
  const [first] = parts, labels = parts.flatMap(({ label }) => label === undefined ? [] : [label]);
  if (parts.length === 1 && labels.length === 0) return await openJets(first!.path, names);
  const files: JetFile[] = [];
  try {
    for (const part of parts) files.push(await openJets(part.path, names));
  } catch (error) {
    files.forEach((file) => file[Symbol.dispose]());
    throw error;
  }
  return await JetSet.of(path, files, labels.length > 0 ? labels : undefined);
}

function openDataFile(path: string): ByteSource {
  if (path === "") throw new DataError("No data file is named: give its path");
  try {
    return openSource(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new DataError(`${path}: there is no such file. Check the path, or make data with 'deno task synth'`);
  }
}
