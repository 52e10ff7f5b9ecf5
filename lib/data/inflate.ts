/** @file Bytes packed by deflate, unpacked: no more of them than were announced, and in words why that fails. */

import { inflateRawSync, inflateSync } from "node:zlib";

/** Bytes that cannot be unpacked. */
export class InflateError extends Error {}

/** Nothing unpacks to more than this many times its size; for zeros alone it reaches 1032. */
export const MOST_COMPRESSION = 1100;

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
    const options = { chunkSize: Math.max(64, most), maxOutputLength: Math.max(1, most) };
    const { buffer, byteOffset, length } = form === "zlib" ? inflateSync(packed, options) : inflateRawSync(packed, options);
    return new Uint8Array(buffer as ArrayBuffer, byteOffset, length);
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
