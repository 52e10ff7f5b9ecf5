/** @file Targets in data files: any dataset with a number for each image, and the unit that an attribute says. */

import { assertEquals, assertThrows } from "@std/assert";
import { parseConfig } from "../../../lib/config/parse.ts";
import { targetNames } from "../../../lib/config/targets.ts";
import { DataError } from "../../../lib/data/errors.ts";
import { customaryUnit } from "../../../lib/data/targets.ts";
import { csvHeader } from "../../../lib/eval/predict.ts";
import { openJets, openJetSet } from "../../../lib/disk/data_files.ts";

const FOLDER = new URL("../../fixtures/targets/", import.meta.url).pathname;

for (const name of ["units.h5", "units_latest.h5"]) {
  Deno.test(`unitOf() is what h5py has written beside the numbers of ${name}, and nothing else`, async () => {
    using file = await openJets(FOLDER + name);
    const targets = ["m", "pT", "jet_eta", "tau", "truth/d0", "/truth/d0", "long", "none"];
    const units = targets.map((target) => file.unitOf(`target ${target}`));
    assertEquals(units, ["GeV", "MeV", undefined, undefined, "\u00b5m", "\u00b5m", undefined, undefined]);
    assertEquals([...file.readScalars("target truth/d0")], [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]);
    assertEquals(file.columns.toSorted(), ["Y", "holes", "jet_eta", "long", "m", "pT", "tau", "truth/d0"]);
  });
}

Deno.test("readScalars() of a target names the first number that is none, and what is there instead of a missing target", async () => {
  using file = await openJets(`${FOLDER}units.h5`);
  assertThrows(() => file.readScalars("target holes"), DataError, 'units.h5: dataset "holes" holds NaN at row 4. Remove such rows');
  assertThrows(() => file.readScalars("target jet"), DataError, 'dataset "jet" has shape (6, 4, 4, 1); expected (6) or (6, 1)');
  const missing = /there is no dataset eta for a target; the file holds .*jet_eta.*data\.keys\.targets$/;
  assertEquals(missing.test(assertThrows(() => file.readScalars("target eta"), DataError).message), true);
});

Deno.test("unitOf() of several files is the one that all of them say", async () => {
  const paths = ["units.h5", "units_latest.h5"].map((name) => ({ path: FOLDER + name }));
  using set = await openJetSet("both", paths);
  assertEquals(["m", "jet_eta"].map((target) => set.unitOf(`target ${target}`)), ["GeV", undefined]);
});

Deno.test("data.keys.targets takes a list or a text, without slashes at the start, and no name twice", () => {
  const names = (yaml: string, ...set: string[]) => targetNames(parseConfig(yaml, "f.yaml", set).data);
  assertEquals(names("data: {keys: {targets: [m, /pT]}}"), ["m", "pT"]);
  assertEquals(names("data: {keys: {targets: truth/d0}}"), ["truth/d0"]);
  assertEquals(names("", "data.keys.targets=[m, pT]"), ["m", "pT"]);
  assertEquals(names("", "data.keys.targets=m,pT"), ["m", "pT"]);
  assertEquals(names(""), []);
  assertThrows(() => names("data: {keys: {targets: [m, pT, /m]}}"), Error, 'f.yaml: data.keys.targets names "m" twice');
  assertThrows(() => names("data: {keys: {mass: m, targets: [pT]}}"), Error, "data.keys.mass and data.keys.targets both say");
  assertThrows(() => names("data: {keys: {targets: {m: GeV}}}"), Error, "data.keys.targets must be a name or a list of names");
  assertEquals(["m", "fat/pT", "eta", "mass_2"].map(customaryUnit), ["GeV", "GeV", "", ""]);
});

Deno.test("csvHeader() gives each target a column of its own, whatever its name", () => {
  const targets = ["m", "pt", "class", "logit_7", "m_true", "a,b"].map((name) => ({ name, unit: "" }));
  assertEquals(csvHeader(2, targets).slice(6), ["m", "pt_", "class_", "logit_7_", "m_true_", "a,b"]);
  assertEquals(csvHeader(2), ["index", "logit_0", "logit_1", "prob_0", "prob_1", "class", "mass"]);
});
