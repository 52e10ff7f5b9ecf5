/** @file Reading HDF5: files that h5py wrote in every storage, large files, and files that are broken. */

import { openData, openJets } from "../../../lib/disk/data_files.ts";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { DataError } from "../../../lib/data/errors.ts";
import { hdf5Memory } from "../../../lib/data/hdf5.ts";
import { Hdf5Writer } from "../../../lib/disk/hdf5_writer.ts";
import type { JetNames } from "../../../lib/data/jets.ts";
import { packInMemory } from "../../../lib/data/pack_memory.ts";
import { unpack } from "../../../lib/data/entries.ts";
import { FileError } from "../../../lib/io/file_error.ts";
import { temporaryFolder } from "../../support/files.ts";
import { jetValues } from "../../support/jets.ts";

const FIXTURES = new URL("../../fixtures/hdf5/", import.meta.url).pathname;

/** The images of tests/fixtures/hdf5/make.py, channels last. */
const EXPECTED = Float32Array.from({ length: 7 * 6 * 6 * 2 }, (_, i) => {
  const c = i % 2, column = Math.floor(i / 2) % 6, row = Math.floor(i / 12) % 6, n = Math.floor(i / 72);
  return (n + row + 2 * column + c) % 5 === 0 ? (31 * n + 7 * row + 3 * column + 11 * c) % 256 : 0;
});

const SHAPES = [
  { name: "jet", shape: [5, 96, 96, 2] },
  { name: "Y", shape: [5, 1] },
  { name: "m", shape: [5, 1] },
  { name: "pT", shape: [5, 1] },
];

/** A small labelled file whose rows are larger than libhdf5's buffer; image i holds the value i + 1 at position 10 i. */
function writeLabelled(path: string): void {
  using writer = new Hdf5Writer(path, SHAPES);
  for (let i = 0; i < 5; i++) {
    const image = new Float32Array(2 * 96 * 96);
    image[10 * i] = i + 1;
    writer.write("jet", i, image);
  }
  writer.write("Y", 0, Float32Array.of(0, 1, 0, 1, 1));
  writer.write("m", 0, Float32Array.of(10, 20, 30, 40, 50));
}

const VARIANTS = ["contiguous", "latest", "userblock", "float64", "big_endian", "integers", "flags", "chunked", "gzip"];
const OWN: JetNames = { images: "events/pictures", labels: "events/kind", mass: "events/weight", pt: "events/momentum" };
for (const name of [...VARIANTS, "gzip_shuffle", "channels_first", "other_names", "own_names"]) {
  Deno.test(`JetFile reads what h5py wrote: ${name}`, async () => {
    using file = await openJets(`${FIXTURES}${name}.h5`, name === "own_names" ? OWN : {});
    assertEquals([file.count, file.size, file.channels, file.channelsFirst], [7, 6, 2, name === "channels_first"]);
    assertEquals([...file.readScalars("labels")], [0, 1, 0, 1, 0, 1, 0]);
    assertEquals([...file.readScalars("mass")], [0.5, 10.5, 20.5, 30.5, 40.5, 50.5, 60.5]);
    assertEquals([...file.readScalars("pt")], [400, 401, 402, 403, 404, 405, 406]);
    const images = await packInMemory(file);
    const { offsets, words } = await images.batch([0, 1, 2, 3, 4, 5, 6]);
    const dense = [...offsets.subarray(1)].flatMap((stop, i) => [...unpack(words.subarray(offsets[i], stop), images.encoding, 72)]);
    assertEquals(dense, [...EXPECTED]);
    assertEquals([...await jetValues(file, [3, 4, 6])], [...EXPECTED.subarray(3 * 72, 5 * 72), ...EXPECTED.subarray(6 * 72)]);
  });
}

Deno.test("what a user has put before an HDF5 file may begin like a file of another format", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/jets.h5`, bytes = Deno.readFileSync(`${FIXTURES}userblock.h5`);
  for (
    const start of ["PK\x03\x04 notes", "PK\x05\x06", "\x93NUMPY\x01\x00 notes", "\x93NUMPY\x07", "\x1f\x8b\x08", "<!doctype html>"]
  ) {
    bytes.fill(0, 0, 32).set(Array.from(start, (letter) => letter.charCodeAt(0)));
    Deno.writeFileSync(path, bytes);
    using file = await openJets(path);
    assertEquals([...file.readScalars("labels")], [0, 1, 0, 1, 0, 1, 0], start);
  }
});

// found by the fuzzer: one of its lengths is 1.3 GB
Deno.test("openJets() gives no gigabyte of memory to a file of 9 kB that asks for it", async () => {
  await assertRejects(() => openJets(`${FIXTURES}asks_for_a_gigabyte.h5`), DataError, '"jet" cannot be read');
  assert(await hdf5Memory() < 300e6);
  using file = await openJets(`${FIXTURES}contiguous.h5`);
  assertEquals(file.count, 7);
});

Deno.test("openJets() names a filter that it has not, and what to do", async () => {
  const error = await assertRejects(() => openJets(`${FIXTURES}lzf.h5`), DataError);
  assertEquals(
    error.message,
    `${FIXTURES}lzf.h5: dataset "jet" is compressed with "lzf", which cannot be read here. ` +
      "Rewrite it with gzip, or uncompressed (h5repack -f GZIP=4 in.h5 out.h5)",
  );
});

Deno.test("Hdf5Writer writes the published layout, and libhdf5 reads it", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.h5`;
  writeLabelled(path);
  using file = await openData(path);
  assertEquals(file.names.toSorted(), ["Y", "jet", "m", "pT"]);
  const { shape, type, storage } = file.dataset("jet").info;
  assertEquals([shape, type, storage], [[5, 96, 96, 2], "float 32 bit", "contiguous"]);
  assertEquals(file.dataset("m").readNumbers(), Float64Array.of(10, 20, 30, 40, 50));
  assertEquals(Deno.statSync(path).size, 2216 + 4 * (5 * 2 * 96 * 96 + 15));
});

Deno.test("JetFile reads any image of a 28 GB file in little memory", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/large.h5`;
  const image = Float32Array.from({ length: 125_000 }, (_, i) => i % 97 === 0 ? 1 + i % 255 : 0);
  {
    // what is not written are holes: the file takes no room on the disk
    using writer = new Hdf5Writer(path, [{ name: "jet", shape: [60_000, 125, 125, 8] }]);
    for (const row of [0, 30_000, 59_999]) writer.write("jet", row, image.map((value) => value && value - row % 7));
  }
  assertEquals(Deno.statSync(path).size, 30_000_002_048);
  const before = Deno.memoryUsage().rss;
  using file = await openJets(path);
  for (const row of [59_999, 0, 30_000]) assertEquals(await jetValues(file, [row]), image.map((value) => value && value - row % 7));
  assertEquals(await jetValues(file, [30_001]), new Float32Array(125_000));
  const grown = (Deno.memoryUsage().rss - before) / 2 ** 20;
  assert(grown < 500, `memory grew by ${grown} MiB`);
});

Deno.test("openJets() says in one line what is wrong with a file", async () => {
  using folder = temporaryFolder();
  const at = (name: string) => `${folder.path}/${name}`;
  writeLabelled(at("whole.h5"));
  const bytes = Deno.readFileSync(at("whole.h5"));
  Deno.writeFileSync(at("cut.h5"), bytes.subarray(0, 3000));
  Deno.writeFileSync(at("empty.h5"), new Uint8Array());
  Deno.writeTextFileSync(at("words.h5"), "not a data file, but long enough to be read");
  const write = (name: string, dataset: string, shape: number[]) => {
    using _writer = new Hdf5Writer(at(name), [{ name: dataset, shape }]);
  };
  write("flat.h5", "jet", [4, 7]);
  write("oblong.h5", "jet", [4, 3, 5, 2]);
  write("names.h5", "pictures", [4, 3, 3, 2]);
  write("none.h5", "jet", [0, 3, 3, 2]);
  Deno.copyFileSync(`${FIXTURES}text.h5`, at("text.h5"));
  const cases = {
    "missing.h5": "there is no such file",
    "cut.h5": "cut short",
    "empty.h5": "the file is empty",
    "words.h5": "not an HDF5 file",
    "flat.h5": "images have four axes",
    "oblong.h5": "the images must be square",
    "names.h5": "the file holds pictures",
    "none.h5": "holds no image",
    "text.h5": "holds text, which cannot be read here",
  };
  for (const [name, why] of Object.entries(cases)) {
    const error = await assertRejects(() => openJets(at(name)), DataError, why);
    assert(error.message.startsWith(at(name)), error.message);
    assert(!error.message.includes("\n"), error.message);
  }
});

Deno.test("JetFile names the chunk that is damaged instead of returning what memory held before", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/damaged.h5`;
  const bytes = Deno.readFileSync(`${FIXTURES}gzip.h5`);
  // a zlib stream begins with 0x78; the third of the four chunks
  const starts = [...bytes.keys()].filter((i) => bytes[i] === 0x78 && (bytes[i + 1] === 0x5e || bytes[i + 1] === 0x9c));
  bytes.fill(0xff, starts[2]! + 2, starts[2]! + 12);
  Deno.writeFileSync(path, bytes);
  using file = await openJets(path);
  assertEquals([...await jetValues(file, [0])], [...EXPECTED.subarray(0, 72)]);
  const error = await assertRejects(() => packInMemory(file), DataError);
  assert(error.message.includes('of "jet" cannot be read') && error.message.includes("damaged"), error.message);
});

Deno.test("JetFile says where a file ended that shrank while it was read", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/shrinking.h5`;
  writeLabelled(path);
  using file = await openJets(path);
  await jetValues(file, [0, 1]);
  Deno.truncateSync(path, 2216 + 4 * (3 * 2 * 96 * 96) + 100);
  await assertRejects(() => jetValues(file, [2, 3, 4]), DataError, 'rows 2 to 4 of "jet" cannot be read (the file ends at byte');
});

Deno.test("openJets() says what is no file, and why one cannot be opened", async () => {
  using folder = temporaryFolder();
  const loop = `${folder.path}/loop.h5`, long = `${folder.path}/${"x".repeat(300)}`;
  Deno.symlinkSync("loop.h5", loop);
  const pipe = `${folder.path}/pipe.h5`;
  // tests may run no other program; without options it starts the one that is named
  assert(new Deno.Command("unshare", { args: ["mkfifo", pipe] }).outputSync().success);
  const expected = {
    [folder.path]: "it is a folder, not a file. Name a file in it",
    [pipe]: "it is a pipe, not a file",
    "/dev/null": "it is a device, not a file",
    [loop]: "its links lead in a circle",
    [long]: "its name is too long",
  };
  for (const [path, why] of Object.entries(expected)) {
    await assertRejects(() => openJets(path), FileError, `${path} cannot be opened: ${why}`);
  }
  await assertRejects(() => openJets(`${folder.path}/nothing`), DataError, "there is no such file. Check the path, or");
});
