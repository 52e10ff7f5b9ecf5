/** @file The images of data files, packed in memory. */

import type { Progress } from "../interrupted.ts";
import type { Encoding, PackedBatch } from "./entries.ts";
import type { Jets } from "./jets.ts";
import { packGroup } from "./pack_group.ts";
import { PackedImages } from "./packed.ts";

/** Packs data files in memory, where there is no place for a cache. */
export async function packInMemory(file: Jets, progress?: Progress): Promise<PackedImages> {
  return await packInMemoryAs(file, "u8", progress) ?? (await packInMemoryAs(file, "f32", progress))!;
}

async function packInMemoryAs(file: Jets, encoding: Encoding, progress?: Progress): Promise<PackedImages | undefined> {
  const offsets = new Uint32Array(file.count + 1);
  const parts: Uint32Array[] = [];
  let total = 0, image = 0;
  for await (const { stop, packed } of packedChunks(file, 0, encoding)) {
    if (!packed) return undefined;
    for (let i = 1; i < packed.offsets.length; i++) offsets[++image] = total + packed.offsets[i]!;
    parts.push(packed.words);
    total += packed.words.length;
    progress?.(stop, file.count);
  }
  const words = new Uint32Array(total);
  let at = 0;
  for (const part of parts) {
    words.set(part, at);
    at += part.length;
  }
  return new PackedImages(file, encoding, { offsets, words });
}

/** Words of the images one after the other, as long as the encoding holds their values. */
export async function* packedChunks(
  file: Jets,
  first: number,
  encoding: Encoding,
): AsyncGenerator<{ stop: number; packed: PackedBatch | undefined }> {
  for await (const group of file.scan(Uint32Array.from({ length: file.count - first }, (_, i) => first + i))) {
    yield { stop: group.first + group.count, packed: packGroup(file, group, encoding) };
  }
}
