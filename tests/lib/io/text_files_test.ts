/** @file Text files that are written: CSV, JSON, and files that are complete or absent. */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { csvLine, parseCsv as readCsv } from "../../../lib/io/csv.ts";
import { exists } from "../../../lib/disk/files.ts";
import { formatJson } from "../../../lib/io/json.ts";
import { PendingFile } from "../../../lib/disk/pending_file.ts";
import { FileError } from "../../../lib/io/file_error.ts";
import { temporaryFolder } from "../../support/files.ts";

/** Cells of a text by RFC 4180, as any program finds them. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n)/g)) {
    row.push(quoted?.replaceAll('""', '"') ?? plain!);
    if (end === ",") continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

Deno.test("csvLine() writes cells that every reader of CSV finds again", () => {
  const names = [
    "mae, 75 % masked",
    'he said "x"',
    '"',
    ",",
    "two\nlines",
    "carriage\rreturn",
    "10",
    "",
    " spaced ",
    "\u00e4\u6f22",
    "'",
  ];
  const rows = [names, [...names].reverse(), ["1", "-0.5", "1e-320"]];
  assertEquals(parseCsv(rows.map(csvLine).join("")), rows);
  assertEquals(readCsv(rows.map(csvLine).join("")), rows);
  assertEquals(csvLine(["a", 0.1, 5e-324, -1]), "a,0.1,5e-324,-1\n");
});

Deno.test("formatJson() keeps the order of names, whatever they are, and reads back as what was written", () => {
  const names = ["10", "9", "__proto__", "scratch", "constructor", "", '"\\\n'];
  const text = formatJson({
    models: new Map(names.map((name, i) => [name, { i }])),
    none: [],
    empty: {},
    list: [null, true, "x", [1e21]],
  });
  const keys = [...text.matchAll(/^ {4}("(?:[^"\\]|\\.)*"): \{/gm)].map(([, key]) => JSON.parse(key!));
  assertEquals(keys, names);
  const { models, ...rest } = JSON.parse(text);
  for (const [i, name] of names.entries()) assertEquals(Object.getOwnPropertyDescriptor(models, name)!.value.i, i);
  assertEquals(rest, { none: [], empty: {}, list: [null, true, "x", [1e21]] });
});

Deno.test("formatJson() has a form for infinities, and refuses NaN by its name", () => {
  assertEquals(JSON.parse(formatJson([Infinity, -Infinity, -0, 5e-324])), ["Infinity", "-Infinity", 0, 5e-324]);
  assertThrows(() => formatJson({ models: new Map([["a", { mae: [1, NaN] }]]) }), RangeError, "models.a.mae[1] is NaN");
  assertThrows(() => formatJson({ a: undefined }), RangeError, "a is undefined");
});

Deno.test("a pending file has its place when it is complete, and not before", () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/rows.csv`;
  Deno.writeTextFileSync(path, "old");
  {
    using file = new PendingFile(path);
    file.write("x".repeat(200_000));
    assertEquals(Deno.readTextFileSync(path), "old");
    file.write("\u00e4\n");
    file.complete();
    assertEquals(Deno.readTextFileSync(path), "old");
    file.place();
  }
  assertEquals(Deno.readTextFileSync(path), "x".repeat(200_000) + "\u00e4\n");
  assertEquals([...Deno.readDirSync(folder.path)].length, 1);
});

Deno.test("a pending file that is given up leaves the old one, and nothing else", () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/rows.csv`;
  Deno.writeTextFileSync(path, "old");
  for (const end of [() => {}, (file: PendingFile) => file.complete()]) {
    using file = new PendingFile(path);
    file.write("new");
    end(file);
  }
  {
    using first = new PendingFile(path), second = new PendingFile(path);
    for (const file of [first, second]) file.write("two at the same time do not touch each other");
  }
  assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["rows.csv"]);
  assertEquals(Deno.readTextFileSync(path), "old");
});

Deno.test("a pending file says before anything is computed that its place is a folder, or that there is none", () => {
  using folder = temporaryFolder();
  const error = assertThrows(() => new PendingFile(folder.path), FileError);
  assertStringIncludes(error.message, "it is a folder");
  assertThrows(() => new PendingFile(`${folder.path}/none/rows.csv`), FileError, "there is no such file or folder");
  assert(!exists(`${folder.path}/none`));
});
