/** @file Is a file one of the two published ones? By its size, and by what is known of its contents. */

import type { JetFile } from "../data/jet_file.ts";
import { openJets } from "./data_files.ts";
import type { DataFile } from "../data/data_file.ts";
import { DataError } from "../data/errors.ts";
import { describe, PUBLISHED_STATISTICS } from "../data/statistics.ts";

/** The two published files. */
export type PublishedKind = "unlabelled" | "labelled";

/** One thing that is known of a published file. */
export interface KnownFact {
  /** What is compared. */
  readonly what: string;
  /** As in the published file. */
  readonly expected: string;
  /** As found. */
  readonly found: string;
  /** True if they agree. */
  readonly agrees: boolean;
}

/** Where the published files come from, and how large they are. */
export const PUBLISHED_FILES: Readonly<
  Record<PublishedKind, { readonly name: string; readonly url: string; readonly bytes: number }>
> = {
  unlabelled: {
    name: "Dataset_Specific_Unlabelled.h5",
    url: "https://cernbox.cern.ch/remote.php/dav/public-files/e3pqxcIznqdYyRv/Dataset_Specific_Unlabelled.h5",
    bytes: 30_000_002_048,
  },
  labelled: {
    name: "Dataset_Specific_labelled_full_only_for_2i.h5",
    url: "https://portal.nersc.gov/cfs/m4392/G25/Dataset_Specific_labelled_full_only_for_2i.h5",
    bytes: 5_000_122_216,
  },
};

/**
 * Compares a file with what is known of a published one.
 *
 * @param bytes size of the file
 * @throws {DataError} if labels, masses or momenta cannot be read
 */
export function compareWithPublished(file: JetFile, bytes: number, kind: PublishedKind): KnownFact[] {
  const { images } = PUBLISHED_STATISTICS[kind];
  const facts = [
    fact("size in bytes", PUBLISHED_FILES[kind].bytes, bytes),
    fact("shape of the images", `(${images}, 125, 125, 8)`, `(${file.images.shape.join(", ")})`),
  ];
  return kind === "labelled" ? [...facts, ...compareScalars(file)] : facts;
}

/**
 * Checks a downloaded file: size, structure and all that is known of its contents.
 *
 * @throws {DataError} naming the first thing that differs
 */
export async function verifyPublished(path: string, kind: PublishedKind): Promise<void> {
  using file = await openJets(path);
  const wrong = compareWithPublished(file, Deno.statSync(path).size, kind).find(({ agrees }) => !agrees);
  if (wrong) {
    throw new DataError(`${path}: not the published ${kind} file: ${wrong.what}: ${wrong.found} instead of ${wrong.expected}`);
  }
}

function compareScalars(file: JetFile): KnownFact[] {
  for (const quantity of ["labels", "mass", "pt"] as const) {
    if (!file.has(quantity)) return [fact(quantity, "there", "not there")];
  }
  const [labels, mass, pt] = [file.readScalars("labels"), file.readScalars("mass"), file.readScalars("pt")];
  const { labelled: { counts, first }, mass: masses, pt: momenta } = PUBLISHED_STATISTICS;
  const ones = labels.reduce((sum, label) => sum + (label === 1 ? 1 : 0), 0);
  const range = ({ least, most }: { least: number; most: number }) => `${single(least)} to ${single(most)}`;
  const row = (label: number, m: number, p: number) => `${label}, ${single(m)}, ${single(p)}`;
  return [
    fact("images of class 0, class 1", counts.join(", "), `${labels.length - ones}, ${ones}`),
    fact("label, mass, pT of the first", row(first.label, first.mass, first.pt), row(labels[0]!, mass[0]!, pt[0]!)),
    fact("mass in GeV", range(masses), range(describe(mass))),
    fact("pT in GeV", range(momenta), range(describe(pt))),
  ];
}

/** A number in single precision, with no more digits than tell it from its neighbours. */
function single(value: number): string {
  const rounded = Math.fround(value);
  for (let digits = 6; digits < 9; digits++) {
    const text = String(Number(rounded.toPrecision(digits)));
    if (Math.fround(Number(text)) === rounded) return text;
  }
  return String(Number(rounded.toPrecision(9)));
}

function fact(what: string, expected: number | string, found: number | string): KnownFact {
  return { what, expected: String(expected), found: String(found), agrees: expected === found };
}

/** Name, shape, type and storage of datasets, one row each; what cannot be read says why. */
export function datasetRows(file: DataFile, names: readonly string[]): string[][] {
  return names.map((name) => {
    try {
      const { shape, type, storage, chunks, filters } = file.dataset(name).info;
      return [name, `(${shape.join(", ")})`, type, [chunks ? `chunks of (${chunks.join(", ")})` : storage, ...filters].join(", ")];
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      return [name, "?", "?", error.message.slice(file.path.length + 2)];
    }
  });
}
