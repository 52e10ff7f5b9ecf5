/** @file What the tasks after training say about one model: their numbers agree, and are what plain formulas give. */

import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { fail, succeed, Workspace } from "../support/tasks.ts";
import { FINETUNE_TOY, writeToy } from "../support/toy.ts";

const IMAGES = 400, CHANNELS = 2;
const DATA = ["--data", "data/toy.h5"];
const WEIGHTS = "runs/a/best.safetensors";

function textOf(workspace: Workspace, path: string): string {
  return new TextDecoder().decode(workspace.read(path));
}

/** Lines of a CSV without its header. */
function rowsOf(workspace: Workspace, path: string): string[][] {
  return textOf(workspace, path).trim().split("\n").slice(1).map((line) => line.split(","));
}

/** Measures by their definitions, from the columns of predictions.csv. */
function measuresOf(rows: readonly string[][]): Record<string, number> {
  const images = rows.map((row) => {
    const [score, chosen, mass, label, trueMass] = row.slice(-5).map(Number) as [number, number, number, number, number];
    return { score, chosen, label, mass, trueMass };
  });
  const share = (of: typeof images, test: (image: typeof images[number]) => boolean) => of.filter(test).length / of.length;
  const mean = (value: (image: typeof images[number]) => number) => images.reduce((sum, x) => sum + value(x), 0) / images.length;
  const signal = images.filter(({ label }) => label === 1), background = images.filter(({ label }) => label === 0);
  const pairs = signal.flatMap((s) => background.map((b) => s.score > b.score ? 1 : s.score === b.score ? 0.5 : 0));
  const precision = share(images.filter(({ chosen }) => chosen === 1), ({ label }) => label === 1);
  const recall = share(signal, ({ chosen }) => chosen === 1);
  const meanMass = mean(({ trueMass }) => trueMass);
  const mse = mean(({ mass, trueMass }) => (mass - trueMass) ** 2);
  return {
    accuracy: share(images, ({ chosen, label }) => chosen === label),
    f1: 2 * precision * recall / (precision + recall),
    roc_auc: pairs.reduce((sum: number, won) => sum + won, 0) / pairs.length,
    mass_mae: mean(({ mass, trueMass }) => Math.abs(mass - trueMass)),
    mass_mse: mse,
    mass_rmse: Math.sqrt(mse),
    mass_r2: 1 - mse / mean(({ trueMass }) => (trueMass - meanMass) ** 2),
  };
}

Deno.test("eval, predict and explain agree on a trained model, and with plain formulas", async (t) => {
  using workspace = new Workspace();
  writeToy(`${workspace.root}data/toy.h5`, IMAGES);
  await succeed(workspace, "finetune", ...FINETUNE_TOY, "--set", "training.epochs=8", "--out", "runs/a");
  await succeed(workspace, "eval", "--scratch", WEIGHTS, ...DATA);
  await succeed(workspace, "predict", "--weights", WEIGHTS, ...DATA, "--out", "reports/all.csv");
  const { images, models: { scratch } } = JSON.parse(textOf(workspace, "reports/metrics.json"));
  const all = rowsOf(workspace, "reports/all.csv");

  await t.step("the model has learnt", () => {
    assertEquals(images, IMAGES / 5);
    assert(scratch.accuracy > 0.85, `accuracy ${scratch.accuracy}`);
    assert(scratch.roc_auc > 0.9);
    assert(scratch.mass_mae < 25, `mass error ${scratch.mass_mae}`);
  });

  await t.step("metrics.json holds what the definitions give for predictions.csv", () => {
    for (const [name, value] of Object.entries(measuresOf(rowsOf(workspace, "reports/predictions.csv")))) {
      assertAlmostEquals(scratch[name], value, 1e-9 * Math.max(1, value), name);
    }
  });

  await t.step("predictions.csv holds what predict writes", () => {
    for (const [model, index, ...numbers] of rowsOf(workspace, "reports/predictions.csv")) {
      assertEquals(model, "scratch");
      assertEquals(numbers.slice(0, -2), all[Number(index)]!.slice(1));
    }
  });

  await t.step("report.html and its figures show those numbers, and need no network or script", () => {
    const page = textOf(workspace, "reports/report.html");
    for (
      const heading of [
        "Confusion",
        "Class by class",
        "Scores",
        "ROC and calibration",
        "Efficiency at fixed background rejection",
        "Predicted and true mass",
        "Mass residuals",
        "Mass response and resolution by true mass",
        "Training",
        "How this was made",
      ]
    ) {
      assertStringIncludes(page, `<h2>${heading}</h2>`);
    }
    const foreign = /NaN|undefined|Infinity|<script|https?:\/\/(?!www\.w3\.org\/2000\/svg)/;
    assert(!foreign.test(page), "the page holds a script, a link or no number");
    assertStringIncludes(page, scratch.accuracy.toFixed(4));
    const figure = (name: string) => textOf(workspace, `reports/figures/${name}.svg`);
    const counts = [...figure("confusion-scratch").matchAll(/>(\d+) images?</g)].map(([, count]) => Number(count));
    assertEquals(counts, scratch.confusion.flat());
    assertStringIncludes(figure("roc"), `AUC ${scratch.roc_auc.toFixed(4)}`);
  });

  await t.step("report makes the same page again from the files of eval, and says how both were made", async () => {
    const { stdout } = await succeed(workspace, "report", "reports", "--out", "reports/again");
    const [page, again] = ["reports/report.html", "reports/again/report.html"].map((path) => textOf(workspace, path)) as [
      string,
      string,
    ];
    const numbers = (of: string) => of.slice(of.indexOf("<h1>"), of.indexOf("How this was made"));
    assertEquals(numbers(again), numbers(page));
    assertStringIncludes(stdout, scratch.accuracy.toFixed(4));
    const command = `deno task eval --scratch ${WEIGHTS} --data data/toy.h5`;
    for (const text of [command, "Data", "SHA-256", "embed_dim: 16", "divided by class with seed 42"]) {
      assertStringIncludes(page, text);
    }
    for (const text of ["deno task report reports --out reports/again", command]) assertStringIncludes(again, text);
    const figure = (name: string) => textOf(workspace, `reports/again/figures/${name}.svg`);
    assertEquals(figure("roc"), textOf(workspace, "reports/figures/roc.svg"));
    assertStringIncludes(await fail(workspace, "report", "runs/a"), "there is no metrics.json");
  });

  await t.step("explain predicts the same, and its table adds up to its numbers", async () => {
    const { stdout } = await succeed(workspace, "explain", "--weights", WEIGHTS, ...DATA, "--index", "3,17");
    const said = /^Image 17: class (\d) \(true: \d\) with probability ([\d.]+), mass ([\d.]+) GeV/m.exec(stdout)!;
    const [chosen, mass] = all[17]!.slice(-2), probability = Number(all[17]![3 + Number(chosen)]);
    assertEquals(said.slice(1), [chosen, probability.toFixed(3), Number(mass).toFixed(1)]);
    const contributions = rowsOf(workspace, "reports/explain/toy-17.csv").map((row) => row.map(Number));
    assert(contributions.every((row) => row[3] !== 0 && row.every(Number.isFinite)));
    const inTable = [...stdout.matchAll(/^channel (\d) +\S+ +\S+ % +(\S+)/gm)].slice(CHANNELS);
    assertEquals(inTable.length, CHANNELS);
    for (const [, channel, toMass] of inTable) {
      const sum = contributions.reduce((sum, row) => sum + (row[2] === Number(channel) ? row[5]! : 0), 0);
      assertEquals(toMass, sum.toFixed(1));
    }
    assert(!/NaN|undefined|Infinity/.test(textOf(workspace, "reports/explain/toy-17.svg")));
    const nowhere = await fail(workspace, "explain", "--weights", WEIGHTS, ...DATA, "--index", "400");
    assertStringIncludes(nowhere, "there is no image 400: the last is 399");
  });
});
