/** @file Data files on a disk. */

import type { DataFile } from "../data/data_file.ts";
import { DataError } from "../data/errors.ts";
import { readData } from "../data/formats.ts";
import { JetFile, type JetNames } from "../data/jet_file.ts";
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

function openDataFile(path: string): ByteSource {
  if (path === "") throw new DataError("No data file is named: give its path");
  try {
    return openSource(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new DataError(`${path}: there is no such file. Check the path, or make data with 'deno task synth'`);
  }
}
