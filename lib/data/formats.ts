/** @file The formats of data files. A file is of the first whose beginning it has, whatever its name says. */

import { type ByteSource, readStart } from "../io/source.ts";
import { NPY_MAGIC } from "../io/npy.ts";
import type { DataFile } from "./data_file.ts";
import { DataError } from "./errors.ts";
import { findSuperblock } from "./hdf5/hdf5_source.ts";
import { openNpy, openNpz } from "./numpy.ts";

/** A format of data files. */
interface Format {
  /** True if a file may be one, by its first bytes as Latin-1 text. */
  readonly begins: (start: string) => boolean;
  /** Reads what is in the file, which it closes when it is closed; what it throws leaves the file open. */
  readonly open: (path: string, file: ByteSource) => DataFile | Promise<DataFile>;
}

const HDF5: Format = {
  begins: () => true,
  open: async (path, file) => await (await import("./hdf5.ts")).Hdf5File.read(path, file),
};
const FORMATS: readonly Format[] = [
  { begins: (start) => start.startsWith("PK\x03\x04") || start.startsWith("PK\x05\x06"), open: openNpz },
  { begins: (start) => start.startsWith(NPY_MAGIC), open: openNpy },
  // the signature of HDF5 may lie further behind: whatever nothing else claims is explained there
  HDF5,
];

/** Bytes that say what a file is. */
const FIRST_BYTES = 16;

/**
 * Reads what is in a data file of any format; the file is closed with it, or if this throws.
 *
 * @param path what it is called in messages
 * @throws {DataError} if it is damaged or of no format that is read
 */
export async function readData(path: string, file: ByteSource): Promise<DataFile> {
  try {
    const text = String.fromCharCode(...readStart(file, FIRST_BYTES));
    const format = FORMATS.find(({ begins }) => begins(text))!;
    try {
      return await format.open(path, file);
    } catch (error) {
      // what lies before the signature of HDF5 is its user's, and may begin like anything
      if (!(error instanceof DataError) || findSuperblock(file) === undefined || format === HDF5) throw error;
      return await HDF5.open(path, file);
    }
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}
