/** @file Several data files as one: the same images, numbers, packed store and fingerprint as those of one file that holds them all. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DataError } from "../../../lib/data/errors.ts";
import { openJets, openJetSet } from "../../../lib/disk/data_files.ts";
import { checkPatterns, dataFiles, withClasses } from "../../../lib/disk/data_paths.ts";
import { Hdf5Writer } from "../../../lib/disk/hdf5_writer.ts";
import { openPacked } from "../../../lib/disk/pack_file.ts";
import { temporaryFolder } from "../../support/files.ts";
import { jetValues } from "../../support/jets.ts";
import { asNumpy } from "../../support/numpy.ts";
import { writeToy } from "../../support/toy.ts";

/** Writes all images of some files into one. */
async function writeJoined(path: string, from: readonly string[]): Promise<void> {
  const files = await Promise.all(from.map((file) => openJets(file)));
  const count = files.reduce((sum, file) => sum + file.count, 0);
  using writer = new Hdf5Writer(path, [{ name: "jet", shape: [count, 12, 12, 2] }, { name: "Y", shape: [count] }, {
    name: "m",
    shape: [count],
  }]);
  let at = 0;
  for (using file of files) {
    writer.write("jet", at, await jetValues(file));
    writer.write("Y", at, Float32Array.from(file.readScalars("labels")));
    writer.write("m", at, Float32Array.from(file.readScalars("mass")));
    at += file.count;
  }
}

Deno.test("files of two formats are packed as one file that holds all their images", async () => {
  using folder = temporaryFolder();
  const [a, b, c] = ["a.h5", "b.npz", "c.h5"].map((name) => `${folder.path}/${name}`) as [string, string, string];
  writeToy(a, 11);
  writeToy(`${b}.h5`, 9, true, 5);
  Deno.writeFileSync(b, (await asNumpy(`${b}.h5`)).npz);
  writeToy(c, 6, true, 6);
  await writeJoined(`${folder.path}/all.h5`, [a, b, c]);
  using one = await openJets(`${folder.path}/all.h5`);
  using set = await openJetSet("abc", [a, b, c].map((path) => ({ path })));
  assertEquals([set.count, set.size, set.channels, set.parts.map(({ count }) => count)], [26, 12, 2, [11, 9, 6]]);
  for (const quantity of ["labels", "mass"] as const) assertEquals(set.readScalars(quantity), one.readScalars(quantity));
  assertEquals(set.has("pt"), false);
  const wanted = [0, 9, 10, 11, 19, 20, 25];
  const images: number[] = [];
  for await (const { first, count } of set.scan(wanted)) images.push(...Array.from({ length: count }, (_, i) => first + i));
  assertEquals(images, wanted);
  using packed = await openPacked(set, `${folder.path}/cache`);
  using whole = await openPacked(one, `${folder.path}/cache`);
  assertEquals(await packed.checks(), await whole.checks());
  using third = await openJets(c);
  using last = await openPacked(third, `${folder.path}/cache`);
  assertEquals((await packed.checks()).subarray(20), await last.checks());
  // the order is part of what they are
  using other = await openJetSet("cab", [c, a, b].map((path) => ({ path })));
  assert((await other.fingerprint()).sample !== (await set.fingerprint()).sample);
});

Deno.test("openJetSet() refuses images of other sizes, copies, and a file without labels, by name", async () => {
  using folder = temporaryFolder();
  const path = (name: string) => `${folder.path}/${name}`;
  writeToy(path("a.h5"), 6);
  Deno.copyFileSync(path("a.h5"), path("copy.h5"));
  writeToy(path("bare.h5"), 5, false, 5);
  {
    using writer = new Hdf5Writer(path("wide.h5"), [{ name: "jet", shape: [2, 15, 15, 2] }]);
    writer.write("jet", 0, new Float32Array(2 * 15 * 15 * 2).fill(1));
  }
  const open = (...names: string[]) => openJetSet("set", names.map((name) => ({ path: path(name) })));
  await assertRejects(() => open("a.h5", "wide.h5"), DataError, "wide.h5: its images are 15 x 15 with 2 channels, and those of");
  await assertRejects(() => open("a.h5", "copy.h5"), DataError, "copy.h5: it is a copy of");
  await assertRejects(() => open("a.h5", "none.h5"), DataError, "none.h5: there is no such file");
  using mixed = await open("a.h5", "bare.h5");
  assertThrows(() => mixed.readScalars("labels"), DataError, "bare.h5: there is no dataset Y");
});

Deno.test("a path means one file, several, or those of a pattern in the order of a shell", () => {
  using folder = temporaryFolder();
  Deno.mkdirSync(`${folder.path}/2016`);
  const names = ["b.h5", "a10.h5", "a2.h5", "B.h5", ".hidden.h5", "a,b.h5", "2016/a.h5", "a[1].h5"];
  for (const name of names) Deno.writeTextFileSync(`${folder.path}/${name}`, "");
  const files = (path: string) =>
    dataFiles(path, (name) => `${folder.path}/${name}`).map((file) => file.slice(folder.path.length + 1));
  const expected: Record<string, readonly string[]> = {
    "b.h5": ["b.h5"],
    "a,b.h5": ["a,b.h5"],
    "b.h5, a2.h5": ["b.h5", "a2.h5"],
    "*.h5": ["B.h5", "a,b.h5", "a10.h5", "a2.h5", "a[1].h5", "b.h5"],
    "b.h5,a?.h5": ["b.h5", "a2.h5"],
    "[ab]*.h5": ["a,b.h5", "a10.h5", "a2.h5", "a[1].h5", "b.h5"],
    "[!ab]*.h5": ["B.h5"],
    "a[0-9]*.h5": ["a10.h5", "a2.h5"],
    "a[1].h5": ["a[1].h5"],
    "*/a.h5": ["2016/a.h5"],
    "{b,a2}.h5": ["b.h5", "a2.h5"],
    ".h*": [".hidden.h5"],
    "none.h5": ["none.h5"],
  };
  for (const [path, found] of Object.entries(expected)) assertEquals(files(path), found, path);
  assertThrows(() => files("q*.h5"), DataError, "no file is called like that. In");
  assertThrows(() => files("none/q*.h5"), DataError, "no such folder");
  assertThrows(() => files("a*.h5,a2.h5"), DataError, "a2.h5 is named twice");
  assertThrows(() => files("[z-a].h5"), DataError, "this is no pattern");
});

Deno.test("each file gets its class from the one pattern that fits it", () => {
  const files = ["data/qcd_1.h5", "data/qcd_2.h5", "data/2017/top.h5"];
  assertEquals(withClasses(files, "qcd*.h5: 0, top.h5: 1").map(({ label }) => label), [0, 0, 1]);
  assertEquals(withClasses(files, "2017/*.h5: 2, data/qcd*: 1").map(({ label }) => label), [1, 1, 2]);
  assertThrows(() => withClasses(files, "qcd*.h5: 0"), DataError, "data/2017/top.h5: none of the patterns");
  assertThrows(() => withClasses(files, "qcd*: 0, *_1.h5: 1, top*: 1"), DataError, 'data/qcd_1.h5: both "qcd*" and "*_1.h5"');
  assertThrows(() => checkPatterns(files, "qcd*: 0, top*: 1, w*: 2"), DataError, 'no file fits "w*"');
});

Deno.test("a class that the name of a file says takes the place of its labels", async () => {
  using folder = temporaryFolder();
  const [a, b] = [`${folder.path}/a.h5`, `${folder.path}/b.h5`];
  writeToy(a, 3);
  writeToy(b, 2, false, 5);
  using set = await openJetSet("set", [{ path: a, label: 1 }, { path: b, label: 0 }]);
  assertEquals([set.has("labels"), [...set.readScalars("labels")]], [true, [1, 1, 1, 0, 0]]);
  using one = await openJetSet("one", [{ path: a, label: 2 }]);
  assertEquals([...one.readScalars("labels")], [2, 2, 2]);
});
