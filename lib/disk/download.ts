/**
 * @file Downloads that survive cut connections: resumed by ranges, checked, then renamed.
 *
 * The bytes go to `<path>.partial`, whose length is all that a later attempt needs to know. A server's answer is
 * believed only as far as it fits: the wrong range, the wrong size or a page instead of the file end the download and
 * leave what is there as it was.
 */

import { createHash } from "node:crypto";
import { formatBytes } from "../format.ts";
import { Interrupted } from "../interrupted.ts";
import { removeIfPossible, writeAll } from "./files.ts";
import { type Notice, tryLock } from "./lock.ts";
import { FileError } from "../io/file_error.ts";
import { explaining } from "./system_error.ts";

/** A download that cannot go on. The message says why, and what to do. */
export class DownloadError extends Error {
  /** Name of the error class. */
  override readonly name = "DownloadError";
}

/** What is downloaded, and what is known of it. */
export interface RemoteFile {
  /** http or https. */
  readonly url: string;
  /** Where it goes. */
  readonly path: string;
  /** Its size, if it is known. */
  readonly bytes?: number | undefined;
  /** SHA-256 in hexadecimal, if it is known. */
  readonly sha256?: string | undefined;
  /** First bytes of such files: a page instead of the file is seen before anything is written. */
  readonly magic?: Uint8Array | undefined;
  /** What to do if it is on a host that the program may not reach. */
  readonly forbidden?: ((host: string) => string) | undefined;
  /** Throws if the contents are not what they should be; called with the path of the complete download. */
  readonly verify?: ((path: string) => Promise<void>) | undefined;
}

/** How a download goes about it. */
export interface DownloadOptions {
  /** Told how many bytes of how many are there. */
  readonly progress?: (done: number, total: number) => void;
  /** Stops the download; the next call goes on from there. */
  readonly signal?: AbortSignal;
  /** Milliseconds without a byte after which a connection counts as dead (30,000). */
  readonly stall?: number;
  /** Attempts in a row that bring no new byte after which the download ends (6). */
  readonly attempts?: number;
  /** Told what else the user should know. */
  readonly notice?: Notice;
  /** Told why an attempt failed, and in how many milliseconds the next one starts. */
  readonly waiting?: (why: string, milliseconds: number) => void;
  /** Milliseconds before an attempt: doubles from a second, if not given. */
  readonly pause?: (attempt: number) => number;
  /** Free bytes where a file goes; undefined does not look. */
  readonly freeBytes?: (path: string) => number;
}

/** Bytes to leave free on the disk. */
const SPARE = 200e6;

/** A failure that another attempt may not have. */
class Transient extends Error {}

/**
 * Downloads a file, or goes on with an earlier download of it. A file that is there already is checked as one that comes.
 *
 * @returns false if the file was there already
 * @throws {DownloadError} if it cannot be had, is not what it should be, or the disk is too small
 * @throws {FileError} if it cannot be written
 * @throws {Interrupted} if the signal was aborted; what has come is kept
 */
export async function download(file: RemoteFile, options: DownloadOptions = {}): Promise<boolean> {
  const { signal, notice } = options;
  if (isPresent(file)) {
    await checkContents(file, file.path, signal);
    return false;
  }
  const partial = `${file.path}.partial`;
  using lock = tryLock(`${partial}.lock`, { notice });
  if (!lock) throw new DownloadError(`${file.path}: another process is downloading this file. Wait for it, or stop it`);
  const transfer = new Transfer(file, partial, options);
  try {
    await transfer.run();
  } finally {
    transfer.close();
  }
  await checkContents(file, partial, signal);
  explaining(file.path, "written", () => Deno.renameSync(partial, file.path));
  return true;
}

/** @throws {DownloadError} if something else has the file's name */
function isPresent({ path, bytes }: RemoteFile): boolean {
  let size: number;
  try {
    size = Deno.statSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
  if (bytes === undefined || size === bytes) return true;
  throw new DownloadError(
    `${path}: a file of ${size} bytes is there, and ${bytes} are expected. Move it away, then download again`,
  );
}

/** @param there what is checked: the file that was there, or what has come of it */
async function checkContents({ sha256, verify, path }: RemoteFile, there: string, signal?: AbortSignal): Promise<void> {
  const [what, remedy] = there === path
    ? ["what is there", "Move it away, then download again"]
    : ["what came", `Remove ${there} and download again`];
  if (sha256 !== undefined) {
    const found = await hashOf(there, signal);
    if (found !== sha256.toLowerCase()) {
      throw new DownloadError(`${path}: the SHA-256 of ${what} is ${found}, expected ${sha256.toLowerCase()}. ${remedy}`);
    }
  }
  try {
    await verify?.(there);
  } catch (error) {
    throw error instanceof FileError ? error : new DownloadError(`${(error as Error).message}. ${remedy}`);
  }
}

/** SHA-256 of a file in hexadecimal, without reading it whole. */
async function hashOf(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  using file = explaining(path, "opened", () => Deno.openSync(path));
  const chunk = new Uint8Array(1 << 20);
  for (let n = await file.read(chunk); n !== null; n = await file.read(chunk)) {
    if (signal?.aborted) throw new Interrupted(`Stopped while the hash of ${path} was computed`);
    hash.update(chunk.subarray(0, n));
  }
  return hash.digest("hex");
}

/** The bytes on their way. */
class Transfer {
  readonly #remote: RemoteFile;
  readonly #partial: string;
  readonly #options: DownloadOptions;
  readonly #file: Deno.FsFile;
  readonly #host: string;
  #position: number;
  #total: number | undefined;
  /** False after the server has given another range than was asked for. */
  #ranges = true;
  /** True until the first bytes of a file that comes from its start have been looked at. */
  #fresh = false;
  /** Bytes that come again and are dropped, since the server sends the file from its start. */
  #skip = 0;

  constructor(remote: RemoteFile, partial: string, options: DownloadOptions) {
    this.#remote = remote;
    this.#partial = partial;
    this.#options = options;
    this.#host = new URL(remote.url).host;
    this.#total = remote.bytes;
    this.#file = explaining(partial, "opened", () => Deno.openSync(partial, { create: true, write: true, read: true }));
    this.#position = this.#file.statSync().size;
    if (this.#total !== undefined && this.#position > this.#total) {
      this.#file.truncateSync(0);
      this.#position = 0;
    }
    this.#file.seekSync(this.#position, Deno.SeekMode.Start);
  }

  /** Closes the file, and removes it if nothing has come. */
  close(): void {
    this.#file.close();
    if (this.#position === 0 && this.#total !== 0) removeIfPossible(this.#partial);
  }

  async run(): Promise<void> {
    const { attempts = 6, pause = (attempt) => 1000 * 2 ** attempt } = this.#options;
    if (this.#total !== undefined) this.#checkDisk(this.#total);
    for (let failed = 0; this.#position !== this.#total;) {
      if (this.#options.signal?.aborted) throw new Interrupted(`Stopped after ${this.#amount()}; they are kept`);
      const before = this.#position;
      try {
        await this.#receive();
      } catch (error) {
        if (this.#options.signal?.aborted) continue;
        if (!(error instanceof Transient)) throw error;
        failed = this.#position > before ? 0 : failed + 1;
        if (failed >= attempts) {
          throw new DownloadError(
            `${this.#remote.url}: ${error.message}, ${failed} times in a row. ${this.#amount()} are kept; run the same command again to go on`,
          );
        }
        this.#options.waiting?.(error.message, pause(failed));
        await sleep(pause(failed), this.#options.signal);
      }
    }
    explaining(this.#partial, "written", () => this.#file.syncSync());
  }

  /** One connection: asks for the rest and writes what comes. */
  async #receive(): Promise<void> {
    const dead = new AbortController();
    const stop = () => dead.abort();
    this.#options.signal?.addEventListener("abort", stop);
    const { stall = 30_000 } = this.#options;
    let timer = setTimeout(stop, stall);
    try {
      const response = await this.#ask(dead.signal);
      for await (const chunk of response.body ?? []) {
        clearTimeout(timer);
        this.#write(chunk);
        timer = setTimeout(stop, stall);
      }
    } catch (error) {
      throw dead.signal.aborted ? new Transient(`no data in ${stall / 1000} s`) : this.#explain(error as Error);
    } finally {
      clearTimeout(timer);
      this.#options.signal?.removeEventListener("abort", stop);
      dead.abort();
    }
    // a server that names no size ends the file by ending the connection
    this.#total ??= this.#position;
    if (this.#position < this.#total) throw new Transient(`the connection ended after ${this.#amount()}`);
  }

  async #ask(signal: AbortSignal): Promise<Response> {
    const start = this.#ranges ? this.#position : 0;
    const headers: Record<string, string> = { "accept-encoding": "identity" };
    if (start > 0) headers["range"] = `bytes=${start}-`;
    const response = await fetch(this.#remote.url, { headers, signal });
    const { status } = response;
    if (status === 206 && start > 0) return this.#checkRange(response, start);
    if (status === 200) return this.#checkWhole(response);
    await response.body?.cancel();
    if (status === 408 || status === 429 || status >= 500) {
      throw new Transient(`the server answers ${status} ${response.statusText}`);
    }
    if (status === 416) return this.#withoutRanges(`has no bytes after ${start}`);
    throw this.#error(`the server answers ${status} ${response.statusText}`, "Check the address, or try later");
  }

  async #checkRange(response: Response, start: number): Promise<Response> {
    const range = response.headers.get("content-range") ?? "";
    const [, first, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(range) ?? [];
    if (first === undefined || Number(first) !== start) {
      await response.body?.cancel();
      return this.#withoutRanges(`sends "${range}" instead of bytes from ${start}`);
    }
    if (total !== "*") await this.#checkTotal(Number(total), response);
    return response;
  }

  /** The whole file comes, asked for or not: of its start, only what is not there yet is written. */
  async #checkWhole(response: Response): Promise<Response> {
    const type = response.headers.get("content-type") ?? "";
    const length = response.headers.get("content-length");
    if (type.startsWith("text/html")) {
      await response.body?.cancel();
      throw this.#error("the server sends a page instead of the file", "Open the address in a browser to see what it says");
    }
    if (length !== null) await this.#checkTotal(Number(length), response);
    this.#fresh = true;
    this.#skip = this.#position;
    return response;
  }

  async #checkTotal(total: number, response: Response): Promise<void> {
    if (this.#total === undefined) this.#checkDisk(total);
    if (this.#total === undefined || this.#total === total) {
      this.#total = total;
      return;
    }
    await response.body?.cancel();
    throw this.#error(`the server offers ${total} bytes, and ${this.#total} are expected`, "It is another file, or a page");
  }

  #withoutRanges(why: string): never {
    if (!this.#ranges) throw this.#error(`the server ${why}`, "Download the file by other means");
    this.#ranges = false;
    throw new Transient(`the server ${why}`);
  }

  #write(chunk: Uint8Array): void {
    const { magic } = this.#remote;
    if (this.#fresh && magic && !magic.every((byte, i) => i >= chunk.length || chunk[i] === byte)) {
      throw this.#error("what the server sends does not begin like the file", "Open the address in a browser to see what it is");
    }
    this.#fresh = false;
    const rest = chunk.subarray(Math.min(this.#skip, chunk.length));
    this.#skip -= chunk.length - rest.length;
    if (this.#total !== undefined && this.#position + rest.length > this.#total) {
      throw this.#error(`the server sends more than the ${this.#total} bytes of the file`, "Try again later");
    }
    explaining(this.#partial, "written", () => writeAll(this.#file, rest));
    this.#position += rest.length;
    this.#options.progress?.(this.#position, this.#total ?? this.#position);
  }

  #checkDisk(total: number): void {
    const free = this.#options.freeBytes?.(this.#remote.path);
    const needed = total - this.#position + SPARE;
    if (free === undefined || free >= needed) return;
    throw new DownloadError(
      `${this.#remote.path}: the disk has ${formatBytes(free)} free, and ${formatBytes(needed)} are needed. ` +
        "Make room, or point L2VIT_ROOT at another disk",
    );
  }

  #amount(): string {
    return `${formatBytes(this.#position)}${this.#total === undefined ? "" : ` of ${formatBytes(this.#total)}`}`;
  }

  #error(why: string, remedy: string): DownloadError {
    return new DownloadError(`${this.#remote.url}: ${why}. ${remedy}`);
  }

  /** Network failures may pass; anything else is what it is. */
  #explain(error: Error): Error {
    if (error instanceof Deno.errors.NotCapable) {
      const target = /access to "([^"]+)"/.exec(error.message)?.[1] ?? "another host";
      const { forbidden = () => "Download the file by other means" } = this.#remote;
      const remedy = forbidden(target.replace(/:443$/, ""));
      return this.#error(`the way leads to ${target}, which this task may not reach`, remedy);
    }
    const network = error instanceof TypeError || error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.Http;
    return network ? new Transient(`cannot receive from ${this.#host} (${reason(error)})`) : error;
  }
}

/** The innermost cause, which names the error. */
function reason(error: Error): string {
  const { cause } = error;
  return cause instanceof Error ? reason(cause) : error.message.split(": ").at(-1)!;
}

function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", done);
  });
}
