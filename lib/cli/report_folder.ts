/**
 * @file The folder of a report: its files are those of one evaluation, never of two.
 *
 * They are written under names of their own. When all are complete, those of an earlier report go and the new ones take their places, while
 * no other evaluation does the same. A process that is killed then leaves a part of one report, not a mixture of two. Files that are
 * not of a report stay where they are.
 */

import { dirname } from "node:path";
import { makeFolder, makeOutputFolder } from "../disk/atomic.ts";
import { exists } from "../disk/files.ts";
import { type Notice, waitForLock } from "../disk/lock.ts";
import { PendingFile } from "../disk/pending_file.ts";
import { figuresOf } from "../report/report_page.ts";

/** The page names its figures: it is the last to go and the first to come, so that what a killed process has left is known. */
const PAGE = "report.html";

/** What members of ensembles predict, beside what their means are. */
export const MEMBERS = "members.csv";
/** The means, and predictions of single models: without them those of members are of an earlier report. */
const PREDICTIONS = "predictions.csv";

/** Files of a report that is being written. */
export class ReportFolder implements Disposable {
  /** The folder. */
  readonly path: string;
  readonly #files = new Map<string, PendingFile>();
  readonly #folders: Disposable[] = [];

  /**
   * Makes the folder.
   *
   * @throws {FileError} if the file system refuses
   */
  constructor(path: string) {
    this.path = path;
    this.#folders.push(makeOutputFolder(path));
  }

  /**
   * Begins a file of the report.
   *
   * @param name its path in the folder
   * @throws {FileError} if the file system refuses
   */
  begin(name: string): PendingFile {
    const path = `${this.path}/${name}`;
    this.#folders.push(makeFolder(dirname(path)));
    const file = new PendingFile(path);
    this.#files.set(name, file);
    return file;
  }

  /**
   * Puts all files in their places.
   *
   * @param notice is told if another task does the same, which is waited for
   * @throws {FileError} if the file system refuses
   */
  async publish(notice?: Notice): Promise<void> {
    for (const file of this.#files.values()) file.complete();
    using _lock = await waitForLock(`${this.path}/report.lock`, `another task has written its report in ${this.path}`, { notice });
    for (const name of this.#outdated()) if (exists(`${this.path}/${name}`)) Deno.removeSync(`${this.path}/${name}`);
    const pageFirst = [...this.#files].sort(([a], [b]) => Number(b === PAGE) - Number(a === PAGE));
    for (const [, file] of pageFirst) file.place();
  }

  /** Removes what was not published, and the folders that were made for it alone. */
  [Symbol.dispose](): void {
    for (const file of this.#files.values()) file[Symbol.dispose]();
    for (const folder of this.#folders.toReversed()) folder[Symbol.dispose]();
  }

  /** Files of an earlier report that the new one replaces: those of the kinds that it has, and all figures of a page; the page last. */
  #outdated(): string[] {
    const page = `${this.path}/${PAGE}`;
    const written = [...this.#files.keys()].filter((name) => name !== PAGE);
    const own = written.includes(PREDICTIONS) ? [...new Set([...written, MEMBERS])] : written;
    return this.#files.has(PAGE) && exists(page) ? [...own, ...figuresOf(Deno.readTextFileSync(page)), PAGE] : own;
  }
}
