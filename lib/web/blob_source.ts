/** @file A file that was dropped into a page, read where it is asked for: it is never in memory as a whole. */

import { FileError } from "../io/file_error.ts";
import type { ByteSource, SourceState } from "../io/source.ts";

/** Reads a part of a file at once; Workers alone have it. */
declare class FileReaderSync {
  readAsArrayBuffer(blob: Blob): ArrayBuffer;
}

/** The bytes of a file, in a Worker. */
export class BlobSource implements ByteSource {
  readonly #file: File;
  readonly #reader = new FileReaderSync();

  /** Nothing is read yet. */
  constructor(file: File) {
    this.#file = file;
  }

  get size(): number {
    return this.#file.size;
  }

  read(position: number, into: Uint8Array): number {
    try {
      const part = new Uint8Array(this.#reader.readAsArrayBuffer(this.#file.slice(position, position + into.length)));
      into.set(part);
      return part.length;
    } catch {
      throw new FileError(`${this.#file.name} cannot be read: it has been changed, moved or removed. Choose it again`);
    }
  }

  state(): SourceState {
    return { size: this.#file.size, modified: this.#file.lastModified };
  }

  /** The browser closes it. */
  [Symbol.dispose](): void {}
}
