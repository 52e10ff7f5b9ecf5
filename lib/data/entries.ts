/**
 * @file Packed images: the non-zeros alone, as 32-bit words that kernels read as they are.
 *
 * 98.8 % of the published images' values are zero. Packed, an image is a list of entries (position, value)
 * with position = (row * size + column) * channels + channel, rising. There are two encodings, both lossless:
 *
 * - "u8", one word an entry: position * 256 + value, where every value is a whole number from 1 to 255 and an
 *   image has at most 2^24 positions. The published files are like this: 6 kB an image instead of 500 kB.
 * - "f32", two words an entry: the position, and the bits of the value. Every value whose bits are not all zero
 *   is an entry, so that -0 survives too.
 */

/** How entries are stored. */
export type Encoding = "u8" | "f32";

/** Words of an entry. */
export const WORDS_PER_ENTRY: Readonly<Record<Encoding, number>> = { u8: 1, f32: 2 };

/** Images of one size, packed. */
export interface PackedBatch {
  /** (count + 1): the words of image i are those from offsets[i] to offsets[i + 1]. */
  readonly offsets: Uint32Array;
  /** Entries of all images, one after the other. */
  readonly words: Uint32Array;
}

/** A value that is not finite. */
export class NonFiniteValue extends Error {
  /** Number of the image among those that were packed. */
  readonly image: number;
  /** NaN or an infinity. */
  readonly value: number;

  /** Says where it is. */
  constructor(image: number, value: number) {
    super(`image ${image} holds ${value}`);
    this.image = image;
    this.value = value;
  }
}

/** Words of the images being packed; grows to what the fullest call needs. */
let scratch = new Uint32Array(0);
/** Positions of one image's non-zeros. */
let positions = new Uint32Array(0);

/**
 * Packs dense images.
 *
 * @param images count * perImage values, channels last
 * @param count number of images
 * @returns undefined if the encoding cannot hold a value
 * @throws {NonFiniteValue} if an image holds NaN or an infinity
 */
export function pack(images: Float32Array, count: number, encoding: Encoding): PackedBatch | undefined {
  const perImage = images.length / count;
  if (encoding === "u8" && perImage > 2 ** 24) return undefined;
  const bits = new Uint32Array(images.buffer, images.byteOffset, images.length);
  const offsets = new Uint32Array(count + 1);
  const wordsPerEntry = WORDS_PER_ENTRY[encoding];
  let at = 0;
  for (let image = 0; image < count; image++) {
    reserve(at + wordsPerEntry * perImage);
    const end = packImage(images, bits, image * perImage, perImage, encoding, at);
    if (end === undefined) return undefined;
    offsets[image + 1] = at = end;
  }
  return { offsets, words: scratch.slice(0, at) };
}

/** Appends an image's entries to the scratch words; returns their end, or undefined if the encoding does not do. */
function packImage(
  values: Float32Array,
  bits: Uint32Array,
  base: number,
  perImage: number,
  encoding: Encoding,
  at: number,
): number | undefined {
  for (const i of findNonZeros(bits, base, base + perImage)) {
    const value = values[i]!;
    if (!Number.isFinite(value)) throw new NonFiniteValue(Math.floor(base / perImage), value);
    const whole = value | 0;
    if (encoding === "f32") {
      scratch[at++] = i - base;
      scratch[at++] = bits[i]!;
    } else if (whole === value && whole >= 1 && whole <= 255) {
      scratch[at++] = (i - base) << 8 | whole;
    } else return undefined;
  }
  return at;
}

/**
 * Positions of words that are not zero, rising.
 *
 * @returns a view that the next call overwrites
 */
export function findNonZeros(bits: Uint32Array, first: number, last: number): Uint32Array {
  if (positions.length < last - first) positions = new Uint32Array(last - first);
  const out = positions;
  let count = 0, i = first;
  // most of an image is zero: eight words are looked at as one
  for (const whole = last - (last - first) % 8; i < whole; i += 8) {
    const any = bits[i]! | bits[i + 1]! | bits[i + 2]! | bits[i + 3]! | bits[i + 4]! | bits[i + 5]! | bits[i + 6]! | bits[i + 7]!;
    if (any === 0) continue;
    for (let j = i; j < i + 8; j++) if (bits[j] !== 0) out[count++] = j;
  }
  for (; i < last; i++) if (bits[i] !== 0) out[count++] = i;
  return out.subarray(0, count);
}

/**
 * The dense image of an image's words.
 *
 * @param perImage values of an image
 */
export function unpack(words: Uint32Array, encoding: Encoding, perImage: number): Float32Array {
  const image = new Float32Array(perImage);
  const bits = new Uint32Array(image.buffer);
  if (encoding === "u8") { for (const word of words) image[word >>> 8] = word & 255; }
  else for (let i = 0; i < words.length; i += 2) bits[words[i]!] = words[i + 1]!;
  return image;
}

/** Calls a function with position and value of each entry of an image. */
export function forEachEntry(words: Uint32Array, encoding: Encoding, visit: (position: number, value: number) => void): void {
  if (encoding === "u8") {
    for (let i = 0; i < words.length; i++) visit(words[i]! >>> 8, words[i]! & 255);
    return;
  }
  const values = new Float32Array(words.buffer, words.byteOffset, words.length);
  for (let i = 0; i < words.length; i += 2) visit(words[i]!, values[i + 1]!);
}

/** A check sum of an image's words (FNV-1a over words): a changed word changes it. */
export function checksum(words: Uint32Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < words.length; i++) hash = Math.imul(hash ^ words[i]!, 0x01000193);
  return hash >>> 0;
}

function reserve(words: number): void {
  if (words <= scratch.length) return;
  const grown = new Uint32Array(Math.max(words, 2 * scratch.length));
  grown.set(scratch);
  scratch = grown;
}
