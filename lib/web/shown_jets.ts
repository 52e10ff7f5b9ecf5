/**
 * @file The jets that a page shows: of a file that was dropped, or of the built-in example, which is packed in a safetensors file.
 *
 *     words     (W) u32      entries of all images, see lib/data/entries.ts
 *     offsets   (N + 1) u32  words of image i are those from offsets[i] to offsets[i + 1]
 *     labels    (N) f32      class of each image
 *     mass      (N) f32      mass of each image in GeV
 */

import { PackedImages } from "../data/packed.ts";
import { decodeSafetensors, encodeSafetensors, type StoredTensor, storeFloats, toNumbers } from "../io/safetensors.ts";

/** Images with what is known of them. */
export interface Jets {
  /** Name of the file. */
  readonly name: string;
  /** All images. */
  readonly images: PackedImages;
  /** Class of each image, if it is known. */
  readonly labels?: Float64Array | undefined;
  /** Mass of each image in GeV, if it is known. */
  readonly mass?: Float64Array | undefined;
  /** Other numbers of each image by the names of their datasets, which may be targets of a model. */
  readonly columns?: ReadonlyMap<string, Float64Array> | undefined;
  /** What there is to say about the images, a sentence each. */
  readonly remarks: readonly string[];
}

/** Jets with classes and masses. */
export type LabelledJets = Jets & { readonly labels: Float64Array; readonly mass: Float64Array };

const FORMAT = "l2vit-jets";

/** True for the metadata of a file that {@linkcode encodeJets} has written. */
export function holdsJets(metadata: Readonly<Record<string, string>>): boolean {
  return metadata["format"] === FORMAT;
}

/** The built-in example as a file. */
export async function encodeJets({ images, labels, mass }: LabelledJets): Promise<Uint8Array<ArrayBuffer>> {
  const { offsets, words } = await images.batch(Array.from({ length: images.count }, (_, i) => i));
  const whole = (values: Uint32Array): StoredTensor => {
    return { dtype: "U32", shape: [values.length], bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
  };
  const floats = (values: Float64Array) => storeFloats([values.length], Float32Array.from(values));
  const tensors = new Map([["words", whole(words)], ["offsets", whole(offsets)], ["labels", floats(labels)], [
    "mass",
    floats(mass),
  ]]);
  const { encoding, channels, size } = images;
  return encodeSafetensors({ tensors, metadata: { format: FORMAT, encoding, channels: String(channels), size: String(size) } });
}

/** Reads what {@linkcode encodeJets} has written. */
export function decodeJets(name: string, file: Uint8Array): LabelledJets {
  const { tensors, metadata: { encoding, channels, size } } = decodeSafetensors(file);
  const numbers = (tensor: string) => toNumbers(tensors.get(tensor)!);
  const batch = { words: Uint32Array.from(numbers("words")), offsets: Uint32Array.from(numbers("offsets")) };
  const images = new PackedImages({ channels: Number(channels), size: Number(size) }, encoding === "u8" ? "u8" : "f32", batch);
  return { name, images, labels: numbers("labels"), mass: numbers("mass"), remarks: [] };
}
