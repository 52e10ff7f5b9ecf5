/**
 * @file The page in headless Chromium and the tasks in Deno, on the same software Vulkan driver: the same bits.
 *
 *     bash tests/web/run.sh
 *
 * A program of its own, since it wants a browser, which deno task test does not.
 */

import { assertEquals } from "@std/assert";
import { hideWaylandWarning } from "../../lib/cli/task.ts";
import { openSource } from "../../lib/disk/files.ts";
import { serveFolder } from "../../lib/disk/serve.ts";
import { writeSynthetic } from "../../lib/disk/write_synthetic.ts";
import { Gpu } from "../../lib/gpu/device.ts";
import { readJets } from "../../lib/web/dropped_file.ts";
import type { LabelledJets } from "../../lib/web/shown_jets.ts";
import { trainOnJets } from "../../lib/web/training.ts";
import { temporaryFolder } from "../support/files.ts";
import { fail, succeed, Workspace } from "../support/tasks.ts";
import { Browser } from "./chromium.ts";

const CHOICE = { epochs: 2, seed: 3, width: 16, depth: 1 };
const FIXTURES = new URL("../fixtures/", import.meta.url).pathname;

using folder = temporaryFolder();
using workspace = new Workspace();
Deno.copyFileSync("dist/model.safetensors", `${workspace.root}weights/model.safetensors`);
const data = `${workspace.root}data/jets.h5`;
await writeSynthetic(data, 120, 5, 0, true);

await using server = serveFolder("dist", 0);
await using browser = await Browser.open(`http://127.0.0.1:${server.addr.port}/`, folder.path);
const status = () => browser.evaluate("document.getElementById('status').textContent");
const predicted = "document.body.dataset.ready && !document.body.classList.contains('busy')";
await browser.until(predicted);
console.log(`The page opens with its example: ${await status()}`);

await browser.choose([data]);
await browser.until(`${predicted} && document.getElementById('count').textContent === '120 events'`);
const fromPage = new TextDecoder().decode(await browser.save("#csv", "predictions.csv"));
await succeed(workspace, "predict", "--weights", "weights/model.safetensors", "--data", "data/jets.h5", "--out", "reports/p.csv");
assertEquals(fromPage, new TextDecoder().decode(workspace.read("reports/p.csv")));
console.log("Predictions of 120 events: the page's CSV is deno task predict's, byte for byte");

/** Shows a part of the page; no field has the keyboard then. */
const turnTo = (part: string) =>
  browser.evaluate(`document.activeElement.blur(); document.querySelector("[role=tab][data-part=${part}]").click()`);

/** Fills in the form and starts a training. */
async function train(choice: Record<string, number>): Promise<void> {
  const fields = Object.entries(choice).map(([id, value]) => `document.getElementById(${JSON.stringify(id)}).value = ${value}`);
  await browser.evaluate(`${fields.join(";")}; document.getElementById('train').click()`);
}
await turnTo("training");
await train({ ...CHOICE, width: 30 });
assertEquals(await browser.evaluate("document.body.classList.contains('busy')"), false);
assertEquals(await browser.evaluate("document.activeElement.id"), "width");
console.log("A width that is out of range is pointed to, and not trained with");

await train(CHOICE);
await browser.until("document.body.classList.contains('trained')");
const trained = await browser.save("#save", "trained-in-the-page.safetensors");
hideWaylandWarning();
using gpu = await Gpu.open();
const reporter = { line: () => {}, progress: () => {} };
const jets = await readJets("jets.h5", openSource(data)) as LabelledJets;
assertEquals(trained, await trainOnJets(gpu, jets, CHOICE, { reporter }));
console.log("A model trained in the page and one trained in Deno: the same weights, byte for byte");

await train({ ...CHOICE, epochs: 500 });
await browser.until("/epoch +2\\b/i.test(document.getElementById('lines').textContent)");
await browser.evaluate("document.getElementById('stop').click()");
await browser.until("!document.body.classList.contains('busy')");
assertEquals(await status(), "Stopped: the best weights so far can be saved, and used here");
Deno.writeFileSync(`${workspace.root}weights/stopped.safetensors`, await browser.save("#save", "trained-in-the-page.safetensors"));
await succeed(workspace, "eval", "--model", "stopped=weights/stopped.safetensors", "--data", "data/jets.h5", "--format", "json");
await turnTo("events");
console.log("A training that is stopped gives weights, which deno task eval reads");

const shown = (event: number) => browser.until(`document.querySelector('[data-event="${event}"][aria-selected=true]') !== null`);
const title = (event: number) => browser.until(`document.getElementById('event').textContent.includes('Event ${event}:')`);
for (const key of ["ArrowRight", "ArrowRight", "ArrowLeft"]) await browser.press(key);
await shown(1);
await title(1);
await browser.evaluate("[...document.querySelectorAll('.head button')].find((head) => head.textContent === 'mass').click()");
await browser.press("ArrowLeft");
const masses = fromPage.trim().split("\n").slice(1).map((line) => Number(line.split(",").at(-1)));
const order = Array.from(masses.keys()).toSorted((a, b) => masses[b]! - masses[a]!);
const before = order[order.indexOf(1) - 1]!;
await shown(before);
await title(before);
console.log("Left and right go through the events, in the order of the table");

/** Sets a field as a user does. */
const set = (id: string, value: string) =>
  browser.evaluate(`(() => {
    const field = document.getElementById(${JSON.stringify(id)});
    field.value = ${JSON.stringify(value)};
    field.dispatchEvent(new Event("input"));
  })()`);
const { mass: truth } = jets, errors = masses.map((mass, i) => Math.abs(mass - truth[i]!));
await set("error-from", "20");
assertEquals(
  await browser.evaluate("document.getElementById('count').textContent"),
  `${errors.filter((error) => error >= 20).length} of 120 events`,
);
await set("error-from", "");
console.log("Events are filtered by the size of their error");

/** A damaged file, and the task that reads files of its kind with the folder that it reads them from. */
const damaged = [
  ["foreign.h5", new TextEncoder().encode("no data"), "inspect", "data"],
  ["cut.h5", Deno.readFileSync(data).subarray(0, 100_000), "inspect", "data"],
  ["cut.pt", Deno.readFileSync(`${FIXTURES}torch/model.pt`).subarray(0, -100), "convert", "weights"],
] as const;
for (const [name, bytes, task, place] of damaged) {
  const path = `${workspace.root}${place}/${name}`;
  Deno.writeFileSync(path, bytes);
  await browser.choose([path]);
  await browser.until(`document.getElementById('status').textContent.startsWith('${name}')`);
  const line = await fail(workspace, task, `${place}/${name}`, ...(task === "convert" ? ["weights/none.safetensors"] : []));
  assertEquals(await status(), line.replace(/^.*?error: /, "").replaceAll(path, name).replaceAll(`${place}/${name}`, name).trim());
}
console.log("Files that are cut or foreign are refused in the line of the command line");

for (const look of [{ width: 1280, height: 900 }, { width: 1280, height: 900, dark: true }, { width: 390, height: 844 }]) {
  await browser.look(look);
  assertEquals(await browser.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), true, JSON.stringify(look));
}
assertEquals(browser.errors, []);
console.log("Nothing reaches beyond the window, on a phone neither, and the console has no error");
