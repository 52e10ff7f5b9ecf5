/** @file Datasets whose numbers are not read: what they are, and what to do. */

import { formatBytes, listed, shorten } from "../../format.ts";
import { type DatasetUse, pythonAdvice, TEXT, textConversion } from "../data_file.ts";
import { MOST_COMPRESSION } from "../inflate.ts";
import { DataError } from "../errors.ts";
import { isSupported } from "./filters.ts";
import type { ChunkedStorage, Storage } from "./data_layout.ts";
import type { DatasetParts } from "./parts.ts";
import type { Hdf5Fault, Hdf5Source } from "./hdf5_source.ts";
import { readMappings } from "./virtual.ts";

/** Largest chunk that is read, in bytes: it is unpacked in memory. */
const MOST_CHUNK_BYTES = 2 ** 30;
const ONE_FILE = "'h5repack -l CONTI in.h5 out.h5' writes all numbers into one file";

/** What to do with a file that is not understood. */
export const REPACK = "If h5dump can read it, 'h5repack in.h5 out.h5' writes it anew";

/** What is wrong with a dataset, and what to do. */
export function explainFault({ message, damaged }: Hdf5Fault, path: string, dataset: string, where?: string): DataError {
  const advice = damaged ? "The file is damaged there: copy or download it again" : REPACK;
  return new DataError(`${path}: ${where ? `${where} of` : "dataset"} "${dataset}" cannot be read (${message}). ${advice}`);
}

/** Why a dataset is not read, in words that follow its name; undefined if it is. */
export function refusalOf(
  { name, source, storage, element, filters, extent: { shape } }: DatasetParts,
  as: DatasetUse,
): string | undefined {
  const missing = filters.find((filter) => !isSupported(filter));
  if (missing) {
    return `is compressed with "${shorten(missing.name)}", which cannot be read here. ` +
      "Rewrite it with gzip, or uncompressed (h5repack -f GZIP=4 in.h5 out.h5)";
  }
  if (!element.format) {
    const conversion = element.words === TEXT ? textConversion(as) : element.conversion;
    const how = conversion && `. ${pythonAdvice("h5py", name, conversion)}`;
    return `holds ${element.words}, which cannot be read here${how ?? ""}`;
  }
  const elsewhere = otherFiles(source, storage);
  if (elsewhere !== undefined) return `${elsewhere}. With these at hand, ${ONE_FILE}`;
  const bytes = shape.reduce((product, n) => product * n, element.size);
  if (storage.kind === "contiguous" && bytes > 0) {
    if (storage.address === undefined) return "was never written: no numbers are stored for it";
    source.check(storage.address, bytes);
  } else if (!(bytes <= MOST_COMPRESSION * source.bytes)) {
    return `claims ${formatBytes(bytes)}, and the file has ${formatBytes(source.bytes)}: most of it was never written`;
  }
  return storage.kind === "chunked" ? refusalOfChunks(storage, name, shape, element.size) : undefined;
}

/** In which other files the numbers are, in words; undefined if they are in this one. */
function otherFiles(source: Hdf5Source, storage: Storage): string | undefined {
  if (storage.kind === "external") return `keeps its numbers in other files (${listed(storage.files)})`;
  if (storage.kind !== "virtual") return undefined;
  const other = readMappings(source, storage.heap).find(({ file }) => file !== ".");
  return other &&
    `is virtual: its numbers are in other files, such as "${shorten(other.dataset)}" in ${shorten(other.file)}`;
}

function refusalOfChunks(
  { shape, bytes }: ChunkedStorage,
  name: string,
  extent: readonly number[],
  size: number,
): string | undefined {
  if (shape.length !== extent.length || bytes !== shape.reduce((product, n) => product * n, size)) {
    return "has chunks of another shape than its own";
  }
  if (bytes <= MOST_CHUNK_BYTES) return undefined;
  const smaller = `h5repack -l ${name}:CHUNK=${[8, ...extent.slice(1)].join("x")} in.h5 out.h5`;
  return `has chunks of (${shape.join(", ")}), ${formatBytes(bytes)} each, which are too large to be unpacked. ` +
    `Rewrite it in smaller ones: ${smaller}`;
}
