/** @file A few images of a data file, packed. */

import { type Encoding, NonFiniteValue, pack, type PackedBatch } from "./entries.ts";
import { DataError } from "./errors.ts";
import type { ImageGroup } from "./image_group.ts";
import type { Jets } from "./jets.ts";

/**
 * Packs images.
 *
 * @returns undefined if the encoding cannot hold a value
 * @throws {DataError} if they hold a value that is not finite
 */
export function packGroup(
  file: Pick<Jets, "nameOf">,
  { first, count, values }: ImageGroup,
  encoding: Encoding,
): PackedBatch | undefined {
  try {
    return pack(values, count, encoding);
  } catch (error) {
    if (!(error instanceof NonFiniteValue)) throw error;
    throw new DataError(
      `${file.nameOf(first + error.image)} holds ${error.value}. Remove that image or set the value to 0`,
    );
  }
}
