/** @file Reads mutated files and watches what happens: only whole results or errors in one line, in little time and memory. */

import { Random } from "../../lib/random.ts";
import type { Target } from "./targets.ts";

/** How far the fuzzing of a target has come. */
export interface FuzzReport {
  readonly name: string;
  /** Files that were read. */
  files: number;
  /** Files that were refused with an error. */
  refused: number;
  /** Longest time for one file, in milliseconds. */
  slowest: number;
  /** Largest growth of memory while a file was read, in bytes. */
  largest: number;
}

/** A file may take this long, in milliseconds, and this much memory beyond {@linkcode MEMORY_FACTOR} times its size. */
export const MOST_MILLISECONDS = 5000;
const MEMORY = 256 * 2 ** 20;
const MEMORY_FACTOR = 20;

/** A file that was not treated as it should be. */
export class FuzzFailure extends Error {
  /** Says which file it was, and where it is kept. */
  constructor(target: string, number: number, seed: number, why: string, kept: string) {
    super(`${target}, file ${number} of seed ${seed}: ${why}. The file is kept in ${kept}`);
  }
}

/** The file with this number: the same for the same seed, whatever was read before. */
export async function fileOf(target: Target, number: number, seed: number): Promise<Uint8Array> {
  const random = new Random(seed, number, 97);
  return await target.mutate(target.seeds[number % target.seeds.length]!, random);
}

/**
 * Reads the files of a target with the numbers from `first` up to, not including, `last`.
 *
 * @param folder where files are written
 * @throws {FuzzFailure} at the first file that is not treated as it should be
 */
export async function fuzz(target: Target, first: number, last: number, seed: number, folder: string): Promise<FuzzReport> {
  const report: FuzzReport = { name: target.name, files: 0, refused: 0, slowest: 0, largest: 0 };
  const path = `${folder}/${target.name}.input`;
  for (let number = first; number < last; number++) {
    const file = await fileOf(target, number, seed);
    Deno.writeFileSync(path, file);
    const fail = (why: string): never => {
      const kept = `${folder}/${target.name}-${seed}-${number}.failure`;
      Deno.writeFileSync(kept, file);
      throw new FuzzFailure(target.name, number, seed, why, kept);
    };
    const started = performance.now(), memory = await used(target);
    try {
      await target.read(path);
    } catch (error) {
      report.refused++;
      if (!target.refusals.some((refusal) => error instanceof refusal)) fail(`it threw ${(error as Error).stack ?? error}`);
      const { message } = error as Error;
      if (message.length > 1000) fail(`its message has ${message.length} characters`);
    }
    const milliseconds = performance.now() - started, growth = await used(target) - memory;
    if (milliseconds > MOST_MILLISECONDS) fail(`it took ${milliseconds.toFixed(0)} ms`);
    if (growth > MEMORY + MEMORY_FACTOR * file.length) fail(`${growth} bytes of memory were taken for ${file.length}`);
    report.files++;
    report.slowest = Math.max(report.slowest, milliseconds);
    report.largest = Math.max(report.largest, growth);
  }
  return report;
}

/** Bytes that the program holds, outside of the JavaScript heap too. */
async function used({ memory }: Target): Promise<number> {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external + (await memory?.() ?? 0);
}
