/** @file NumPy's archives and arrays: the same images as from HDF5, every type exactly, and what is wrong with others in one line. */

import { openData, openJets } from "../../../lib/disk/data_files.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type DataFile, pythonAdvice } from "../../../lib/data/data_file.ts";
import { DataError } from "../../../lib/data/errors.ts";
import { packInMemory } from "../../../lib/data/pack_memory.ts";
import { temporaryFolder } from "../../support/files.ts";
import { jetValues } from "../../support/jets.ts";
import { npy, npyHeader } from "../../support/numpy.ts";
import { concat } from "../../../lib/arrays.ts";
import { zipOf } from "../../support/zip.ts";

const FIXTURES = new URL("../../fixtures/numpy/", import.meta.url).pathname;
const HDF5 = new URL("../../fixtures/hdf5/contiguous.h5", import.meta.url).pathname;

Deno.test("the same jets are the same images, labels and masses from HDF5 and from NumPy's files, packed or not", async () => {
  using hdf5 = await openJets(HDF5);
  const checks = await (await packInMemory(hdf5)).checks();
  for (const name of ["jets.npz", "jets_packed.npz", "jets.npy"]) {
    using file = await openJets(FIXTURES + name);
    assertEquals([file.count, file.size, file.channels, file.channelsFirst], [7, 6, 2, name === "jets_packed.npz"], name);
    assertEquals(await (await packInMemory(file)).checks(), checks, name);
    assertEquals(await jetValues(file, [1, 5, 6]), await jetValues(hdf5, [1, 5, 6]), name);
    // what lies before is unpacked anew
    assertEquals(await jetValues(file, [0]), await jetValues(hdf5, [0]), name);
    for (const quantity of name === "jets.npy" ? [] : ["labels", "mass", "pt"] as const) {
      assertEquals(file.readScalars(quantity), hdf5.readScalars(quantity), name);
    }
  }
});

Deno.test("a .npy file is the images alone, and says where labels would go", async () => {
  using file = await openJets(`${FIXTURES}jets.npy`);
  assertEquals([file.has("images"), file.has("labels")], [true, false]);
  assertThrows(
    () => file.readScalars("labels"),
    DataError,
    "A .npy file is one array, the images. Labels and masses go beside them",
  );
});

Deno.test("numbers of every standard type of NumPy are read in either byte order", async () => {
  using file = await openData(`${FIXTURES}types.npz`);
  const plain = [0, 1, 2, 3, 4, 5], signed = [-0, 1, -2, 3, -4, 5];
  assertEquals(file.names.length, 22);
  for (const name of file.names) {
    const expected = name === "bool" ? plain.map((i) => i % 2) : /^[<>]?u/.test(name) ? plain : signed;
    const isFraction = /f|by columns/.test(name);
    assertEquals([...file.dataset(name).readNumbers()], isFraction ? expected : expected.map((value) => value + 0), name);
  }
});

const REFUSED: Readonly<Record<string, string>> = {
  "records": `holds records, which cannot be read here. ${pythonAdvice("NumPy", "records", 'OLD["FIELD"]')}`,
  "objects": "holds pickled Python objects",
  "text": 'holds text, which cannot be read here. In NumPy: new["text"] = np.unique',
  "bytes": "holds text",
  "complex": 'holds complex numbers, which cannot be read here. In NumPy: new["complex"] = old["complex"].real',
  "times": "holds times",
  "differences": "holds differences of times",
  "raw": "holds raw bytes",
  "long": "holds long doubles",
  "by columns": 'is stored by columns (Fortran order), which is not read here. In NumPy: new["by columns"] = np.ascontiguousarray(',
  "one-hot": 'is one-hot, 2 columns for each image. In NumPy: new["one-hot"] = old["one-hot"][:].argmax(1)',
  "large": "holds 9007199254740993 at row 0, which double precision cannot hold",
  "scalar": "has shape (); expected (7) or (7, 1)",
  "none": "has shape (0, 6, 6, 2); expected (7) or (7, 1)",
  "bzip2": "is compressed in a way that is not read here. Write the file with np.savez",
  "notes": "there is no dataset notes for labels; the file holds jet, records",
};

for (const [labels, why] of Object.entries(REFUSED)) {
  Deno.test(`arrays of NumPy that are no labels are refused by what they are: ${labels}`, async () => {
    using file = await openJets(`${FIXTURES}odd.npz`, { labels });
    const { message } = assertThrows(() => file.readScalars("labels"), DataError, why);
    assert(message.startsWith(`${FIXTURES}odd.npz: `) && !message.includes("\n"), message);
  });
}

const ARRAY = new Uint8Array(3 * 4 * 4 * 2).map((_, i) => i % 5);
const WRONG: Readonly<Record<string, readonly [file: Uint8Array, why: string]>> = {
  "of a version to come": [npy(npyHeader("(3, 4, 4, 2)"), ARRAY, 9), "has version 9"],
  "whose header is cut": [npy(npyHeader("(3, 4, 4, 2)"), ARRAY).subarray(0, 40), "its header is cut"],
  "of nothing but the magic": [npy("", ARRAY).subarray(0, 7), "its header is cut"],
  "whose header is longer than any": [npy(npyHeader("(3, 4, 4, 2)") + " ".repeat(70_000), ARRAY, 2), "its header claims 700"],
  "without a shape": [npy("{'descr': '|u1', 'fortran_order': False, }", ARRAY), "its header is damaged"],
  "with two shapes": [npy(npyHeader("(3, 4, 4, 2), 'shape': (9,)"), ARRAY), "its header is damaged"],
  "of a shape that would be evaluated": [npy(npyHeader("(3, 4, 2 + 2, 2)"), ARRAY), "its header is damaged"],
  "of negative sizes": [npy(npyHeader("(-3, 4, 4, -2)"), ARRAY), "its header is damaged"],
  "of a size beyond any": [npy(npyHeader("(99999999999999999999, 4, 4, 2)"), ARRAY), "claims 100000000000000000000 elements"],
  "of more than there is": [
    npy(npyHeader("(900719925474099, 4, 4, 2)"), ARRAY),
    "and 96 are there: it is cut, or still being written",
  ],
  "that is cut": [npy(npyHeader("(3, 4, 4, 2)"), ARRAY.subarray(1)), "takes 96 bytes, and 95 are there: it is cut"],
  "to which another was appended": [concat([npy(npyHeader("(3, 4, 4, 2)"), ARRAY), ARRAY]), "something was appended to it"],
  "of an unknown type": [npy(npyHeader("(3, 4, 4, 2)", "'|q1'"), ARRAY), "holds elements of type |q1"],
  "of bits of no standard type": [npy(npyHeader("(3, 4, 4, 2)", "'<u3'"), ARRAY), "holds elements of type <u3"],
};

for (const [name, [file, why]] of Object.entries(WRONG)) {
  for (const form of ["npy", "npz"] as const) {
    Deno.test(`an array ${name} is refused in one line, as .${form}`, async () => {
      using folder = temporaryFolder();
      const path = `${folder.path}/jets.${form}`;
      Deno.writeFileSync(path, form === "npy" ? file : zipOf({ "jet.npy": file }));
      const { message } = await assertRejects(() => openJets(path), DataError, why);
      assert(message.startsWith(`${path}: dataset "`) && !message.includes("\n") && message.length < 300, message);
    });
  }
}

Deno.test("headers are read in all their versions, with Python 2's long numbers, and of arrays by columns where that is no matter", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/jets.npy`;
  for (
    const [shape, order, version] of [["(3L, 4L, 4L, 2L)", "False", 1], ["(3,4,4,2)", "False", 2], [
      "(1, 96, 1, 1)",
      "True",
      3,
    ]] as const
  ) {
    Deno.writeFileSync(path, npy(npyHeader(shape, "'|u1'", order), ARRAY, version));
    using file = await openData(path);
    assertEquals([...file.dataset("images").readNumbers()], [...ARRAY]);
  }
});

Deno.test("an archive that is cut, of other files, or of none says so", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/jets.npz`, whole = Deno.readFileSync(`${FIXTURES}jets.npz`);
  const files: readonly (readonly [Uint8Array, string])[] = [
    [whole.subarray(0, whole.length - 30), "this zip archive cannot be read: the archive has no end: it is cut"],
    [whole.subarray(0, 200), "this zip archive cannot be read: the archive has no end: it is cut"],
    [concat([whole.subarray(0, 500), whole.subarray(600)]), "this zip archive cannot be read: "],
    [zipOf({ "archive/data.pkl": ARRAY }), "this is a zip archive without arrays of NumPy: it holds archive/data.pkl"],
    [zipOf({}), "this is a zip archive without arrays of NumPy: it is empty"],
    [zipOf({ "jet.npy": ARRAY }), 'dataset "jet" cannot be read: it is no NumPy array'],
    [
      zipOf({ "Y.npy": npy(npyHeader("(3,)"), Uint8Array.of(0, 1, 0)) }),
      "there is no dataset jet or X_jets or images for images; the file holds Y",
    ],
  ];
  for (const [file, why] of files) {
    Deno.writeFileSync(path, file);
    const { message } = await assertRejects(() => openJets(path), DataError, why);
    assert(message.startsWith(`${path}: `) && !message.includes("\n"), message);
  }
});

Deno.test("a packed array that claims to be more than its bytes can be is refused before any memory is taken for it", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/jets.npz`, file = Deno.readFileSync(`${FIXTURES}jets_packed.npz`);
  // the size when unpacked stands in the directory, before the name
  const name = new TextDecoder("latin1").decode(file).lastIndexOf("jet.npy");
  new DataView(file.buffer).setUint32(name - 46 + 24, 0xfffffffe, true);
  Deno.writeFileSync(path, file);
  await assertRejects(() => openJets(path), DataError, 'dataset "jet" cannot be read: its ');
});

/** Reads everything in a file. */
async function readAll(path: string): Promise<void> {
  using file = await openJets(path);
  file.readScalars("labels");
  await jetValues(file);
}

for (const name of ["jets.npz", "jets_packed.npz"]) {
  Deno.test(`no changed byte of an array goes unnoticed: ${name}`, async () => {
    using folder = temporaryFolder();
    const path = `${folder.path}/jets.npz`, whole = Deno.readFileSync(FIXTURES + name);
    for (let at = 60; at < 900; at += 7) {
      const changed = whole.slice();
      changed[at]! ^= 4;
      Deno.writeFileSync(path, changed);
      try {
        await readAll(path);
      } catch (error) {
        assert(error instanceof DataError && error.message.startsWith(`${path}: `), String(error));
        continue;
      }
      // names of members stand twice, and flags are not all used: numbers are as they were
      using file = await openJets(path);
      using before = await openJets(FIXTURES + name);
      assertEquals([await jetValues(file), file.readScalars("labels")], [await jetValues(before), before.readScalars("labels")]);
    }
  });
}

Deno.test("the format is told by the first bytes, whatever the name says", async () => {
  using folder = temporaryFolder();
  for (const [from, to] of [[`${FIXTURES}jets.npz`, "a.h5"], [`${FIXTURES}jets.npy`, "a.npz"], [HDF5, "a.npy"]] as const) {
    Deno.copyFileSync(from, `${folder.path}/${to}`);
    using file: DataFile = await openData(`${folder.path}/${to}`);
    assertEquals(file.module, from === HDF5 ? "h5py" : "NumPy");
    using jets = await openJets(`${folder.path}/${to}`);
    assertEquals(jets.count, 7);
  }
});
