/**
 * @file The packed store: a data file's non-zeros in one file of a cache folder, for random access.
 *
 * It is a safetensors file, which other programs read too:
 *
 *     words     (W) u32      entries of all images, in the encoding that the metadata name (see entries.ts)
 *     offsets   (N + 1) i64  words of image i are those from offsets[i] to offsets[i + 1]
 *     checks    (N) u32      check sum of each image's words
 *
 * The metadata hold sizes, encoding, and the fingerprint of the data file. Words are read image by image, so
 * a store may be larger than memory, and each image is compared with its check sum.
 */

import { openToRead, readAt } from "./files.ts";
import { holdFile } from "./lock.ts";
import { decodeLayout, SafetensorsError, type TensorLayout } from "../io/safetensors.ts";
import { checksum, type Encoding, type PackedBatch, WORDS_PER_ENTRY } from "../data/entries.ts";
import { DataError } from "../data/errors.ts";
import type { Fingerprint } from "../data/fingerprint.ts";
import { collect, type ImageSource, mostWords } from "../data/packed.ts";

/** Bytes before the words: the header is written last, into space that was set aside. */
export const HEADER_BYTES = 4096;

/** Where else packed images may be. */
export const OTHER_CACHE = 'Point data.cache_dir (--cache of deno task pack) elsewhere, or set it to "" to pack in memory';

/** What the metadata of a store say. */
export interface StoreFacts {
  /** How entries are stored. */
  readonly encoding: Encoding;
  /** Values of a pixel. */
  readonly channels: number;
  /** Pixels along eta and along phi. */
  readonly size: number;
  /** The data file that was packed. */
  readonly source: Fingerprint;
}

/** An open store. */
export class PackedStore implements ImageSource {
  /** Path of the store. */
  readonly path: string;
  /** The data file that was packed. */
  readonly source: Fingerprint;
  readonly channels: number;
  readonly size: number;
  readonly count: number;
  readonly encoding: Encoding;
  readonly words: number;
  readonly mostPerImage: number;
  readonly #file: Deno.FsFile;
  readonly #start: number;
  readonly #offsets: Float64Array;
  readonly #checks: Uint32Array;

  /**
   * Opens a store and checks that it is whole.
   *
   * @throws {DataError} if it is damaged
   * @throws {FileError} if the operating system refuses
   * @throws {Deno.errors.NotFound} if there is none
   */
  constructor(path: string) {
    this.path = path;
    this.#file = openToRead(path, OTHER_CACHE);
    // tells who packs a newer state of the data that this store is in use; reading goes on without
    holdFile(this.#file, path, true);
    try {
      const { facts, words, offsets, checks } = this.#decode();
      ({ channels: this.channels, size: this.size, encoding: this.encoding, source: this.source } = facts);
      this.#start = words.start;
      this.#offsets = offsets;
      this.#checks = checks;
      this.count = checks.length;
      this.words = offsets[this.count]!;
      this.mostPerImage = mostWords(offsets);
    } catch (error) {
      this.#file.close();
      throw error instanceof SafetensorsError ? damaged(path, error.message) : error;
    }
  }

  checks(): Promise<Uint32Array> {
    return Promise.resolve(this.#checks);
  }

  /** Numbers of the images whose words are these, told by their number and check sum. */
  find(words: Uint32Array): number[] {
    const check = checksum(words);
    const isLike = (image: number) =>
      this.#offsets[image + 1]! - this.#offsets[image]! === words.length && this.#checks[image] === check;
    return Array.from(this.#checks.keys()).filter(isLike);
  }

  batch(images: ArrayLike<number>): Promise<PackedBatch> {
    return Promise.resolve(this.read(images));
  }

  /**
   * The images with these numbers, in this order.
   *
   * @throws {DataError} if the store has been changed under our hands
   */
  read(images: ArrayLike<number>): PackedBatch {
    return collect(images, this.count, (image) => this.#wordsOf(image));
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#file.close();
  }

  #wordsOf(image: number): Uint32Array {
    const first = this.#offsets[image]!;
    const words = new Uint32Array(this.#offsets[image + 1]! - first);
    const bytes = new Uint8Array(words.buffer);
    if (readAt(this.#file, this.#start + 4 * first, bytes) < bytes.length || checksum(words) !== this.#checks[image]) {
      throw damaged(this.path, `Image ${image} does not agree with its check sum`);
    }
    return words;
  }

  #decode(): { facts: StoreFacts; words: TensorLayout; offsets: Float64Array; checks: Uint32Array } {
    const { size } = this.#file.statSync();
    const { layout, metadata } = decodeLayout(size, (start, stop) => this.#bytes(start, stop));
    const facts = checkFacts(metadata, this.path);
    const find = (name: string, dtype: string): TensorLayout => {
      const found = layout.get(name);
      if (!found || found.dtype !== dtype || found.shape.length !== 1) {
        throw damaged(this.path, `It has no ${dtype} list "${name}"`);
      }
      return found;
    };
    const [words, offset, check] = [find("words", "U32"), find("offsets", "I64"), find("checks", "U32")];
    const offsets = Float64Array.from(new BigInt64Array(this.#bytes(offset.start, offset.stop).buffer), Number);
    const checks = new Uint32Array(this.#bytes(check.start, check.stop).buffer);
    const wordsPerEntry = WORDS_PER_ENTRY[facts.encoding];
    const rising = offsets.every((value, i) => value % wordsPerEntry === 0 && (i === 0 ? value === 0 : value >= offsets[i - 1]!));
    if (offsets.length !== checks.length + 1 || !rising || offsets.at(-1) !== words.shape[0]) {
      throw damaged(this.path, "Its offsets are not those of its words");
    }
    return { facts, words, offsets, checks };
  }

  #bytes(start: number, stop: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(stop - start);
    if (readAt(this.#file, start, bytes) < bytes.length) throw damaged(this.path, "It is cut short");
    return bytes;
  }
}

/** Metadata of a store's header. */
export function encodeFacts({ encoding, channels, size, source }: StoreFacts): Record<string, string> {
  return { format: "l2vit-packed", encoding, channels: String(channels), size: String(size), source: JSON.stringify(source) };
}

function checkFacts(metadata: Record<string, string>, path: string): StoreFacts {
  const { format, encoding, channels, size, source } = metadata;
  const numbers = [Number(channels), Number(size)] as const;
  if (
    format !== "l2vit-packed" || (encoding !== "u8" && encoding !== "f32") ||
    !numbers.every((n) => Number.isSafeInteger(n) && n > 0)
  ) {
    throw damaged(path, "Its metadata are not those of packed images");
  }
  try {
    return { encoding, channels: numbers[0], size: numbers[1], source: JSON.parse(source ?? "") };
  } catch {
    throw damaged(path, "Its metadata do not name a data file");
  }
}

function damaged(path: string, why: string): DataError {
  return new DataError(`${path}: this cache is damaged. ${why}. Remove the file: it is made again from the data`);
}
