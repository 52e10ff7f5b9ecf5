/** @file Numbers of every type and storage that libhdf5 writes: read exactly, or refused by name. */

import { openJets } from "../../../lib/disk/data_files.ts";
import { openSource } from "../../../lib/disk/files.ts";
import { Hdf5File } from "../../../lib/data/hdf5.ts";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { DataError } from "../../../lib/data/errors.ts";
import { ImageBands } from "../../../lib/data/image_bands.ts";
import { jetValues } from "../../support/jets.ts";
import { temporaryFolder } from "../../support/files.ts";

const openHdf5 = (path: string) => Hdf5File.read(path, openSource(path));
const FIXTURES = new URL("../../fixtures/hdf5/", import.meta.url).pathname;

Deno.test("numbers of every standard type are read in either byte order, bfloat16 and enumerations too", async () => {
  using file = await openHdf5(`${FIXTURES}types.h5`);
  const plain = [0, 1, 2, 3, 4, 5], signed = [-0, 1, -2, 3, -4, 5], bits = [0, 1, 0, 1, 0, 1];
  const both = (types: string[], values: number[]) =>
    types.flatMap((type) => [[`<${type}`, values], [`>${type}`, values]] as const);
  const expected = [
    ...both(["f2", "f4", "f8", "bf16"], signed),
    ...both(["i2", "i4", "i8"], signed.map((value) => value + 0)),
    ...both(["u2", "u4", "u8"], plain),
    ...both(["enum"], bits),
    ["i1", signed.map((value) => value + 0)] as const,
    ["u1", plain] as const,
    ["bool", bits] as const,
    ["of a named type", signed] as const,
    ["exact", [2 ** 60, 2 ** 53, 0]] as const,
  ];
  for (const [name, values] of expected) assertEquals([...file.dataset(name).readNumbers()], values, name);
});

Deno.test("numbers of other types are refused by what they are", async () => {
  using file = await openHdf5(`${FIXTURES}types.h5`);
  const refused = {
    "bias": "floats of 32 bits in a layout of their own (exponent of 8 bits with bias 63, mantissa of 23)",
    "half bias": "floats of 16 bits in a layout of their own (exponent of 5 bits with bias 14, mantissa of 10)",
    "nine bits": "whole numbers of 9 bits from bit 4 of 2 bytes",
    "offset": "whole numbers of 16 bits from bit 8 of 4 bytes",
    "large": "holds 9007199254740993 at row 1, which double precision cannot hold",
  };
  for (const [name, why] of Object.entries(refused)) assertThrows(() => file.dataset(name).readNumbers(), DataError, why);
});

/** The lists of lists_*.h5 and what of them is written, but for "rows", whose shape has shrunk to (9, 5). */
const PARTS = ["fixed", "room", "columns", "both"];

for (const form of ["old", "new"]) {
  Deno.test(`every list of chunks of the ${form} format says which chunks are there`, async () => {
    using file = await openHdf5(`${FIXTURES}lists_${form}.h5`);
    const whole = Array.from({ length: 65 }, (_, i) => i + 1);
    for (const name of ["single", "single gzip", "all", "all gzip", "early"]) {
      const dataset = file.dataset(name);
      assertEquals([dataset.unwritten, [...dataset.readNumbers()]], [undefined, whole], name);
    }
    for (const name of PARTS.flatMap((part) => [part, `${part} gzip`]).concat("rows gzip")) {
      const dataset = file.dataset(name);
      assertEquals(dataset.unwritten, { first: 4, last: 7, chunks: 8, of: 14 }, name);
      assertThrows(() => dataset.readNumbers(), DataError, `dataset "${name}" was never written in rows 4 to 7`);
      assertEquals(Array.from({ length: 14 }, (_, chunk) => dataset.readChunk(chunk) !== undefined), [
        ...[true, true, true, true, false, false, false, false, true, true],
        ...[false, false, false, false],
      ], name);
    }
    assertEquals(file.dataset("rows").unwritten, { first: 4, last: 7, chunks: 4, of: 10 });
  });

  Deno.test(`long lists of chunks of the ${form} format are read over all their blocks and pages`, async () => {
    using file = await openHdf5(`${FIXTURES}lists_${form}.h5`);
    const firstOf = (name: string) => {
      const dataset = file.dataset(name);
      return Array.from(dataset.chunks.numbers, (chunk) => [chunk, new Int32Array(dataset.readChunk(chunk)!.buffer)[0]]);
    };
    assertEquals(firstOf("pages"), [[0, 1], [1, 3], [1050, 2101]]);
    const long = [0, 1, 2, 3, 4, 5, 6, 7, 8, 100_000, 100_001, 100_002];
    assertEquals(firstOf("long"), long.map((chunk) => [chunk, chunk + 1]));
    assertEquals(
      firstOf("tree"),
      Array.from({ length: 400 }, (_, i) => {
        const row = 2 * Math.floor(i / 2), column = i % 2;
        return [2 * row + column, 3 * row + 2 * column + 1];
      }),
    );
  });
}

Deno.test("a list of chunks whose check sum is wrong is refused as damaged", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.h5`;
  const bytes = Deno.readFileSync(`${FIXTURES}lists_new.h5`);
  const text = new TextDecoder("latin1").decode(bytes);
  for (const signature of ["FADB", "EAIB", "EADB", "EASB", "BTLF", "BTIN"]) {
    const changed = bytes.slice();
    for (let at = text.indexOf(signature); at >= 0; at = text.indexOf(signature, at + 1)) {
      // groups have such trees too
      if (signature.startsWith("B") && bytes[at + 5]! < 10) continue;
      changed[at + 20]! ^= 1;
    }
    Deno.writeFileSync(path, changed);
    using file = await openHdf5(path);
    const name = { F: "fixed", E: "long", B: "tree" }[signature[0]!]!;
    const error = assertThrows(() => file.dataset(name).readNumbers(), DataError);
    assert(error.message.includes(`the check sum of "${signature}" is wrong`) && error.message.includes("damaged"), error.message);
  }
});

/** The images of make_odd.py, channels last. */
const IMAGES = Float32Array.from({ length: 7 * 72 }, (_, i) => {
  const c = i % 2, column = Math.floor(i / 2) % 6, row = Math.floor(i / 12) % 6, n = Math.floor(i / 72);
  return (n + row + 2 * column + c) % 5 === 0 ? (31 * n + 7 * row + 3 * column + 11 * c) % 256 : 0;
});

Deno.test("images are put together from chunks that hold parts of them, any of them in any order of axes", async () => {
  using hdf5 = await openHdf5(`${FIXTURES}strips.h5`);
  const names = hdf5.names.filter((name) => /^(last|first|one) /.test(name));
  assert(names.length >= 10, names.join());
  for (const images of names) {
    using file = await openJets(`${FIXTURES}strips.h5`, { images });
    const expected = images.startsWith("one") ? IMAGES.filter((_, i) => i % 2 === 0) : IMAGES;
    assertEquals(await jetValues(file), expected, images);
    const perImage = expected.length / 7;
    for (const wanted of [[6], [0, 2, 3, 5]]) {
      const part = wanted.flatMap((image) => [...expected.subarray(image * perImage, (image + 1) * perImage)]);
      assertEquals([...await jetValues(file, wanted)], part, images);
    }
  }
});

Deno.test("a band of images whose non-zeros do not fit into memory is read in halves, down to single images", async () => {
  using file = await openHdf5(`${FIXTURES}strips.h5`);
  const sizes = { path: "strips.h5", count: 7, size: 6, channels: 2, channelsFirst: false };
  for (const most of [1, 40, 1000]) {
    const groups = new ImageBands(sizes, file.dataset("last 7x4x1x2"), most).scan(0, Uint32Array.of(0, 1, 2, 3, 4, 5, 6));
    const counts: number[] = [], values: number[] = [];
    for (const group of groups) counts.push(group.count), values.push(...group.values);
    assertEquals([counts.length > 1, counts.length === 7, values], [most < 1000, most === 1, [...IMAGES]]);
  }
});

Deno.test("images of chunks that were never written are the fill value, and known to be so", async () => {
  const open = (images: string) => openJets(`${FIXTURES}strips.h5`, { images });
  {
    using file = await open("half");
    assertEquals(await jetValues(file), IMAGES.map((value, i) => i < 4 * 72 ? value : 0));
    assertEquals(file.unwritten, { first: 4, last: 6, chunks: 2, of: 4 });
  }
  {
    using file = await open("channel");
    assertEquals(await jetValues(file), IMAGES.map((value, i) => i % 2 === 0 ? value : 0));
    assertEquals(file.unwritten, { first: 0, last: 6, chunks: 1, of: 2 });
  }
  for (const name of ["filled", "strip filled"]) {
    using file = await open(name);
    assertEquals(await jetValues(file), IMAGES.map((value, i) => i >= 2 * 72 && i < 4 * 72 ? value : 3), name);
    assertEquals([file.fill, file.unwritten?.first, file.unwritten?.last], [3, 0, 1], name);
  }
});
