/** @file The choices of kernel variants on all adapters, in a file. It is only a memory: a run does not end because of it. */

import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { isRecord } from "../io/json.ts";
import { PRODUCT_SOURCES } from "../tensor/ops/matmul.ts";
import { type Answers, isAnswers, type TuningStore } from "../train/tuning.ts";
import { makeFolder, writeFileAtomic } from "./atomic.ts";

const FORMAT = "l2vit-tuning";
/** Choices are measured anew when the kernel has changed. */
const KERNEL = createHash("sha256").update(PRODUCT_SOURCES).digest("hex");

/** Choices in a file. */
export class TuningFile implements TuningStore {
  readonly #path: string;

  /** Nothing is read yet. */
  constructor(path: string) {
    this.#path = path;
  }

  answersOf(adapter: string): Answers {
    return readTunings(this.#path)[adapter] ?? {};
  }

  keep(adapter: string, answers: Answers): string {
    try {
      const adapters = readTunings(this.#path);
      makeFolder(dirname(this.#path));
      writeFileAtomic(this.#path, formatTunings({ ...adapters, [adapter]: { ...adapters[adapter], ...answers } }));
      return `kept in ${this.#path}`;
    } catch (error) {
      return `not kept: ${(error as Error).message}`;
    }
  }
}

/** The file of choices by adapter. */
export function formatTunings(adapters: Readonly<Record<string, Answers>>): string {
  return JSON.stringify({ format: FORMAT, kernel: KERNEL, adapters }, null, 2) + "\n";
}

/** Choices by adapter; none if the file is missing, unreadable, damaged, or of other kernels. */
export function readTunings(file: string): Record<string, Answers> {
  try {
    const contents: unknown = JSON.parse(Deno.readTextFileSync(file));
    if (!isRecord(contents) || contents["format"] !== FORMAT || contents["kernel"] !== KERNEL) return {};
    const adapters = isRecord(contents["adapters"]) ? Object.entries(contents["adapters"]) : [];
    return Object.fromEntries(adapters.filter((entry): entry is [string, Answers] => isAnswers(entry[1])));
  } catch {
    return {};
  }
}
