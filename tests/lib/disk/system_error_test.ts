/** @file What the operating system refuses is said with path, action, reason and remedy. */

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { FileError } from "../../../lib/io/file_error.ts";
import { explainAnywhere, explainError, explaining, systemCode } from "../../../lib/disk/system_error.ts";
import { temporaryFolder } from "../../support/files.ts";

/** What a file system really answers, and how it is said. */
const REAL: Readonly<Record<string, (folder: string) => { path: string; work: () => void; says: RegExp }>> = {
  "a missing file": (folder) => {
    const path = `${folder}/none`;
    return { path, work: () => Deno.openSync(path), says: /cannot be opened: there is no such file or folder\. Check the path$/ };
  },
  "a folder in the place of a file": (path) => {
    return { path, work: () => Deno.writeTextFileSync(path, ""), says: /cannot be opened: it is a folder, not a file\. Check/ };
  },
  "a file in the place of a folder": (folder) => {
    Deno.writeTextFileSync(`${folder}/file`, "");
    const path = `${folder}/file/below`;
    return { path, work: () => Deno.openSync(path), says: /a part of its path is a file, not a folder\. Check/ };
  },
  "a name that is too long": (folder) => {
    const path = `${folder}/${"x".repeat(300)}`;
    return { path, work: () => Deno.writeTextFileSync(path, ""), says: /its name is too long\. Use a shorter one$/ };
  },
  "a link to itself": (folder) => {
    const path = `${folder}/circle`;
    Deno.symlinkSync(path, path);
    return { path, work: () => Deno.openSync(path), says: /its links lead in a circle\. Check/ };
  },
};

for (const [what, prepare] of Object.entries(REAL)) {
  Deno.test(`explaining() says that it met ${what}`, () => {
    using folder = temporaryFolder();
    const { path, work, says } = prepare(folder.path);
    const error = assertThrows(() => explaining(path, "opened", work), FileError);
    assertEquals(error.message.startsWith(`${path} cannot be opened: `), true, error.message);
    assertMatch(error.message, says);
  });
}

Deno.test({
  name: "explainError() knows errors that Deno gives a number and no name",
  ignore: Deno.build.os !== "linux",
  fn: () => {
    const said = (message: string) => (explainError(new Error(message), "cache/x", "written") as Error).message;
    assertEquals(
      said("Disk quota exceeded (os error 122)"),
      "cache/x cannot be written: your share of the disk is used up (quota). Free some space, then run the same command again",
    );
    assertMatch(said("Stale file handle (os error 116)"), /^cache\/x cannot be written: its file server has lost it/);
    assertMatch(said("File too large (os error 27)"), /ulimit -f.*Use another folder$/);
    assertEquals(systemCode(new Error("No locks available (os error 37)")), "ENOLCK");
  },
});

Deno.test("explainError() leaves an error that it does not know in the system's own words, with path and action", () => {
  const error = new Error("Unknown error 524 (os error 524): rename '/a' -> '/b'");
  const explained = explainError(error, "runs/x", "moved", "Use another --out") as Error;
  assertEquals(explained.message, 'runs/x cannot be moved: the system says "Unknown error 524 (os error 524)". Use another --out');
  assertEquals(explained.cause, error);
});

Deno.test("explainError() leaves alone what the operating system has not thrown", () => {
  for (
    const error of [new TypeError("no number"), new FileError("in words"), "text", Object.assign(new Error("x"), { code: "ERR_X" })]
  ) {
    assertEquals(explainError(error, "x", "read"), error);
  }
});

Deno.test("explainAnywhere() finds the file in the message of an error that nobody has explained", () => {
  using folder = temporaryFolder();
  const error = assertThrows(() => Deno.mkdirSync(`${folder.path}/a/b`), Error);
  const explained = explainAnywhere(error);
  assert(explained instanceof FileError);
  assertEquals(
    explained.message,
    `${folder.path}/a/b cannot be made: there is no such file or folder. Check the path`,
  );
});
