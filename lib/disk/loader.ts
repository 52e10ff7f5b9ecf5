/**
 * @file Reads a data file in a Worker, so that reading and packing go on while the main thread waits for the adapter.
 */

import type { EmptyImages } from "../data/empty.ts";
import type { Encoding, PackedBatch } from "../data/entries.ts";
import { DataError } from "../data/errors.ts";
import type { Progress } from "../interrupted.ts";
import type { Notice } from "./lock.ts";
import type { JetNames, JetPart, JetScalar } from "../data/jets.ts";
import type { DataPart } from "./data_files.ts";
import type { Answer, Question, Requests } from "./loader_protocol.ts";
import type { ImageSource } from "../data/packed.ts";

interface Pending {
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/** Sizes of an open data file. */
type Facts = Requests["open"]["answer"];

/** How the images of a packed data file are stored. */
type Packed = Requests["pack"]["answer"];

/** A data file in a Worker. Its images can be had after {@linkcode Loader.pack}. */
export class Loader implements ImageSource {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Pending>();
  #next = 0;
  #progress: Progress | undefined;
  #notice: Notice | undefined;
  #facts: Facts = { count: 0, channels: 0, size: 0, has: [], units: new Map(), parts: [] };
  #packed: Packed | undefined;
  #failed: unknown;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  /**
   * Opens a data file, or several as one.
   *
   * @param path what they are called in messages
   * @param names datasets to use instead of the usual names
   * @param parts the files, if the path is none
   * @throws {DataError} if there is none
   */
  static async open(path: string, names: JetNames = {}, parts: readonly DataPart[] = [{ path }]): Promise<Loader> {
    const worker = new Worker(new URL("./loader_worker.ts", import.meta.url), { type: "module", name: "loader" });
    const loader = new Loader(worker);
    try {
      await loader.#start();
      loader.#facts = await loader.#ask("open", { path, parts, names });
    } catch (error) {
      loader[Symbol.dispose]();
      throw error;
    }
    return loader;
  }

  get count(): number {
    return this.#facts.count;
  }

  get channels(): number {
    return this.#facts.channels;
  }

  get size(): number {
    return this.#facts.size;
  }

  /** Which images belong to which file. */
  get parts(): readonly JetPart[] {
    return this.#facts.parts;
  }

  get encoding(): Encoding {
    return this.#known.encoding;
  }

  get words(): number {
    return this.#known.words;
  }

  get mostPerImage(): number {
    return this.#known.mostPerImage;
  }

  /** Images that hold nothing. */
  get empty(): EmptyImages {
    return this.#known.empty;
  }

  /** What there is to say about the images, a line each. */
  get remarks(): readonly string[] {
    return this.#known.remarks;
  }

  /** True if the file has such a dataset. */
  has(quantity: JetScalar): boolean {
    return this.#facts.has.includes(quantity);
  }

  /** The unit of a target, where the file says it beside its numbers. */
  unitOf(target: string): string | undefined {
    return this.#facts.units.get(target);
  }

  /**
   * One number for each image; to be asked for before {@linkcode Loader.pack}, which closes the file.
   *
   * @throws {DataError} if there is no such dataset, or of another length, or with values that are not finite
   */
  scalars(quantity: JetScalar): Promise<Float64Array> {
    return this.#ask("scalars", quantity);
  }

  /**
   * Packs the images, or finds them packed.
   *
   * @param folder cache folder; empty to pack in memory
   * @param signal stops packing; the next call goes on from there
   * @param notice is told what else the user should know, such as what is waited for
   * @throws {DataError} if an image cannot be read or is not finite
   */
  async pack(folder: string, progress?: Progress, signal?: AbortSignal, notice?: Notice): Promise<void> {
    signal?.throwIfAborted();
    const stop = () => this.#fail(signal!.reason);
    signal?.addEventListener("abort", stop);
    this.#progress = progress;
    this.#notice = notice;
    try {
      this.#packed = await this.#ask("pack", folder);
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }

  checks(): Promise<Uint32Array> {
    return this.#ask("checks", undefined);
  }

  batch(images: ArrayLike<number>): Promise<PackedBatch> {
    return this.#ask("batch", images);
  }

  /** Ends the Worker. */
  [Symbol.dispose](): void {
    this.#worker.terminate();
  }

  get #known(): Packed {
    if (!this.#packed) throw new Error("The images are not packed yet: call pack() first");
    return this.#packed;
  }

  /** Waits until the Worker listens; what is posted before is lost. */
  #start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#worker.onerror = (event) => {
        event.preventDefault();
        const error = new Error(`The reading of data failed: ${event.message}`);
        this.#fail(error);
        reject(error);
      };
      this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => {
        if ("ready" in data) resolve();
        else if ("progress" in data) this.#progress?.(...data.progress);
        else if ("notice" in data) this.#notice?.(data.notice);
        else this.#settle(data);
      };
    });
  }

  #settle(message: Extract<Answer, { id: number }>): void {
    const pending = this.#waiting.get(message.id)!;
    this.#waiting.delete(message.id);
    if ("error" in message) pending.reject(revive(message.error));
    else pending.resolve(message.answer);
  }

  #ask<Name extends keyof Requests>(name: Name, given: Requests[Name]["given"]): Promise<Requests[Name]["answer"]> {
    if (this.#failed) return Promise.reject(this.#failed);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (answer: unknown) => void, reject });
      this.#worker.postMessage({ id, name, given } satisfies Question);
    });
  }

  /** Ends the Worker and every wait for it. */
  #fail(error: unknown): void {
    this.#failed = error;
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** An error of the Worker as the same kind of error here. */
function revive({ name, message, stack }: Extract<Answer, { error: unknown }>["error"]): Error {
  const kinds: Record<string, new (message: string) => Error> = { DataError, NotCapable: Deno.errors.NotCapable, RangeError };
  const error = new (kinds[name] ?? Error)(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
