/**
 * @file A run's folder: weights, state to resume from, metrics and log.
 *
 *     best.safetensors     weights with the lowest validation loss
 *     latest.safetensors   weights after the last epoch (or step, if the run was stopped)
 *     resume.safetensors   everything needed to go on exactly: weights, moments, running sums
 *     metrics.jsonl        one line an epoch
 *     config.yaml          the configuration, every key
 *     log.txt              what the task printed
 */

import { formatConfig, type RunConfig } from "../config.ts";
import { writeFileAtomic } from "../io/atomic.ts";
import { exists } from "../io/files.ts";
import { encodeSafetensors, type Safetensors } from "../io/safetensors.ts";

/** Paths of a run, and how its files are written. */
export class RunFolder {
  /** The folder, without a slash at its end. */
  readonly path: string;

  /**
   * Makes the folder.
   *
   * @param path folder, made if it is not there
   */
  constructor(path: string) {
    this.path = path.replace(/\/+$/, "");
    Deno.mkdirSync(this.path, { recursive: true });
  }

  /** Weights with the lowest validation loss. */
  get best(): string {
    return `${this.path}/best.safetensors`;
  }

  /** Weights as they are now. */
  get latest(): string {
    return `${this.path}/latest.safetensors`;
  }

  /** State to resume from. */
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
   * Moves what an earlier run has left into a folder "previous-N" inside.
   *
   * @returns that folder, or undefined if there was nothing
   */
  setAside(): string | undefined {
    const names = ["best.safetensors", "latest.safetensors", "resume.safetensors", "metrics.jsonl", "config.yaml", "log.txt"];
    const present = names.filter((name) => exists(`${this.path}/${name}`));
    if (present.length === 0) return undefined;
    let n = 1;
    while (exists(`${this.path}/previous-${n}`)) n++;
    const target = `${this.path}/previous-${n}`;
    Deno.mkdirSync(target);
    for (const name of present) Deno.renameSync(`${this.path}/${name}`, `${target}/${name}`);
    return target;
  }

  /** Writes a weight file, complete or not at all. */
  save(path: string, contents: Safetensors): void {
    writeFileAtomic(path, encodeSafetensors(contents));
  }

  /** Writes the configuration, every key. */
  writeConfig(config: RunConfig): void {
    writeFileAtomic(`${this.path}/config.yaml`, formatConfig(config));
  }

  /** Adds a line to metrics.jsonl. */
  appendMetrics(values: Record<string, number>): void {
    Deno.writeTextFileSync(this.metrics, JSON.stringify(values) + "\n", { append: true });
  }

  /** Drops lines of epochs beyond the one a run resumes from. */
  trimMetrics(epochs: number): void {
    if (!exists(this.metrics)) return;
    const lines = Deno.readTextFileSync(this.metrics).split("\n").filter((line) => line !== "");
    const kept = lines.filter((line) => (JSON.parse(line) as { epoch: number }).epoch <= epochs);
    writeFileAtomic(this.metrics, kept.map((line) => line + "\n").join(""));
  }

  /** Adds a line to log.txt. */
  log(line: string): void {
    Deno.writeTextFileSync(`${this.path}/log.txt`, `${new Date().toISOString()} ${line}\n`, { append: true });
  }
}
