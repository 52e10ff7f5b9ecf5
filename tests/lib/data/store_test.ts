/** @file The packed store: lossless, rebuilt when it is stale, gone on with when it was cut, refused when it is damaged. */

import { openJets } from "../../../lib/disk/data_files.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { unpack } from "../../../lib/data/entries.ts";
import { DataError } from "../../../lib/data/errors.ts";
import { Hdf5Writer } from "../../../lib/disk/hdf5_writer.ts";
import { Loader } from "../../../lib/disk/loader.ts";
import { openPacked } from "../../../lib/disk/pack_file.ts";
import type { PackedImages } from "../../../lib/data/packed.ts";
import { PackedStore } from "../../../lib/disk/packed_store.ts";
import { FileError } from "../../../lib/io/file_error.ts";
import { Random } from "../../../lib/random.ts";
import { temporaryFolder } from "../../support/files.ts";
import { refusing } from "../../support/system.ts";

const SIZE = 20, CHANNELS = 3, PER_IMAGE = SIZE * SIZE * CHANNELS;

/** Sparse images; the value of each non-zero is drawn by the caller. */
function sparse(count: number, value: (random: Random) => number): Float32Array {
  const random = new Random(3, 70);
  return Float32Array.from({ length: count * PER_IMAGE }, () => random.uniform() < 0.05 ? value(random) : 0);
}

const wholeNumber = (random: Random) => 1 + random.below(255);

function write(path: string, images: Float32Array): void {
  const count = images.length / PER_IMAGE;
  using writer = new Hdf5Writer(path, [{ name: "jet", shape: [count, SIZE, SIZE, CHANNELS] }]);
  if (count > 0) writer.write("jet", 0, images);
}

/** All images of a source, dense. */
async function dense(source: PackedStore | PackedImages): Promise<Float32Array> {
  const out = new Float32Array(source.count * PER_IMAGE);
  for (let i = 0; i < source.count; i++) {
    out.set(unpack((await source.batch([i])).words, source.encoding, PER_IMAGE), i * PER_IMAGE);
  }
  return out;
}

async function packed(path: string, cache: string, progress?: (done: number, total: number) => void): Promise<PackedStore> {
  using file = await openJets(path);
  return await openPacked(file, cache, progress);
}

const bitsOf = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length);
const files = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).toSorted();

Deno.test("a store of whole numbers takes one word a value, and gives every float back bit for bit", async () => {
  using folder = temporaryFolder();
  const images = sparse(50, wholeNumber);
  write(`${folder.path}/a.h5`, images);
  using store = await packed(`${folder.path}/a.h5`, `${folder.path}/cache`);
  assertEquals([store.encoding, store.count, store.words], ["u8", 50, images.filter((v) => v !== 0).length]);
  assertEquals(bitsOf(await dense(store)), bitsOf(images));
});

Deno.test("a store of any other numbers takes two words a value, and keeps -0 and the smallest numbers too", async () => {
  using folder = temporaryFolder();
  const values = [-0, 1e-45, -3.5, 255, 256, 3.4e38];
  const images = sparse(50, (random) => values[random.below(values.length)]!);
  write(`${folder.path}/a.h5`, images);
  using store = await packed(`${folder.path}/a.h5`, `${folder.path}/cache`);
  assertEquals([store.encoding, store.words], ["f32", 2 * bitsOf(images).filter((bits) => bits !== 0).length]);
  assertEquals(bitsOf(await dense(store)), bitsOf(images));
});

Deno.test("packing finds the store of the same file, and packs a changed file anew, leaving one store", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.h5`, cache = `${folder.path}/cache`;
  write(path, sparse(20, wholeNumber));
  let runs = 0;
  const count = () => runs++;
  {
    using first = await packed(path, cache, count);
    using second = await packed(path, cache, count);
    assertEquals([runs, second.path], [1, first.path]);
  }
  Deno.removeSync(path);
  const changed = sparse(20, () => 7);
  write(path, changed);
  using third = await packed(path, cache, count);
  assertEquals(runs, 2);
  assertEquals(await dense(third), changed);
  assertEquals(files(cache).length, 1);
});

Deno.test("packing goes on from where it was cut, and leaves nothing but the store", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.h5`, cache = `${folder.path}/cache`;
  const images = sparse(100, wholeNumber);
  write(path, images);
  let whole: Uint8Array, name: string;
  {
    using store = await packed(path, cache);
    whole = Deno.readFileSync(store.path);
    name = store.path;
  }
  // the first 40 images, then half of the next: what a kill between two writes leaves
  using reference = new PackedStore(name);
  const { offsets, words } = reference.read(Array.from({ length: 40 }, (_, i) => i));
  Deno.removeSync(name);
  const partial = new Uint8Array(4096 + words.byteLength + 30);
  partial.set(new Uint8Array(words.buffer), 4096);
  Deno.writeFileSync(`${name}.u8.partial`, partial);
  const checks = new Uint32Array(whole.slice(whole.length - 400).buffer);
  const index = Uint32Array.from({ length: 80 }, (_, i) => i % 2 ? checks[i >> 1]! : offsets[(i >> 1) + 1]! - offsets[i >> 1]!);
  Deno.writeFileSync(`${name}.u8.partial.index`, new Uint8Array(index.buffer));
  using store = await packed(path, cache);
  assertEquals(Deno.readFileSync(store.path), whole);
  assertEquals(files(cache).length, 1);
});

Deno.test("a store that is cut or changed is packed anew; an image that changes later is refused", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.h5`, cache = `${folder.path}/cache`;
  const images = sparse(20, wholeNumber);
  write(path, images);
  const name = (await packed(path, cache).then((store) => (store[Symbol.dispose](), store))).path;
  const whole = Deno.readFileSync(name);
  Deno.writeFileSync(name, whole.subarray(0, whole.length - 1));
  {
    using store = await packed(path, cache);
    assertEquals(await dense(store), images);
  }
  const changed = whole.slice();
  changed[4096]! ^= 1;
  Deno.writeFileSync(name, changed);
  using store = await packed(path, cache);
  assertThrows(() => store.read([0]), DataError, "Image 0 does not agree with its check sum");
  assertEquals(store.read([1]).offsets[1], images.slice(PER_IMAGE, 2 * PER_IMAGE).filter((v) => v !== 0).length);
});

Deno.test("packing a file with a value that is not finite names it, and leaves no cache behind", async () => {
  for (const bad of [NaN, Infinity]) {
    using folder = temporaryFolder();
    const path = `${folder.path}/a.h5`, cache = `${folder.path}/cache`;
    const images = sparse(60, wholeNumber);
    images[37 * PER_IMAGE + 5] = bad;
    write(path, images);
    const error = await assertRejects(() => packed(path, cache), DataError);
    assertEquals(error.message, `${path}: dataset "jet": image 37 holds ${bad}. Remove that image or set the value to 0`);
    assertEquals(files(cache), []);
  }
});

Deno.test("packing a file that shrinks meanwhile says so, and leaves no cache behind", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.h5`, cache = `${folder.path}/cache`;
  {
    using writer = new Hdf5Writer(path, [{ name: "jet", shape: [40, 96, 96, 2] }]);
    writer.write("jet", 39, new Float32Array(96 * 96 * 2).fill(1));
  }
  using file = await openJets(path);
  Deno.truncateSync(path, 2048 + 4 * 20 * 96 * 96 * 2);
  await assertRejects(
    () => openPacked(file, cache),
    DataError,
    'rows 16 to 23 of "jet" cannot be read (the file ends at byte 1476608',
  );
  assertEquals(files(cache), []);
});

Deno.test("packing keeps what it has when a read fails, and goes on with it", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.h5`, cache = `${folder.path}/cache`;
  const image = Float32Array.from({ length: 96 * 96 * 2 }, (_, i) => i % 9 === 0 ? i % 255 : 0);
  {
    using writer = new Hdf5Writer(path, [{ name: "jet", shape: [80, 96, 96, 2] }]);
    for (let i = 0; i < 80; i++) writer.write("jet", i, image);
  }
  Deno.mkdirSync(cache);
  const packedBytes = () => {
    const partial = files(cache).find((name) => name.endsWith(".u8.partial"));
    return partial === undefined ? 0 : Deno.statSync(`${cache}/${partial}`).size;
  };
  using file = await openJets(path);
  const words = 4 * image.filter((value) => value !== 0).length;
  {
    using _disk = refusing("readSync", () => {
      if (packedBytes() > 30 * words) throw Object.assign(new Error("Input/output error (os error 5)"), { code: "EIO" });
    });
    await assertRejects(() => openPacked(file, cache), FileError, `${path} cannot be read: the disk`);
  }
  assert(packedBytes() > 30 * words, `${packedBytes()} bytes are kept`);
  using store = await openPacked(file, cache);
  assertEquals(Array.from(store.read([0, 79]).offsets), [0, words / 4, words / 2]);
  assertEquals(unpack(store.read([79]).words, "u8", image.length), image);
  assertEquals(files(cache).length, 1);
});

Deno.test("a store that somebody is reading is not removed when its data file changes", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.h5`, cache = `${folder.path}/cache`;
  write(path, sparse(20, wholeNumber));
  const first = await packed(path, cache);
  const change = (value: number) => {
    Deno.removeSync(path);
    write(path, sparse(20, () => value));
  };
  change(7);
  using _second = await packed(path, cache);
  assertEquals(files(cache).length, 2);
  assertEquals(new PackedStore(first.path).count, 20);
  first[Symbol.dispose]();
});

Deno.test("two that pack the same file at once wait for one another, and both have it", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.h5`;
  const images = sparse(200, wholeNumber);
  write(path, images);
  const open = async () => {
    const loader = await Loader.open(path);
    await loader.pack(`${folder.path}/cache`);
    return loader;
  };
  const loaders = await Promise.all([open(), open(), open()]);
  for (const loader of loaders) {
    using source = loader;
    const { words } = await source.batch([199]);
    assertEquals(unpack(words, source.encoding, PER_IMAGE), images.subarray(199 * PER_IMAGE));
  }
  assertEquals(files(`${folder.path}/cache`).length, 1);
});

Deno.test("Loader packs in memory where there is no cache folder, and passes the Worker's errors on", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.h5`;
  const images = sparse(30, wholeNumber);
  write(path, images);
  await assertRejects(() => Loader.open(`${folder.path}/b.h5`), DataError, "there is no such file");
  using loader = await Loader.open(path);
  await assertRejects(() => loader.scalars("mass"), DataError, "there is no dataset m or mass for mass");
  await loader.pack("");
  assertEquals([loader.count, loader.channels, loader.size, loader.encoding], [30, CHANNELS, SIZE, "u8"]);
  const { offsets, words } = await loader.batch([29, 3, 29]);
  assertEquals(unpack(words.subarray(offsets[1], offsets[2]), "u8", PER_IMAGE), images.subarray(3 * PER_IMAGE, 4 * PER_IMAGE));
  assertEquals(words.subarray(0, offsets[1]), words.subarray(offsets[2]));
  await assertRejects(() => loader.batch([30]), RangeError, "There is no image 30: the data set has 30");
  assert(files(folder.path).length === 1);
});
