/** @file Labels and images that cannot be read as they are: each is refused in one line that says what it is and what to do. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DataError } from "../../../lib/data/errors.ts";
import { metadataChecksum } from "../../../lib/data/hdf5/checksum.ts";
import { JetFile } from "../../../lib/data/jet_file.ts";
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
    using file = await JetFile.open(ODD, { labels });
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
  "folder/Y": ['"folder" is a link to "data" in the file other.h5'],
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
    using file = await JetFile.open(ODD, { labels });
    const { message } = assertThrows(() => file.readScalars("labels"), DataError);
    assert(message.startsWith(`${ODD}: `) && !message.includes("\n") && message.length < 400, message);
    for (const word of words) assert(message.includes(word), message);
    assert(!message.includes("damaged"), message);
  });
}

Deno.test("JetFile reads images without an axis for their one channel", async () => {
  using file = await JetFile.open(ODD, { images: "grey" });
  assertEquals([file.count, file.size, file.channels, file.channelsFirst], [7, 6, 1, false]);
  using both = await JetFile.open(ODD);
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
    "no channel": "has shape (7, 6, 6, 0): its images hold no numbers",
    "no pixel": "has shape (7, 0, 0, 2): its images hold no numbers",
    "dangling below": "which is not there",
  };
  for (const [images, why] of Object.entries(expected)) await assertRejects(() => JetFile.open(ODD, { images }), DataError, why);
  using flags = await JetFile.open(ODD, { images: "flags" });
  await assertRejects(() => jetValues(flags), DataError, "image 0 holds 16492674416641, which single precision cannot hold");
  using huge = await JetFile.open(ODD, { images: "huge" });
  await assertRejects(
    () => jetValues(huge),
    DataError,
    "image 0 holds 1.7000000000000001e+301, which single precision cannot hold",
  );
});

Deno.test("an error about names lists a few of them", async () => {
  const error = await assertRejects(() => JetFile.open(ODD, { images: "pictures" }), DataError);
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

Deno.test("JetFile.open() says what a file is that is no HDF5 file, or is still being written", async () => {
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
    const error = await assertRejects(() => JetFile.open(path), DataError, why);
    assert(!error.message.includes("damaged") && !error.message.includes("\n"), error.message);
  }
});
