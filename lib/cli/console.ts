/** @file What tasks print: a bar that moves on a terminal, plain lines elsewhere. */

import { formatSpeed, NOT_DEFINED } from "../format.ts";
import { systemCode } from "../disk/system_error.ts";
import type { Reporter } from "../train/trainer.ts";

const BAR = 24;
/** Milliseconds. */
const SILENCE = 30_000;

/** Prints progress and lines. */
export class ConsoleReporter implements Reporter {
  readonly #terminal = Deno.stdout.isTerminal();
  readonly #log: ((line: string) => void) | undefined;
  #bar = false;
  #saidAt = performance.now();

  /** @param log also receives the lines */
  constructor(log?: (line: string) => void) {
    this.#log = log;
  }

  progress(text: string, done: number, total: number, perSecond: number, left = total - done, unit = "images"): void {
    const rate = Number.isFinite(perSecond) ? `  ${formatSpeed(perSecond)} ${unit}/s  ${duration(left / perSecond)} left` : "";
    if (this.#terminal) this.#draw(text + rate, done, total);
    else this.#sayNowAndThen(text + rate, done, total);
  }

  line(text: string): void {
    this.#clear();
    this.#saidAt = performance.now();
    whileHeard(() => console.log(text));
    this.#log?.(text);
  }

  /** A progress function for work of so many images, or of another unit. */
  readonly counting = (what: string, unit = "images"): (done: number, total: number) => void => {
    const started = performance.now();
    return (done, total) => this.progress(what, done, total, 1000 * done / (performance.now() - started), total - done, unit);
  };

  /** A progress function for bytes. */
  readonly transferring = (what: string): (done: number, total: number) => void => {
    const started = performance.now();
    let first: number | undefined;
    return (done, total) => {
      // what an earlier attempt brought does not count for the speed
      first ??= done;
      this.progress(
        what,
        done / 1e6,
        total / 1e6,
        1e-3 * (done - first) / (performance.now() - started),
        (total - done) / 1e6,
        "MB",
      );
    };
  };

  #draw(text: string, done: number, total: number): void {
    const filled = Math.round(BAR * done / Math.max(1, total));
    this.#print(`\r\x1b[K[${"#".repeat(filled).padEnd(BAR, ".")}] ${text}`);
    this.#bar = true;
    if (done >= total) this.#clear();
  }

  /** Where nobody watches a bar, a line in half a minute tells that the work goes on. */
  #sayNowAndThen(text: string, done: number, total: number): void {
    const now = performance.now();
    if (now - this.#saidAt < SILENCE || done >= total) return;
    whileHeard(() => console.log(`${(100 * done / total).toFixed(0)} %  ${text}`));
    this.#saidAt = now;
  }

  #clear(): void {
    if (this.#bar) this.#print("\r\x1b[K");
    this.#bar = false;
  }

  #print(text: string): void {
    whileHeard(() => Deno.stdout.writeSync(new TextEncoder().encode(text)));
  }
}

/** Prints; where nobody listens any more, a terminal that is gone or a pipe that is closed, the work goes on without. */
export function whileHeard(print: () => void): void {
  try {
    print();
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
}

/** Seconds as "1 h 02 min", "3 min 05 s" or "12 s". */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  const s = Math.max(0, Math.round(seconds));
  if (s >= 3600) return `${Math.floor(s / 3600)} h ${String(Math.floor(s / 60) % 60).padStart(2, "0")} min`;
  if (s >= 60) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s`;
  return `${s} s`;
}

/** Cells that stand in columns of numbers. */
const NUMBER = new RegExp(`^[-\\d\u221e]|^$|^${NOT_DEFINED}$`);

/** Rows under headings, columns of numbers to the right. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, i) => rows.reduce((most, row) => Math.max(most, row[i]!.length), heading.length));
  const numbers = headings.map((_, i) =>
    i > 0 && rows.some((row) => /\d/.test(row[i]!)) && rows.every((row) => NUMBER.test(row[i]!))
  );
  const format = (row: readonly string[]) =>
    row.map((cell, i) => numbers[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)).join("  ").trimEnd();
  return [format(headings), widths.map((width) => "-".repeat(width)).join("  "), ...rows.map(format)].join("\n");
}
