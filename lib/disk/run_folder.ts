/**
 * @file A run's folder: weights, state to resume from, metrics and log.
 *
 *     best.safetensors     weights with the best validation loss (training.monitor)
 *     epoch-N.safetensors  weights of the best epochs, with training.keep of more than 1
 *     latest.safetensors   weights after the last epoch (or step, if the run was stopped)
 *     resume.safetensors   everything needed to go on exactly: weights, moments, running sums
 *     metrics.jsonl        one line an epoch
 *     events.out.tfevents.* the same for TensorBoard, with output.tensorboard
 *     config.yaml          the configuration, every key
 *     log.txt              what the task printed
 *     run.lock             held by the task that trains here, as long as it does
 */

import type { RunConfig } from "../config/keys.ts";
import { formatConfig } from "../config/parse.ts";
import { appendBytes, appendText, makeFolder, writeFileAtomic } from "./atomic.ts";
import { exists } from "./files.ts";
import { type Notice, tryLock } from "./lock.ts";
import { PendingFile } from "./pending_file.ts";
import { encodeSafetensors, type Safetensors } from "../io/safetensors.ts";
import { encodeEvent, encodeFileStart, type EventPicture } from "../io/tensorboard.ts";
import type { RunFiles } from "../train/run_files.ts";

/** A folder in which another task is training. */
export class FolderInUse extends Error {
  /** Name of the error class. */
  override readonly name = "FolderInUse";
}

const EPOCH = /^epoch-\d+\.safetensors$/, EVENTS = /^events\.out\.tfevents\./;

/** Paths of a run, and how its files are written. Two tasks cannot have one folder at the same time. */
export class RunFolder implements RunFiles {
  /** The folder, without a slash at its end. */
  readonly path: string;
  readonly #lock: Disposable;
  readonly #made: Disposable;
  #events: string | undefined;
  /** Lines of the log that wait until the run begins; undefined from then on. */
  #waiting: string[] | undefined = [];

  /**
   * Makes the folder and takes hold of it.
   *
   * @param path folder, made if it is not there
   * @param notice is told if other tasks cannot be kept from it
   * @throws {FolderInUse} if another task is training there
   * @throws {FileError} if it cannot be written
   */
  constructor(path: string, notice?: Notice) {
    this.path = path.replace(/\/+$/, "");
    this.#made = makeFolder(this.path);
    const lock = tryLock(`${this.path}/run.lock`, { notice });
    if (!lock) throw new FolderInUse(`Another task is training in ${this.path}. Wait until it ends, or use another --out`);
    this.#lock = lock;
  }

  /** Lets go of the folder; nothing is left of one that was made for a run that never began. */
  [Symbol.dispose](): void {
    this.#lock[Symbol.dispose]();
    this.#made[Symbol.dispose]();
  }

  get best(): string {
    return `${this.path}/best.safetensors`;
  }

  get latest(): string {
    return `${this.path}/latest.safetensors`;
  }

  epoch(epoch: number): string {
    return `${this.path}/epoch-${epoch}.safetensors`;
  }

  removeEpochsBut(kept: readonly number[]): void {
    const names = kept.map((epoch) => `epoch-${epoch}.safetensors`);
    for (const name of this.#namesLike(EPOCH).filter((name) => !names.includes(name))) Deno.removeSync(`${this.path}/${name}`);
  }

  #namesLike(pattern: RegExp): string[] {
    return [...Deno.readDirSync(this.path)].map(({ name }) => name).filter((name) => pattern.test(name));
  }

  get resume(): string {
    return `${this.path}/resume.safetensors`;
  }

  /** One line an epoch. */
  get metrics(): string {
    return `${this.path}/metrics.jsonl`;
  }

  /** True if a run has left its files here. */
  get used(): boolean {
    return [this.best, this.latest, this.resume, this.metrics].some(exists);
  }

  /**
   * Begins to write: everything that could be checked before has been. What was logged up to now is written.
   *
   * @param fresh moves what an earlier run has left into a folder "previous-N" inside
   * @returns that folder, or undefined if nothing was moved
   */
  begin(fresh: boolean): string | undefined {
    const kept = fresh ? this.#setAside() : undefined;
    const lines = this.#waiting ?? [];
    this.#waiting = undefined;
    if (lines.length > 0) this.#append(lines);
    return kept;
  }

  #setAside(): string | undefined {
    const names = ["best.safetensors", "latest.safetensors", "resume.safetensors", "metrics.jsonl", "config.yaml", "log.txt"];
    const present = [
      ...names.filter((name) => exists(`${this.path}/${name}`)),
      ...this.#namesLike(EPOCH),
      ...this.#namesLike(EVENTS),
    ];
    if (present.length === 0) return undefined;
    let n = 1;
    while (exists(`${this.path}/previous-${n}`)) n++;
    const target = `${this.path}/previous-${n}`;
    Deno.mkdirSync(target);
    for (const name of present) Deno.renameSync(`${this.path}/${name}`, `${target}/${name}`);
    return target;
  }

  read(path: string): Uint8Array | undefined {
    return exists(path) ? Deno.readFileSync(path) : undefined;
  }

  async save(path: string, contents: Safetensors, check?: (written: Uint8Array) => Promise<void>): Promise<void> {
    using file = new PendingFile(path);
    file.write(encodeSafetensors(contents));
    file.complete();
    await check?.(file.readBack());
    file.place();
  }

  writeConfig(config: RunConfig): void {
    writeFileAtomic(`${this.path}/config.yaml`, formatConfig(config));
  }

  appendMetrics(values: Record<string, number>): void {
    appendText(this.metrics, JSON.stringify(values) + "\n");
  }

  /** A run that goes on writes a file of its own, and TensorBoard takes the later of two values of a step. */
  appendEvents({ step, ...scalars }: Record<string, number> & { readonly step: number }, pictures: readonly EventPicture[]): void {
    const now = Date.now() / 1000;
    this.#events ??= this.#beginEvents(now);
    appendBytes(this.#events, encodeEvent(now, step, scalars, pictures));
  }

  #beginEvents(seconds: number): string {
    const path = `${this.path}/events.out.tfevents.${seconds.toFixed(3).replace(".", "")}.l2vit`;
    appendBytes(path, encodeFileStart(seconds));
    return path;
  }

  /** A last line that was cut off is dropped too. */
  trimMetrics(epochs: number): void {
    if (!exists(this.metrics)) return;
    const lines = Deno.readTextFileSync(this.metrics).split("\n");
    const kept = lines.filter((line) => (epochOf(line) ?? Infinity) <= epochs);
    writeFileAtomic(this.metrics, kept.map((line) => line + "\n").join(""));
  }

  /** Adds a line to log.txt, once the run has begun. */
  log(line: string): void {
    const stamped = `${new Date().toISOString()} ${line}`;
    if (this.#waiting) this.#waiting.push(stamped);
    else this.#append([stamped]);
  }

  #append(lines: readonly string[]): void {
    appendText(`${this.path}/log.txt`, lines.map((line) => line + "\n").join(""));
  }
}

/** What writes a run's files; other ranks than the first have a folder that takes nothing. */
export type OpenFolder = { readonly [Member in keyof RunFolder]: RunFolder[Member] };

/** No folder: what one of several processes that train together has, where another keeps the run's files. */
export const NO_FOLDER: OpenFolder = {
  path: "",
  best: "",
  latest: "",
  resume: "",
  metrics: "",
  used: false,
  read: () => undefined,
  begin: () => undefined,
  save: () => Promise.resolve(),
  writeConfig: () => {},
  epoch: () => "",
  removeEpochsBut: () => {},
  appendMetrics: () => {},
  appendEvents: () => {},
  trimMetrics: () => {},
  log: () => {},
  [Symbol.dispose]: () => {},
};

/** Epoch of a line of metrics.jsonl; undefined if it is none. */
function epochOf(line: string): number | undefined {
  try {
    const { epoch } = JSON.parse(line);
    return typeof epoch === "number" ? epoch : undefined;
  } catch {
    return undefined;
  }
}
