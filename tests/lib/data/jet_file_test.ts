/** @file Labels and images that cannot be read as they are: each is refused in one line that says what it is and what to do. */

import { openJets } from "../../../lib/disk/data_files.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DataError } from "../../../lib/data/errors.ts";
import { describeNegative, describeZeroEnd, remarksOn } from "../../../lib/data/empty.ts";
import { metadataChecksum } from "../../../lib/data/hdf5/checksum.ts";
import { Hdf5Writer } from "../../../lib/disk/hdf5_writer.ts";
import { isOneHot, labelProblem } from "../../../lib/data/labels.ts";
import { temporaryFolder } from "../../support/files.ts";
import { jetValues } from "../../support/jets.ts";

const ODD = new URL("../../fixtures/hdf5/odd.h5", import.meta.url).pathname;

Deno.test("readScalars() reads labels through links, in virtual datasets of the same file, and with slashes before their names", async () => {
  const classes = [0, 1, 0, 1, 0, 1, 0];
  const expected = {
    "soft": classes,
    "/group/Y": classes,
    "//group/./Y/": classes,
    "group/near": classes,
    "virtual": classes,
    "virtual of virtual": classes,
    "virtual parts": [0, 1, 0, 0, 1, 0, 1],
    "virtual strides": [0, 0, 1, 1, 0, 0, 1],
  };
  for (const [labels, values] of Object.entries(expected)) {
    using file = await openJets(ODD, { labels });
    assert(file.has("labels"));
    assertEquals([...file.readScalars("labels")], values, labels);
  }
});

/** Labels that are refused, and what the message says. */
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  "fixed text": ["holds text", "np.unique("],
  "text": ["holds text", "np.unique("],
  "one-hot": ["is one-hot, 2 columns", ".argmax(1)"],
  "table": ["has shape (7, 2); expected (7) or (7, 1)"],
  "row": ["has shape (1, 7); expected (7) or (7, 1)"],
  "short": ["has shape (6); expected (7) or (7, 1)"],
  "jet": ["has shape (7, 6, 6, 2)"],
  "records": ["holds records", 'old["records"]["FIELD"]'],
  "nan": ["holds NaN at row 1"],
  "never": ["was never written"],
  "never in chunks": ["was never written in rows 0 to 6"],
  "half": ["was never written in rows 4 to 6"],
  "external": ["in other files (a.bin, b.bin)", "h5repack -l CONTI"],
  "group": ['"group" is a group', "group/Y"],
  "named": ["is a type"],
  "dangling": ['a link to "nowhere", which is not there'],
  "dangling below": ['a link to "nowhere/Y", which is not there'],
  "loop": ["a link that leads back to itself"],
  "loop of two": ["a link that leads back to itself"],
  "outside": ['a link to "data/Y" in the file other.h5', "h5repack --merge"],
  "soft outside": ['a link to "data/Y" in the file other.h5'],
  "folder/Y": ['"folder/Y" is a link to "data/Y" in the file other.h5'],
  "soft into folder": ['a link to "data/Y" in the file other.h5'],
  "huge external": ["in other files (a.bin)", "h5repack -l CONTI"],
  "huge virtual": ['is virtual: its numbers are in other files, such as "jet" in other.h5'],
  "virtual gap": ["is virtual, and nothing stands for its row 3"],
  "virtual elsewhere": ['is virtual: its numbers are in other files, such as "Y" in other.h5', "h5repack -l CONTI"],
  "virtual of nothing": ['is virtual: there is no dataset "nothing"'],
  "virtual of itself": ['is virtual: dataset "virtual of itself" is virtual, and its sources have no end'],
  "virtual of less": ["virtual", "sources has other sizes"],
  "virtual of never": ["is virtual", '"never" was never written'],
  "virtual of another type": ["is virtual", "another type"],
  "nowhere": ["there is no dataset nowhere for labels", "data.keys.labels"],
};

for (const [labels, words] of Object.entries(REFUSED)) {
  Deno.test(`readScalars() refuses labels and says what to do: ${labels}`, async () => {
    using file = await openJets(ODD, { labels });
    const { message } = assertThrows(() => file.readScalars("labels"), DataError);
    assert(message.startsWith(`${ODD}: `) && !message.includes("\n") && message.length < 400, message);
    for (const word of words) assert(message.includes(word), message);
    assert(!message.includes("damaged"), message);
  });
}

Deno.test("text is made numbers of classes where it names classes, and its own numbers where it holds masses", async () => {
  using file = await openJets(ODD, { labels: "masses as text", mass: "masses as text" });
  const labels = assertThrows(() => file.readScalars("labels"), DataError);
  assert(labels.message.endsWith('In h5py: new["masses as text"] = np.unique(old["masses as text"][:], return_inverse=True)[1]'));
  const mass = assertThrows(() => file.readScalars("mass"), DataError);
  assert(mass.message.endsWith('In h5py: new["masses as text"] = old["masses as text"][:].astype("f8")'), mass.message);
});

Deno.test("datasets are not looked for in forty groups, each in the one before, and are read by their names", async () => {
  const path = ODD.replace("odd.h5", "deep.h5");
  await assertRejects(() => openJets(path), DataError, "there is no dataset jet or X_jets or images for images");
  using file = await openJets(path, { images: `${"g/".repeat(40)}jet` });
  assertEquals([file.count, file.size, file.channels], [7, 6, 2]);
});

Deno.test("JetFile reads images without an axis for their one channel", async () => {
  using file = await openJets(ODD, { images: "grey" });
  assertEquals([file.count, file.size, file.channels, file.channelsFirst], [7, 6, 1, false]);
  using both = await openJets(ODD);
  assertEquals(await jetValues(file), (await jetValues(both)).filter((_, i) => i % 2 === 0));
});

Deno.test("JetFile refuses images of other shapes and in other files, and numbers that single precision cannot hold", async () => {
  const expected = {
    "flat": "Store x.reshape(7, size, size, channels), 72 values an image",
    "never": "was never written",
    "external": "in other files",
    "outside": "in the file other.h5",
    "group": "is a group",
    "virtual images": "is virtual: its images are parts of other datasets",
    "virtual elsewhere": "is virtual: its numbers are in other files",
    "text": "holds text",
    "row": "has shape (1, 7)",
    "group/Y": "images have four axes: (N, size, size, channels) or (N, channels, size, size). Reshape",
    "no channel": "has shape (7, 6, 6, 0): its images hold no numbers",
    "no pixel": "has shape (7, 0, 0, 2): its images hold no numbers",
    "dangling below": "which is not there",
  };
  for (const [images, why] of Object.entries(expected)) await assertRejects(() => openJets(ODD, { images }), DataError, why);
  using flags = await openJets(ODD, { images: "flags" });
  await assertRejects(() => jetValues(flags), DataError, "image 0 holds 16492674416641, which single precision cannot hold");
  using huge = await openJets(ODD, { images: "huge" });
  await assertRejects(
    () => jetValues(huge),
    DataError,
    "image 0 holds 1.7000000000000001e+301, which single precision cannot hold",
  );
});

Deno.test("an error about names lists a few of them", async () => {
  const error = await assertRejects(() => openJets(ODD, { images: "pictures" }), DataError);
  assert(
    /there is no dataset pictures for images; the file holds .* and \d+ more\. Name the right one with data\.keys\.images$/.test(
      error.message,
    ),
    error.message,
  );
  assert(error.message.length < 400, error.message);
});

Deno.test("labelProblem() says what labels are that are no classes from 0, and what to store", () => {
  const problem = (labels: number[], classes?: number) => labelProblem(Float64Array.from(labels), classes);
  assertEquals(problem([0, 1, 1, 0], 2), undefined);
  assertEquals(problem([0, 0], 2), undefined);
  assertEquals(problem([-1, 1, -1], 2), "labels are -1 and 1, and classes start from 0. Store (Y + 1) / 2");
  assertEquals(problem([1, 2, 1], 2), "labels are 1 and 2, and classes start from 0. Store Y - 1");
  assertEquals(problem([-2, -1, 0, 1], 4), "labels are -2, -1, 0 and 1, and classes start from 0. Store Y + 2");
  assertEquals(problem([0, 1, 2], 2), "labels are 0, 1 and 2, and the model has 2 classes. Set model.num_classes to 3");
  assertEquals(
    problem([0, 211, 11], 2),
    "labels are 0, 11 and 211, and classes are numbered from 0 without gaps, up to 1. Store np.unique(Y, return_inverse=True)[1]",
  );
  assertEquals(problem([5, 5], 2)?.startsWith("labels are 5, and classes"), true);
  assertEquals(
    problem([0, 0.5, 1], 2),
    "label 0.5 of image 1 is no whole number, and classes are: 0, 1 and so on. Store the number of each image's class",
  );
});

Deno.test("isOneHot() wants a single 1 in each row", () => {
  assert(isOneHot(Float64Array.of(0, 1, 1, 0), 2));
  for (const table of [[1, 1, 0, 1], [0, 0, 0, 1], [0, 0.5, 1, 0]]) assert(!isOneHot(Float64Array.from(table), 2));
});

Deno.test("openJets() says what a file is that is no HDF5 file, or is still being written", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.h5`;
  const whole = Deno.readFileSync(new URL("../../fixtures/hdf5/latest.h5", import.meta.url));
  const marked = whole.slice();
  // the byte of the superblock that says that a program has the file open for writing, and the check sum behind it
  marked[11] = 1;
  new DataView(marked.buffer).setUint32(44, metadataChecksum(marked.subarray(0, 44)), true);
  const files: [Uint8Array | string, string][] = [
    ["version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n", "this is not an HDF5 file: it is a Git LFS pointer"],
    ["<!DOCTYPE html>\n<html></html>\n", "this is not an HDF5 file: it is a web page"],
    [new Uint8Array([0x1f, 0x8b, 8, 0, ...new Uint8Array(60)]), "this is not an HDF5 file: it is compressed with gzip"],
    [new Uint8Array(4096), "nothing but zeros where it begins: it is still being written or copied"],
    [whole.subarray(0, whole.length - 1), "or wait for the program that writes it"],
    [marked, `'h5clear -s ${path}'`],
  ];
  for (const [contents, why] of files) {
    Deno.writeFileSync(path, typeof contents === "string" ? new TextEncoder().encode(contents) : contents);
    const error = await assertRejects(() => openJets(path), DataError, why);
    assert(!error.message.includes("damaged") && !error.message.includes("\n"), error.message);
  }
});

/** Writes datasets of rising numbers, or of a value. */
function writeDatasets(path: string, datasets: Readonly<Record<string, readonly number[]>>, value?: number): void {
  using writer = new Hdf5Writer(path, Object.entries(datasets).map(([name, shape]) => ({ name, shape })));
  for (const [name, shape] of Object.entries(datasets)) {
    writer.write(name, 0, new Float32Array(shape.reduce((product, n) => product * n, 1)).map((_, i) => value ?? i));
  }
}

Deno.test("where two datasets may both be meant, both are named, and the key that chooses", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.h5`;
  writeDatasets(path, {
    jet: [3, 4, 4, 2],
    X_jets: [3, 4, 4, 1],
    images: [3, 5],
    Y: [3],
    labels: [3, 1],
    m: [3, 2],
    mass: [3],
    pt: [3],
  });
  await assertRejects(
    () => openJets(path),
    DataError,
    `${path}: "jet" and "X_jets" may both be the images. Choose with data.keys.images`,
  );
  using file = await openJets(path, { images: "X_jets" });
  assertThrows(
    () => file.readScalars("labels"),
    DataError,
    '"Y" and "labels" may both be the labels. Choose with data.keys.labels',
  );
  assertEquals([...file.readScalars("mass")], [0, 1, 2]);
  assertEquals(file.has("labels"), true);
  using chosen = await openJets(path, { images: "jet", labels: "labels" });
  assertEquals([...chosen.readScalars("labels")], [0, 1, 2]);
});

Deno.test("of two datasets one that is of another shape is not meant; two that do not fit are refused by the first", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.h5`;
  writeDatasets(path, { jet: [3, 4, 5], images: [3, 4, 4], Y: [3, 2], y: [1, 3] });
  using file = await openJets(path);
  assertEquals([file.images.name, file.channels], ["images", 1]);
  assertThrows(() => file.readScalars("labels"), DataError, 'dataset "Y" has shape (3, 2)');
});

Deno.test("images as large as they have channels are taken as channels last, and it is said", async () => {
  using folder = temporaryFolder();
  for (const [shape, isSaid] of [[[2, 4, 4, 4], true], [[2, 4, 4, 3], false], [[2, 3, 4, 4], false], [[2, 4, 4], false]] as const) {
    const path = `${folder.path}/${shape.join(" x ")}.h5`;
    writeDatasets(path, { jet: shape });
    using file = await openJets(path);
    assertEquals(file.assumption?.includes("the last axis is taken for the channels") ?? false, isSaid, shape.join());
    assertEquals(remarksOn(file, { count: 0, first: -1 }, 2).length, isSaid ? 1 : 0);
  }
});

Deno.test("a file that is written again while it is read is refused, whatever of it was read", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.h5`;
  writeDatasets(path, { jet: [3, 4, 4, 2], Y: [3] });
  using file = await openJets(path);
  assertEquals([...file.readScalars("labels")], [0, 1, 2]);
  Deno.utimeSync(path, 1e9, 1e9);
  for (const read of [() => jetValues(file), async () => await file.readScalars("labels")]) {
    await assertRejects(read, DataError, `${path}: the file was changed while it was read. Wait until nothing writes it`);
  }
  // what takes its name only later is another file: this one is read to its end
  using old = await openJets(path);
  writeDatasets(`${folder.path}/b.h5`, { jet: [3, 4, 4, 2], Y: [3] }, 1);
  Deno.renameSync(`${folder.path}/b.h5`, path);
  assertEquals([...old.readScalars("labels")], [0, 1, 2]);
});

Deno.test("masses below 0 are spoken of, with their number and the first", () => {
  assertEquals(
    describeNegative("masses", Float64Array.of(80, -999, 173, -1)),
    "2 of 4 masses are below 0, the first is that of image 1: -999. Do they stand for what is not known?",
  );
  for (const usual of [[80, 173], [0, -0], []]) assertEquals(describeNegative("masses", Float64Array.from(usual)), undefined);
});

Deno.test("labels that end in more zeros than chance makes are spoken of, sorted ones are not", () => {
  const labels = (n: number, of: (i: number) => number) => Float64Array.from({ length: n }, (_, i) => of(i));
  const mixed = labels(400, (i) => i < 300 ? i * i % 7 % 2 : 0);
  assert(
    /^the last 10\d of 400 labels are 0, though classes are mixed before/.test(describeZeroEnd(mixed)!),
    describeZeroEnd(mixed),
  );
  assertEquals(describeZeroEnd(labels(400, (i) => i < 300 ? i % 10 : 0))?.startsWith("the last 100 of"), true);
  for (
    const usual of [
      labels(400, (i) => i * i % 7 % 2),
      labels(400, (i) => i < 300 ? 1 : 0),
      labels(400, (i) => i < 300 ? 0 : 1),
      labels(400, (i) => i < 100 ? 0 : i < 300 ? 1 : 0),
      labels(400, () => 0),
      labels(400, (i) => i < 300 && i % 100 === 0 ? 1 : 0),
      labels(20, (i) => i < 10 ? i % 2 : 0),
      new Float64Array(0),
    ]
  ) assertEquals(describeZeroEnd(usual), undefined, usual.join(""));
});

Deno.test("chunks that hold something else than they should, and types of h5py's own, are refused in words of this project", async () => {
  const rare = new URL("../../fixtures/hdf5/rare.h5", import.meta.url).pathname;
  const expected = {
    long: "they are more than 148 bytes when they are unpacked",
    short: "one of its chunks has 72 bytes instead of 144",
    cut: "they end too early",
    other: "they are damaged, or not compressed with gzip",
  };
  for (const [images, why] of Object.entries(expected)) {
    using file = await openJets(rare, { images });
    assertEquals((await jetValues(file, [0, 1])).every((value) => value === 1), true);
    const { message } = await assertRejects(() => jetValues(file), DataError, why);
    assert(message.startsWith(`${rare}: the chunk from (2, 0, 0, 0) of "${images}" cannot be read (`), message);
  }
  using file = await openJets(rare, { labels: "complex", mass: "nothing" });
  assertThrows(
    () => file.readScalars("labels"),
    DataError,
    'holds complex numbers, which cannot be read here. In h5py: new["complex"] = old["complex"][:].real',
  );
  assertThrows(() => file.readScalars("mass"), DataError, 'dataset "nothing"');
  await assertRejects(
    () => openJets(rare, { images: "arrays" }),
    DataError,
    'holds arrays, which cannot be read here. In h5py: new["arrays"] = old["arrays"][:]',
  );
  const family = new URL("../../fixtures/hdf5/family.h5", import.meta.url).pathname;
  await assertRejects(() => openJets(family), DataError, 'its contents are spread over several files (by the driver "family")');
});
