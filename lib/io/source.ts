/**
 * @file Bytes that can be read at any place: all that readers of formats know of a file.
 *
 * Where the bytes come from is the business of others: a file on a disk (lib/disk/files.ts), one that was dropped into a page
 * (lib/web/blob_source.ts), or memory.
 */

/** Bytes of which any part can be read. */
export interface ByteSource extends Disposable {
  /** Number of bytes. */
  readonly size: number;
  /**
   * Reads from a position until the buffer is full or the bytes end.
   *
   * @returns bytes read
   */
  read(position: number, into: Uint8Array): number;
  /** Size, and time of the last change in milliseconds since 1970, as they are now; 0 where nobody knows the time. */
  state(): SourceState;
}

/** What tells whether bytes have been changed. */
export interface SourceState {
  /** Number of bytes. */
  readonly size: number;
  /** Time of the last change in milliseconds since 1970. */
  readonly modified: number;
}

/** Bytes in memory. */
export class MemorySource implements ByteSource {
  readonly #bytes: Uint8Array;

  /** Takes bytes that nobody changes. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get size(): number {
    return this.#bytes.length;
  }

  read(position: number, into: Uint8Array): number {
    const part = this.#bytes.subarray(position, position + into.length);
    into.set(part);
    return part.length;
  }

  state(): SourceState {
    return { size: this.size, modified: 0 };
  }

  /** Nothing is held open. */
  [Symbol.dispose](): void {}
}

/** The first so many bytes, or all if there are fewer. */
export function readStart(source: Pick<ByteSource, "size" | "read">, most: number = source.size): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.min(source.size, most));
  return bytes.subarray(0, source.read(0, bytes));
}

/** The bytes from one place up to another; those that are not there are 0. */
export function readRange(source: Pick<ByteSource, "read">, start: number, stop: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(stop - start);
  source.read(start, bytes);
  return bytes;
}
