/**
 * @file What the operating system refuses, in words: which file, what was being done to it, why, and what to do.
 *
 * Deno gives some of its errors a name such as "ENOSPC" and others only a number, "(os error 122)"; `node:os` knows what
 * this system calls a number. What has no words here is said in the system's own.
 */

import { constants } from "node:os";
import { FileError } from "../io/file_error.ts";

/** What was being done to a file or folder. */
export type Doing = "opened" | "read" | "written" | "made" | "moved" | "removed" | "locked" | "used";

/** Why, and what to do. */
type Reason = readonly [why: string, remedy: string];

const AGAIN = "Run the same command again";
const SPACE = "Free some space, then run the same command again";
const PATH = "Check the path";
/** In a remedy: how another place for the file is named. */
const ELSEWHERE = "{elsewhere}";

const BUSY: Reason = ["another program is using it", "Wait until that ends"];
const RIGHTS: Reason = ["you have no right to do that there", `${ELSEWHERE}, or change its rights`];
const SERVER: Reason = ["its file server does not answer", `${AGAIN} later`];
const OPEN_FILES: Reason = ["too many files are open", "Close other programs, or raise the limit (ulimit -n)"];

const REASONS: Readonly<Record<string, Reason>> = {
  EACCES: RIGHTS,
  EPERM: RIGHTS,
  EBUSY: BUSY,
  ETXTBSY: BUSY,
  EDQUOT: ["your share of the disk is used up (quota)", SPACE],
  EEXIST: ["it is there already", "Move it away first"],
  EFBIG: ["it would be larger than this file system, or your limit (ulimit -f), allows", ELSEWHERE],
  EHOSTDOWN: SERVER,
  ETIMEDOUT: SERVER,
  EIO: ["the disk, or the network to it, reports an input/output error", `${AGAIN}; if it stays, the disk needs care`],
  EISDIR: ["it is a folder, not a file", PATH],
  ELOOP: ["its links lead in a circle", PATH],
  EMFILE: OPEN_FILES,
  ENFILE: OPEN_FILES,
  ENAMETOOLONG: ["its name is too long", "Use a shorter one"],
  ENOENT: ["there is no such file or folder", PATH],
  ENOMEM: ["this machine has no memory left", "Close other programs"],
  ENOSPC: ["the disk is full", SPACE],
  ENOTDIR: ["a part of its path is a file, not a folder", PATH],
  EROFS: ["it is on a disk that can only be read", ELSEWHERE],
  ESTALE: ["its file server has lost it (stale file handle)", AGAIN],
};

/** Numbers of errors and what this system calls them; on Windows they are not those that Deno prints. */
const NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** What the operating system calls an error, such as "ENOSPC"; undefined if it is not one of the operating system's. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || error instanceof Deno.errors.NotCapable) return undefined;
  const { code } = error as { code?: unknown };
  if (typeof code === "string" && /^E[A-Z0-9]+$/.test(code)) return code;
  const number = /\(os error (\d+)\)/.exec(error.message)?.[1];
  if (number === undefined) return undefined;
  return (Deno.build.os === "windows" ? undefined : NAMES.get(Number(number))) ?? `E${number}`;
}

/**
 * Does something to a file, and says in words why the operating system refuses.
 *
 * @param elsewhere a sentence that names another place for the file
 * @throws {FileError} if the operating system refuses; whatever else the work throws comes through as it is
 */
export function explaining<Result>(path: string, doing: Doing, work: () => Result, elsewhere?: string): Result {
  try {
    return work();
  } catch (error) {
    throw explainError(error, path, doing, elsewhere);
  }
}

/** An error of the operating system in words; any other as it is. */
export function explainError(error: unknown, path: string, doing: Doing, elsewhere?: string): unknown {
  const code = systemCode(error);
  if (code === undefined) return error;
  const [why, remedy] = REASONS[code] ?? [`the system says "${ownWords(error as Error)}"`, ELSEWHERE];
  const other = elsewhere ?? (doing === "read" || doing === "opened" ? "Use another file" : "Use another folder");
  return new FileError(`${path} cannot be ${doing}: ${why}. ${remedy.replace(ELSEWHERE, other)}`, { cause: error });
}

/** What Deno calls the operations that name their file in the message of an error. */
const OPERATIONS: Readonly<Record<string, Doing>> = {
  open: "opened",
  readfile: "read",
  readdir: "read",
  writefile: "written",
  mkdir: "made",
  rename: "moved",
  remove: "removed",
};

/** An error that nobody has put in words, in words as far as its message names the file. */
export function explainAnywhere(error: Error): Error {
  const [, operation, path] = /\(os error \d+\): (\w+) '(.*?)'/.exec(error.message) ?? [];
  return path === undefined ? error : explainError(error, path, OPERATIONS[operation!] ?? "used") as Error;
}

/** What the system says, without the operation and the path that Deno adds. */
function ownWords(error: Error): string {
  return error.message.replace(/(\(os error \d+\)).*/s, "$1");
}
