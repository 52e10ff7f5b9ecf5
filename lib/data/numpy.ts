/**
 * @file NumPy's files of arrays: `.npz`, a zip archive of arrays by name, and `.npy`, a single array, which is taken for the images.
 *
 * An array is a header (npy.ts) and its numbers, row by row. They are read where they lie in the file; those that
 * np.savez_compressed has packed are unpacked as they are asked for, from the front to the back (npz_member.ts). Nothing is
 * unpickled.
 */

import { type ByteSource, readRange } from "../io/source.ts";
import { shorten } from "../format.ts";
import { MOST_HEADER, NpyError, type NpyHeader, readNpyHeader } from "../io/npy.ts";
import { readZipDirectory, type ZipEntry, ZipError } from "../io/zip.ts";
import { type DataFile, type Dataset, type DatasetInfo, type DatasetUse, pythonAdvice, TEXT, textConversion } from "./data_file.ts";
import { decodeNumbers } from "./decode.ts";
import { DataError } from "./errors.ts";
import { elementsOf } from "./boxes.ts";
import { entryOf, type Member, wholeFile } from "./npz_member.ts";
import type { NumberFormat } from "./numbers.ts";

const AGAIN = "Copy or download the file again";
const SUFFIX = ".npy";
/** The name of the array of a `.npy` file. */
const ALONE = "images";
const BESIDE =
  'A .npy file is one array, the images. Labels and masses go beside them: np.savez("jets.npz", jet=images, Y=labels, m=mass)';

/** Types that are numbers by NumPy's letters. */
const NUMBERS: Readonly<Record<string, string>> = { f: "float", i: "integer", u: "unsigned" };
/** Types that are none, or none that is read, and how NumPy makes numbers of what they hold. */
const OTHERS: Readonly<Record<string, readonly [words: string, conversion?: string]>> = {
  "": ["records", 'OLD["FIELD"]'],
  c: ["complex numbers", "OLD.real"],
  f: ["long doubles", 'OLD.astype("f8")'],
  M: ["times"],
  m: ["differences of times"],
  O: ["pickled Python objects", "np.stack(OLD)"],
  S: [TEXT],
  U: [TEXT],
  V: ["raw bytes"],
};

/** Opens an archive of arrays; the file is closed with it, unless this throws. */
export function openNpz(path: string, file: ByteSource): DataFile {
  try {
    const entries = readZipDirectory(file.size, (start, stop) => readRange(file, start, stop));
    const arrays = entries.filter(({ name }) => name.endsWith(SUFFIX));
    if (arrays.length === 0) {
      const inside = entries[0] ? `it holds ${shorten(entries[0].name)}` : "it is empty";
      throw new DataError(
        `${path}: this is a zip archive without arrays of NumPy: ${inside}. Name a file that np.savez has written`,
      );
    }
    return new NumpyFile(path, file, new Map(arrays.map((entry) => [entry.name.slice(0, -SUFFIX.length), entry])));
  } catch (error) {
    if (!(error instanceof ZipError)) throw error;
    throw new DataError(
      `${path}: this zip archive cannot be read: ${error.message}. ${AGAIN}, or wait for the program that writes it`,
    );
  }
}

/** Opens a single array; the file is closed with it, unless this throws. */
export function openNpy(path: string, file: ByteSource): DataFile {
  const array = new NumpyFile(path, file, new Map([[ALONE, undefined]]), BESIDE);
  // one whose header is none is refused at once
  array.dataset(ALONE);
  return array;
}

class NumpyFile implements DataFile {
  readonly module = "NumPy";
  readonly path: string;
  readonly file: ByteSource;
  readonly advice: string | undefined;
  /** Entries of the archive by the names of their arrays; undefined stands for the whole file. */
  readonly #entries: ReadonlyMap<string, ZipEntry | undefined>;
  readonly #open: Member[] = [];

  constructor(path: string, file: ByteSource, entries: ReadonlyMap<string, ZipEntry | undefined>, advice?: string) {
    this.path = path;
    this.file = file;
    this.#entries = entries;
    this.advice = advice;
  }

  get names(): string[] {
    return [...this.#entries.keys()];
  }

  kind(name: string): "dataset" | "nothing" {
    return this.#entries.has(normal(name)) ? "dataset" : "nothing";
  }

  dataset(path: string): Dataset {
    const name = normal(path), entry = this.#entries.get(name);
    if (!this.#entries.has(name)) throw new DataError(`${this.path}: there is no array "${name}"`);
    if (entry?.hindrance !== undefined) {
      const remedy = "Write the file with np.savez or np.savez_compressed";
      throw new DataError(`${this.path}: dataset "${name}" is ${entry.hindrance} in a way that is not read here. ${remedy}`);
    }
    return inWords(this.path, name, () => {
      const member = entry ? entryOf(this.file, entry) : wholeFile(this.file);
      this.#open.push(member);
      return new NumpyArray(this.path, name, member);
    });
  }

  [Symbol.dispose](): void {
    for (const member of this.#open) member.close();
    this.file[Symbol.dispose]();
  }
}

class NumpyArray implements Dataset {
  readonly info: DatasetInfo;
  readonly fill = 0;
  readonly unwritten = undefined;
  readonly #path: string;
  readonly #member: Member;
  readonly #header: NpyHeader;

  /** @throws {NpyError} if the header is none */
  constructor(path: string, name: string, member: Member) {
    this.#path = path;
    this.#member = member;
    this.#header = readNpyHeader(member.start(MOST_HEADER));
    const { shape, descr } = this.#header, filters = member.packed ? ["deflate"] : [];
    this.info = { name, shape, ...typeOf(descr), storage: "contiguous", chunks: null, filters };
  }

  get place(): number {
    return this.#member.place;
  }

  check(as: DatasetUse): void {
    const { shape, descr, fortranOrder, bytes } = this.#header, { name, format, size, type } = this.info;
    const advice = (expression?: string) => expression ? `. ${pythonAdvice("NumPy", name, expression)}` : "";
    if (!format) {
      const conversion = type === TEXT ? textConversion(as) : OTHERS[kindOf(descr)]?.[1];
      throw this.#error(`holds ${type}, which cannot be read here${advice(conversion)}`);
    }
    // of one axis there is one order
    if (fortranOrder && shape.filter((n) => n !== 1).length > 1) {
      throw this.#error(`is stored by columns (Fortran order), which is not read here${advice("np.ascontiguousarray(OLD)")}`);
    }
    const numbers = size * elementsOf(shape), held = this.#member.size - bytes;
    if (numbers === held) return;
    const claim = `has shape (${shape.join(", ")}), which takes ${numbers} bytes, and ${held} are there`;
    throw this.#error(
      numbers < held
        ? `${claim}: something was appended to it. Save all images as one array: np.concatenate`
        : `${claim}: it is cut, or still being written. ${AGAIN}`,
    );
  }

  readNumbers(): Float64Array {
    this.check("numbers");
    const bytes = inWords(this.#path, this.info.name, () => this.#member.readAll());
    return decodeNumbers(this.#path, this.info, bytes.subarray(this.#header.bytes));
  }

  async readRows(first: number, count: number, into: Uint8Array<ArrayBuffer>): Promise<void> {
    const { shape, size } = this.info, { bytes } = this.#header, rowBytes = size * elementsOf(shape.slice(1));
    try {
      // the checksum is that of header and numbers
      if (first === 0) await this.#member.readInto(0, new Uint8Array(bytes));
      await this.#member.readInto(bytes + first * rowBytes, into.subarray(0, count * rowBytes));
    } catch (error) {
      throw worded(error, this.#path, this.info.name);
    }
  }

  #error(what: string): DataError {
    return new DataError(`${this.#path}: dataset "${this.info.name}" ${what}`);
  }
}

/** A name without the slashes that paths of HDF5 may begin with. */
function normal(name: string): string {
  return name.replace(/^\/+/, "");
}

/** The letter of a type: "f" of "<f4". */
function kindOf(descr: string): string {
  return descr.replace(/^[<>|=]/, "").charAt(0);
}

/** What a type of NumPy, such as "<f4", is. */
function typeOf(descr: string): Pick<DatasetInfo, "format" | "size" | "littleEndian" | "type"> {
  const [, order, kind, digit] = /^([<>|])(?:(?=f[248])|(?=[iu][1248])|(?=b1))(.)(.)$/.exec(descr) ?? [];
  const littleEndian = order !== ">", size = Number(digit ?? 0), bits = 8 * size;
  if (kind === undefined) {
    return { format: undefined, size, littleEndian, type: OTHERS[kindOf(descr)]?.[0] ?? `elements of type ${shorten(descr)}` };
  }
  if (kind === "b") return { format: "u8", size, littleEndian, type: "bool" };
  const type = `${NUMBERS[kind]} ${bits} bit${size > 1 && !littleEndian ? ", big-endian" : ""}`;
  return { format: `${kind}${bits}` as NumberFormat, size, littleEndian, type };
}

/** Does something to an array, and names file and array in what is wrong with its bytes. */
function inWords<Result>(path: string, name: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw worded(error, path, name);
  }
}

function worded(error: unknown, path: string, name: string): unknown {
  const isOurs = error instanceof NpyError || error instanceof ZipError;
  return isOurs ? new DataError(`${path}: dataset "${shorten(name)}" cannot be read: ${error.message}. ${AGAIN}`) : error;
}
