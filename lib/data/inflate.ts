/** @file Bytes packed by deflate, unpacked: no more of them than were announced, and in words why that fails. */

import { inflateInScript } from "./inflate_script.ts";

/** Bytes that cannot be unpacked. */
export class InflateError extends Error {}

/** Nothing unpacks to more than this many times its size; for zeros alone it reaches 1032. */
export const MOST_COMPRESSION = 1100;

/**
 * What unpacks: {@linkcode inflateInScript}, or what a platform has that is faster. What it throws has zlib's name of the fault as
 * its code.
 *
 * @param most bytes that they may be unpacked
 * @param form "zlib" with header and check sum, as in HDF5, or "raw", as in zip archives
 * @param partial gives the first bytes, where there are more or the rest is not there
 */
export type Inflater = (packed: Uint8Array, most: number, form: "zlib" | "raw", partial?: boolean) => Uint8Array<ArrayBuffer>;

let inflater: Inflater = inflateInScript;

/** Takes another way to unpack from now on. */
export function useInflater(faster: Inflater): void {
  inflater = faster;
}

/**
 * Unpacks bytes.
 *
 * @param most bytes that they may be unpacked
 * @param form "zlib" with header and check sum, as in HDF5, or "raw", as in zip archives
 * @throws {InflateError} if they are damaged, or more
 */
export function inflate(packed: Uint8Array, most: number, form: "zlib" | "raw"): Uint8Array<ArrayBuffer> {
  if (most > MOST_COMPRESSION * (packed.length + 1)) {
    throw new InflateError(`${packed.length} bytes cannot be ${most} compressed`);
  }
  try {
    return inflater(packed, most, form);
  } catch (error) {
    throw new InflateError(reasonOf(error, most));
  }
}

/**
 * The first bytes of a raw stream, whose end may not be there.
 *
 * @throws {InflateError} if they are damaged
 */
export function inflateStart(packed: Uint8Array, most: number): Uint8Array<ArrayBuffer> {
  try {
    return inflater(packed, most, "raw", true);
  } catch (error) {
    throw new InflateError(reasonOf(error, most));
  }
}

function reasonOf(error: unknown, most: number): string {
  switch ((error as { code?: unknown }).code) {
    case "ERR_BUFFER_TOO_LARGE":
      return `they are more than ${most} bytes when they are unpacked`;
    case "Z_BUF_ERROR":
      return "they end too early";
    case "Z_DATA_ERROR":
      return "they are damaged, or not compressed with gzip";
    default:
      throw error;
  }
}
