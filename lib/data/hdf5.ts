/**
 * @file HDF5 files: their datasets by name, or in words why there are none.
 *
 * libhdf5 (libhdf5.ts) opens the file, follows groups and links, and says where a dataset's header is. What its numbers
 * are and where they lie is read from there by the files of the folder hdf5: libhdf5 as h5wasm offers it does not say so,
 * and gives zeros for what was never written and stale memory for what is damaged.
 */

import type { ByteSource } from "../io/source.ts";
import { formatCount, listed, shorten } from "../format.ts";
import { fileKind } from "../io/file_kind.ts";
import type { DataFile } from "./data_file.ts";
import { DataError } from "./errors.ts";
import { Hdf5Dataset } from "./hdf5/dataset.ts";
import { readType } from "./hdf5/datatype.ts";
import { readFilters } from "./hdf5/filters.ts";
import { findMessage, MESSAGE, readMessages } from "./hdf5/header.ts";
import { readExtent, readFill, readStorage } from "./hdf5/data_layout.ts";
import { attempt, foundNothing, libraryReason, libraryText, openWithLibrary, type ServedFile } from "./hdf5/libhdf5.ts";
import type { DatasetParts } from "./hdf5/parts.ts";
import { explainFault, REPACK } from "./hdf5/refusal.ts";
import { Cursor, Hdf5Fault, Hdf5Source } from "./hdf5/hdf5_source.ts";

export { hdf5Memory } from "./hdf5/libhdf5.ts";

/** What a path in a file leads to, in full. */
type Target = "dataset" | "group" | "type" | "link" | "nothing" | "unreadable";

/** Bytes that say what a file is. */
const FIRST_BYTES = 512;
/** Links of links. */
const MOST_LINKS = 16;
/** Groups within groups in which datasets are looked for: libhdf5 walks all of them for each name. */
const MOST_GROUPS = 32;

/** An open HDF5 file. */
export class Hdf5File implements DataFile {
  readonly module = "h5py";
  readonly file: ByteSource;
  readonly #served: ServedFile;
  readonly #source: Hdf5Source;
  /** Path as the user gave it. */
  readonly path: string;

  private constructor(path: string, file: ByteSource, served: ServedFile, source: Hdf5Source) {
    this.path = path;
    this.file = file;
    this.#served = served;
    this.#source = source;
  }

  /**
   * Reads what is in a file; the file is closed with it, unless this throws.
   *
   * @throws {DataError} if it is cut short, not HDF5, or still open in a program that writes it
   */
  static async read(path: string, file: ByteSource): Promise<Hdf5File> {
    let served: ServedFile | undefined;
    try {
      served = await openWithLibrary(file);
      if (served.id < 0n) throw new DataError(`${path}: ${explainContents(path, file)}`);
      return new Hdf5File(path, file, served, new Hdf5Source(file));
    } catch (error) {
      served?.[Symbol.dispose]();
      throw error instanceof Hdf5Fault ? new DataError(`${path}: the file cannot be read (${error.message})`) : error;
    }
  }

  /**
   * Paths of datasets, and of links that lead to no dataset of this file; of those in very many groups within groups, none.
   *
   * @throws {DataError} if the file is damaged there
   */
  get names(): string[] {
    const { library, id } = this.#served;
    const names = attempt(() => library.get_names(id, "/", true));
    if (!names) throw new DataError(`${this.path}: the names of its datasets cannot be read (${libraryReason()}). ${REPACK}`);
    return names.filter((name) => name.split("/").length <= MOST_GROUPS && this.kind(name) === "dataset");
  }

  kind(path: string): "dataset" | "other" | "nothing" {
    const target = this.#target(path);
    return target === "group" || target === "type" ? "other" : target === "nothing" ? target : "dataset";
  }

  /** What a path leads to; a link is one only if it leads nowhere in this file. */
  #target(path: string): Target {
    const { library, id } = this.#served;
    const type = attempt(() => library.get_type(id, normal(path)));
    // it gives any number where it could not look: behind a link to what is not there, or to itself, or at all
    if (libraryText() !== "") {
      const nothing = foundNothing();
      const isLink = typeof attempt(() => library.get_symbolic_link(id, normal(path))) === "string";
      return isLink ? "link" : nothing ? "nothing" : "unreadable";
    }
    switch (type) {
      case library.H5G_DATASET:
        return "dataset";
      case library.H5G_GROUP:
        return "group";
      case library.H5G_TYPE:
        return "type";
      case library.H5G_LINK:
      case library.H5G_UDLINK:
        return "link";
      default:
        return "nothing";
    }
  }

  /**
   * A dataset by its path, with or without a slash before it.
   *
   * @throws {DataError} if there is none, or one that cannot be opened
   */
  dataset(path: string): Hdf5Dataset {
    const name = normal(path);
    const target = this.#target(name);
    if (target !== "dataset") throw new DataError(`${this.path}: ${this.#explainMissing(name, target)}`);
    try {
      return new Hdf5Dataset(this.#partsOf(name), (other) => this.dataset(other));
    } catch (error) {
      throw error instanceof Hdf5Fault ? explainFault(error, this.path, name) : error;
    }
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#served[Symbol.dispose]();
    this.file[Symbol.dispose]();
  }

  #partsOf(name: string): DatasetParts {
    const { library, id } = this.#served;
    const source = this.#source;
    const reference = attempt(() => library.create_object_reference(id, name));
    if (!reference || libraryText() !== "") throw new Hdf5Fault(libraryReason());
    // libhdf5 writes the reference in eight bytes, whatever the file's own width
    const address = new Cursor(Uint8Array.from(reference), { address: 8, length: 8 }).place();
    const messages = readMessages(source, address);
    const type = findMessage(source, messages, MESSAGE.datatype);
    if (!type) throw new Hdf5Fault("its header does not say of which type it is");
    const element = readType(type);
    return {
      path: this.path,
      source,
      name,
      address,
      messages,
      extent: readExtent(source, messages),
      element,
      storage: readStorage(source, messages),
      filters: readFilters(source, messages),
      fill: readFill(source, messages, element.size),
    };
  }

  /** Why a path leads to no dataset, and what to do. */
  #explainMissing(name: string, target: Target): string {
    if (target === "group") {
      const inside = this.names.filter((other) => other.startsWith(`${name}/`));
      return `"${name}" is a group, not a dataset. It holds ${listed(inside) || "no datasets"}: name one of them`;
    }
    if (target === "type") return `"${name}" is a type, not a dataset`;
    const reason = libraryReason();
    if (this.#firstLink(name) !== undefined) return this.#explainLink(name);
    return target === "nothing" ? `there is no dataset "${name}"` : `"${name}" cannot be read (${reason}). ${REPACK}`;
  }

  /** The first part of a path that is a link which leads nowhere in this file. */
  #firstLink(path: string): string | undefined {
    const parts = path.split("/");
    return parts.map((_, i) => parts.slice(0, i + 1).join("/")).find((start) => this.#target(start) === "link");
  }

  /** Where a path leads whose parts are links that lead nowhere in this file. */
  #explainLink(name: string): string {
    const { library, id } = this.#served;
    let at = name;
    for (let links = 0; links < MOST_LINKS; links++) {
      const link = this.#firstLink(at);
      if (link === undefined) return `"${name}" is a link to "${shorten(at)}", which is not there`;
      const rest = at.slice(link.length);
      const { filename, obj_path } = attempt(() => library.get_external_link(id, link)) ?? {};
      if (filename !== undefined) {
        const target = `"${shorten(normal(`${obj_path}${rest}`))}" in the file ${shorten(filename)}`;
        return `"${name}" is a link to ${target}, and its numbers are there. ` +
          "Name that file, or copy the numbers into this one: h5repack --merge in.h5 out.h5";
      }
      const target = attempt(() => library.get_symbolic_link(id, link));
      if (typeof target !== "string") return `"${name}" is a link of a kind that is not read here. Name the dataset itself`;
      // a target without a slash before it counts from the link's own group
      at = normal(`${target.startsWith("/") ? "" : link.split("/").slice(0, -1).join("/")}/${target}${rest}`);
    }
    return `"${name}" is a link that leads back to itself`;
  }
}

/** A path without slashes at its ends and without empty parts. */
function normal(path: string): string {
  return path.split("/").filter((part) => part !== "" && part !== ".").join("/");
}

/** Why libhdf5 does not open a file. */
function explainContents(path: string, file: ByteSource): string {
  const text = libraryText();
  const start = new Uint8Array(FIRST_BYTES);
  const { size } = file;
  const first = start.subarray(0, file.read(0, start));
  if (size === 0) return "the file is empty. Copy or download it again";
  const driver = /NCSA(fami|mult)/.exec(String.fromCharCode(...first));
  if (driver) {
    const name = driver[1] === "fami" ? "family" : "split";
    return `its contents are spread over several files (by the driver "${name}"). Open them with h5py.File(..., driver="${name}") ` +
      "and copy its datasets to one file";
  }
  const cut = /truncated file: eof = (\d+).*stored_eof = (\d+)/.exec(text);
  if (cut) {
    const whole = formatCount(Number(cut[2]));
    return `the file is cut short: it has ${formatCount(size)} bytes and should have ${whole}. Copy or download it again, ` +
      "or wait for the program that writes it";
  }
  if (/h5clear|already open|SWMR/.test(text)) {
    return "another program is writing this file, or ended before it closed it. Wait until it has; " +
      `if there is none, 'h5clear -s ${path}' takes the mark off`;
  }
  const kind = fileKind(first);
  if (kind && !kind.startsWith("an HDF5")) return `this is not an HDF5 file: it is ${kind}`;
  if (text.includes("signature not found")) return "this is not an HDF5 file";
  return `the file cannot be opened as HDF5 (${libraryReason()}). It is not finished, or not whole: wait for the program that writes it, ` +
    "or copy or download it again";
}
