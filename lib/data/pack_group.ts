/** @file A few images of a data file, packed. */

import { type Encoding, NonFiniteValue, pack, type PackedBatch } from "./entries.ts";
import { DataError } from "./errors.ts";
import type { JetFile } from "./jet_file.ts";
import type { ImageGroup } from "./image_group.ts";

/**
 * Packs images.
 *
 * @returns undefined if the encoding cannot hold a value
 * @throws {DataError} if they hold a value that is not finite
 */
export function packGroup(file: JetFile, { first, count, values }: ImageGroup, encoding: Encoding): PackedBatch | undefined {
  try {
    return pack(values, count, encoding);
  } catch (error) {
    if (!(error instanceof NonFiniteValue)) throw error;
    throw new DataError(
      `${file.path}: dataset "${file.images.name}": image ${first + error.image} holds ${error.value}. ` +
        "Remove that image or set the value to 0",
    );
  }
}
