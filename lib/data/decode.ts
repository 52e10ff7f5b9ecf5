/** @file Numbers from the bytes of a dataset, and in words which of them the wanted precision cannot hold. */

import type { DatasetInfo } from "./data_file.ts";
import { DataError } from "./errors.ts";
import { elementsOf } from "./boxes.ts";
import { InexactNumber, toFloat32, toFloat64 } from "./numbers.ts";

/** All numbers of a dataset; @throws {DataError} if a whole number is none of double precision */
export function decodeNumbers(path: string, info: DatasetInfo, bytes: Uint8Array<ArrayBuffer>): Float64Array {
  return exact(() => toFloat64(bytes, info), ({ index, value }) => {
    const row = Math.floor(index / elementsOf(info.shape.slice(1)));
    return `${path}: dataset "${info.name}" holds ${value} at row ${row}, which double precision cannot hold. Store smaller numbers`;
  });
}

/** Numbers of images, or of parts of them, the first of which belong to image `first`; @throws {DataError} if single precision cannot hold one */
export function decodeImages(
  path: string,
  info: DatasetInfo,
  bytes: Uint8Array<ArrayBuffer>,
  first: number,
): Float32Array<ArrayBuffer> {
  return exact(() => toFloat32(bytes, info), ({ index, value }) => {
    const image = first + Math.floor(index / elementsOf((info.chunks ?? info.shape).slice(1)));
    return `${path}: dataset "${info.name}": image ${image} holds ${value}, which single precision cannot hold. Scale the images`;
  });
}

function exact<Result>(work: () => Result, explain: (error: InexactNumber) => string): Result {
  try {
    return work();
  } catch (error) {
    throw error instanceof InexactNumber ? new DataError(explain(error)) : error;
  }
}
