/** @file The formats of data files. A file is of the first whose beginning it has, whatever its name says. */

import { readAt } from "../disk/files.ts";
import { NPY_MAGIC } from "../io/npy.ts";
import { type DataFile, openDataFile } from "./data_file.ts";
import { Hdf5File } from "./hdf5.ts";
import { openNpy, openNpz } from "./numpy.ts";

/** A format of data files. */
interface Format {
  /** True if a file may be one, by its first bytes as Latin-1 text. */
  readonly begins: (start: string) => boolean;
  /** Reads what is in the file, which it closes when it is closed; what it throws leaves the file open. */
  readonly open: (path: string, file: Deno.FsFile) => DataFile | Promise<DataFile>;
}

const FORMATS: readonly Format[] = [
  { begins: (start) => start.startsWith("PK\x03\x04") || start.startsWith("PK\x05\x06"), open: openNpz },
  { begins: (start) => start.startsWith(NPY_MAGIC), open: openNpy },
  // the signature of HDF5 may lie further behind: whatever nothing else claims is explained there
  { begins: () => true, open: Hdf5File.read },
];

/** Bytes that say what a file is. */
const FIRST_BYTES = 16;

/**
 * Opens a data file of any format.
 *
 * @throws {DataError} if it is missing, damaged or of no format that is read
 */
export async function openData(path: string): Promise<DataFile> {
  const file = openDataFile(path);
  try {
    const start = new Uint8Array(FIRST_BYTES);
    const text = String.fromCharCode(...start.subarray(0, readAt(file, 0, start)));
    return await FORMATS.find(({ begins }) => begins(text))!.open(path, file);
  } catch (error) {
    file.close();
    throw error;
  }
}
