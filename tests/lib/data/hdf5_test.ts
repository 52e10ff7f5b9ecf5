import { assert, assertEquals, assertRejects } from "@std/assert";
import { DataError } from "../../../lib/data/errors.ts";
import { Hdf5File } from "../../../lib/data/hdf5.ts";
import { Hdf5Writer } from "../../../lib/data/hdf5_writer.ts";
import { JetFile } from "../../../lib/data/jet_file.ts";
import { PackedImages } from "../../../lib/data/packed.ts";
import { temporaryFolder } from "../../support/files.ts";

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

Deno.test("Hdf5Writer writes the published layout, and libhdf5 reads it", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.h5`;
  writeLabelled(path);
  using file = await Hdf5File.open(path);
  assertEquals(file.names.toSorted(), ["Y", "jet", "m", "pT"]);
  const info = file.info("jet");
  assertEquals([info.shape, info.kind, info.size, info.littleEndian, info.chunks], [[5, 96, 96, 2], "float", 4, true, null]);
  assertEquals(file.contiguousOffset(info), 2216);
  assertEquals(Deno.statSync(path).size, 2216 + 4 * (5 * 2 * 96 * 96 + 15));
});

Deno.test("JetFile finds images, labels and masses by their usual names", async () => {
  using folder = temporaryFolder();
  writeLabelled(`${folder.path}/a.h5`);
  using file = await JetFile.open(`${folder.path}/a.h5`);
  assertEquals([file.count, file.size, file.channels, file.channelsFirst], [5, 96, 2, false]);
  assertEquals([...file.readScalars("labels")], [0, 1, 0, 1, 1]);
  assertEquals([...file.readScalars("mass")], [10, 20, 30, 40, 50]);
  assertEquals(file.readImages(3, 2)[30], 4);
});

Deno.test("PackedImages keeps every non-zero, in any order of images", async () => {
  using folder = temporaryFolder();
  writeLabelled(`${folder.path}/a.h5`);
  using file = await JetFile.open(`${folder.path}/a.h5`);
  const images = await PackedImages.read(file);
  assertEquals(images.mostPerImage, 1);
  const { offsets, index, value } = images.batch([4, 0, 4]);
  assertEquals([...offsets], [0, 1, 2, 3]);
  assertEquals([...index], [40, 0, 40]);
  assertEquals([...value], [5, 1, 5]);
});

Deno.test("JetFile.open() says in one line what is wrong with a file", async () => {
  using folder = temporaryFolder();
  const at = (name: string) => `${folder.path}/${name}`;
  writeLabelled(at("whole.h5"));
  const bytes = Deno.readFileSync(at("whole.h5"));
  Deno.writeFileSync(at("cut.h5"), bytes.subarray(0, 3000));
  Deno.writeFileSync(at("empty.h5"), new Uint8Array());
  Deno.writeTextFileSync(at("text.h5"), "not a data file, but long enough to be read");
  {
    using writer = new Hdf5Writer(at("flat.h5"), [{ name: "jet", shape: [4, 7] }]);
    writer.write("jet", 0, new Float32Array(28));
  }
  {
    using writer = new Hdf5Writer(at("names.h5"), [{ name: "pictures", shape: [4, 3, 3, 2] }]);
    writer.write("pictures", 0, new Float32Array(72));
  }
  const cases = {
    "missing.h5": "there is no such file",
    "cut.h5": "cut short",
    "empty.h5": "the file is empty",
    "text.h5": "not an HDF5 file",
    "flat.h5": "images have four axes",
    "names.h5": "the file holds pictures",
  };
  for (const [name, why] of Object.entries(cases)) {
    const error = await assertRejects(() => JetFile.open(at(name)), DataError, why);
    assert(error.message.startsWith(at(name)), error.message);
    assert(!error.message.includes("\n"), error.message);
  }
});

Deno.test("PackedImages.read() names the image that holds NaN", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/nan.h5`;
  {
    using writer = new Hdf5Writer(path, [{ name: "jet", shape: [80, 3, 3, 1] }]);
    writer.write("jet", 71, Float32Array.of(0, 0, 1, NaN, 0, 0, 0, 0, 0));
  }
  using file = await JetFile.open(path);
  await assertRejects(() => PackedImages.read(file), DataError, "image 71 holds NaN");
});
