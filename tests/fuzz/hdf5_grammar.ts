/**
 * @file HDF5 files that are grown by a grammar: images, labels and masses of every type, in every storage, behind every link.
 *
 * Changed bytes hardly ever make a file that is right and unusual. These are right, and unusual in all else: the numbers must come out
 * as they went in, or the file must be refused. Element i of every dataset is i modulo 97, wherever it was written.
 */

import { openJets } from "../../lib/disk/data_files.ts";
import type { Random } from "../../lib/random.ts";
import {
  dataspace,
  fillValue,
  flat,
  group,
  Hdf5Builder,
  type HeaderMessage,
  le,
  link,
  objectHeader,
  type Part,
} from "../support/hdf5.ts";
import { Choices } from "./choices.ts";
import { bytesOf, type ElementType, elementType } from "./hdf5_types.ts";
import { type Plan, Storage, valueOf } from "./hdf5_storage.ts";

/** What stands for elements that were never written, where it is not 0. */
const FILL = 5;

/** A file with images, labels and masses. */
export function growHdf5(random: Random): Uint8Array {
  return new Grammar(random).file();
}

/** Reads all of such a file; @throws if any number is another than went in */
export async function readGrownHdf5(path: string): Promise<void> {
  using file = await openJets(path);
  for (const quantity of ["labels", "mass"] as const) {
    if (file.has(quantity) && file.readScalars(quantity).some((value, i) => value !== valueOf(i))) {
      throw new Error(`it read other ${quantity} than were written`);
    }
  }
  const { size, channels, channelsFirst, unwritten, fill } = file, perImage = size * size * channels;
  let missing = 0;
  for await (const { first, values } of file.scan(Uint32Array.from({ length: file.count }, (_, i) => i))) {
    values.forEach((value, k) => {
      const inImage = k % perImage, channel = inImage % channels, pixel = Math.floor(inImage / channels);
      const place = channelsFirst ? channel * size * size + pixel : inImage;
      if (value === valueOf(first * perImage + (k - inImage) + place)) return;
      missing++;
      if (!unwritten || value !== fill) throw new Error(`it read ${value} in image ${first + Math.floor(k / perImage)}`);
    });
  }
  if (unwritten && missing === 0 && file.count * perImage > 97) throw new Error("it said that images were never written that were");
}

class Grammar {
  readonly #choose: Choices;
  readonly #file: Hdf5Builder;
  readonly #version: 1 | 2;
  /** Links of the root group. */
  readonly #links: HeaderMessage[] = [];
  readonly #storage: Storage;

  constructor(random: Random) {
    this.#choose = new Choices(random);
    this.#file = new Hdf5Builder(this.#choose.pick([0, 2]), this.#choose.pick([0, 0, 0, 512, 2048]));
    this.#version = this.#choose.pick([1, 2]);
    this.#storage = new Storage(this.#choose, this.#file, this.#version, this.#links);
  }

  file(): Uint8Array {
    const count = 1 + this.#choose.below(6), size = 2 + this.#choose.below(4), channels = 1 + this.#choose.below(3);
    const images = [[count, size, size, channels], [count, channels, size, size], [count, size, size], [count, size * size]];
    const scalars = [[count], [count, 1], [1, count]];
    // what is unusual comes last, and is seldom chosen
    this.#add("jet", this.#choose.mostly(images));
    for (const name of ["Y", "m"]) if (this.#choose.below(8) > 0) this.#add(name, this.#choose.mostly(scalars));
    return this.#file.finish(this.#file.place(group(this.#version, this.#links)));
  }

  /** A dataset, and a way to it. */
  #add(name: string, shape: readonly number[]): void {
    const plan = { shape, type: elementType(this.#choose) };
    const address = this.#dataset(name, plan);
    const add = (name: string, kind: Parameters<typeof link>[1], target: number | string, file = "") =>
      this.#links.push(link(name, kind, target, file));
    const hidden = `hidden ${name}`;
    this.#choose.mostly([
      () => add(name, "hard", address),
      () => {
        add(hidden, "hard", address);
        add(name, "soft", this.#choose.pick([hidden, `/${hidden}`, `./${hidden}`, `//${hidden}`]));
      },
      () => {
        add(`group ${name}`, "hard", this.#file.place(group(this.#version, [link("inner", "hard", address)])));
        add(name, "soft", `group ${name}/inner`);
      },
      () => {
        const nowhere = this.#choose.pick([name, "nowhere", "/"]);
        const inner = this.#file.place(group(this.#version, [link("inner", "hard", address)]));
        this.#choose.pick([
          () => add(name, this.#choose.pick(["soft", "external", "own"]), nowhere, "other.h5"),
          () => add(name, "hard", inner),
        ])();
      },
    ])();
  }

  #dataset(name: string, plan: Plan): number {
    const fill = this.#choose.below(3) === 0 ? bytesOf(plan.type, FILL) : undefined;
    const most = this.#choose.below(3) === 0
      ? plan.shape.map((size) => this.#choose.pick([size, size, size + 2, Infinity]))
      : undefined;
    const messages = [
      dataspace(this.#choose.pick([1, 2]), plan.shape, most),
      this.#typeMessage(plan.type),
      fillValue(this.#choose.pick([2, 3]), fill),
      ...this.#storage.of(name, plan, most ?? plan.shape),
    ];
    return this.#file.place(objectHeader(this.#version, messages));
  }

  /** The type itself, or where a named type is. */
  #typeMessage({ message }: ElementType): HeaderMessage {
    const own = { type: 3, body: flat(message) };
    if (this.#choose.below(8) > 0) return own;
    const named = this.#file.place(objectHeader(this.#version, [own]));
    return {
      type: 3,
      shared: true,
      body: flat(this.#choose.pick<Part>([[1, 0, new Uint8Array(14)], [2, 0], [3, 2]]), le(8, named)),
    };
  }
}
