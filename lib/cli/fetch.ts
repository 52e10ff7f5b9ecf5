/** @file What the tasks that download share: progress on the terminal and the look at the disk. */

import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { formatBytes } from "../format.ts";
import { makeFolder } from "../disk/atomic.ts";
import { download, type RemoteFile } from "../disk/download.ts";
import type { ConsoleReporter } from "./console.ts";

/**
 * Downloads a file into a folder that is made if it is not there, and says so.
 *
 * @throws {DownloadError} if it cannot be had or is not what it should be
 * @throws {Interrupted} if the signal was aborted; what has come is kept
 */
export async function fetchFile(file: RemoteFile, reporter: ConsoleReporter, signal: AbortSignal): Promise<void> {
  using _folder = makeFolder(dirname(file.path));
  const waiting = (why: string, milliseconds: number) => {
    reporter.line(`${why}; the next attempt is in ${(milliseconds / 1000).toFixed(0)} s`);
  };
  const notice = (line: string) => reporter.line(line);
  const came = await download(file, { progress: reporter.transferring(file.path), signal, notice, waiting, freeBytes });
  const size = formatBytes(Deno.statSync(file.path).size);
  reporter.line(came ? `${file.path}: ${size}, complete and checked` : `${file.path}: there already, ${size}`);
}

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(dirname(path));
  return bavail * bsize;
}
