/** @file What tells whether a data file is still the one that was packed. */

import { concat } from "../arrays.ts";
import type { DataFile, Dataset } from "./data_file.ts";

/** A data file as it was when it was packed. */
export interface Fingerprint {
  /** Path as the user gave it. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Last change, in milliseconds since 1970. */
  readonly modified: number;
  /** Dataset of the images. */
  readonly dataset: string;
  /** Its shape. */
  readonly shape: readonly number[];
  /** Type and byte order of its numbers, chunks and filters. */
  readonly layout: string;
  /** SHA-256 of blocks from all over the file. */
  readonly sample: string;
}

const BLOCKS = 64;
const BLOCK_BYTES = 4096;

/** Looks at a data file and its images. */
export async function fingerprint({ path, file }: DataFile, { info }: Dataset): Promise<Fingerprint> {
  const { name: dataset, shape, format, size: bytes, littleEndian, chunks, filters } = info;
  const kind = format === "bf16" ? "bfloat" : format?.startsWith("f") ? "float" : "integer";
  const layout = [kind, 8 * bytes, littleEndian ? "little-endian" : "big-endian", chunks?.join(" x ") ?? "contiguous", ...filters];
  const { size, modified } = file.state();
  const sample = new Uint8Array(BLOCKS * BLOCK_BYTES);
  for (let i = 0; i < BLOCKS; i++) {
    const position = Math.round(i / (BLOCKS - 1) * Math.max(0, size - BLOCK_BYTES));
    file.read(position, sample.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES));
  }
  return { path, size, modified, dataset, shape, layout: layout.join(", "), sample: await sha256(sample) };
}

/**
 * SHA-256 of these parts one after the other, in hexadecimal. A Blob would join them too, but what it holds stays in memory when a Worker
 * that has made it ends.
 */
export async function sha256(...parts: readonly (string | ArrayBufferView<ArrayBuffer>)[]): Promise<string> {
  const bytes = parts.map((part) =>
    typeof part === "string" ? new TextEncoder().encode(part) : new Uint8Array(part.buffer, part.byteOffset, part.byteLength)
  );
  const whole = bytes.length === 1 ? bytes[0]! : concat(bytes);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", whole)).toHex();
}
