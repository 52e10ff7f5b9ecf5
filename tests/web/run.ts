/**
 * @file The page in headless Chromium and the tasks in Deno, on the same software Vulkan driver: the same bits.
 *
 *     bash tests/web/run.sh
 *
 * A program of its own, since it wants a browser, which deno task test does not.
 */

import { assertEquals } from "@std/assert";
import { openSource } from "../../lib/disk/files.ts";
import { serveFolder } from "../../lib/disk/serve.ts";
import { writeSynthetic } from "../../lib/disk/write_synthetic.ts";
import { Gpu } from "../../lib/gpu/device.ts";
import { type LabelledJets, readJets } from "../../lib/web/shown_jets.ts";
import { trainOnJets } from "../../lib/web/training.ts";
import { temporaryFolder } from "../support/files.ts";
import { succeed, Workspace } from "../support/tasks.ts";
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

const fields = Object.entries(CHOICE).map(([id, value]) => `document.getElementById(${JSON.stringify(id)}).value = ${value}`);
await browser.evaluate(`${fields.join(";")}; document.getElementById('train').click()`);
await browser.until("document.body.classList.contains('trained')");
const trained = await browser.save("#save", "trained-in-the-page.safetensors");
using gpu = await Gpu.open();
using file = openSource(data);
const reporter = { line: () => {}, progress: () => {} };
assertEquals(trained, await trainOnJets(gpu, await readJets("jets.h5", file) as LabelledJets, CHOICE, { reporter }));
console.log("A model trained in the page and one trained in Deno: the same weights, byte for byte");

Deno.writeTextFileSync(`${folder.path}/foreign.h5`, "no data");
await browser.choose([`${folder.path}/foreign.h5`]);
await browser.until("document.getElementById('status').textContent.startsWith('foreign.h5')");
assertEquals(await status(), "foreign.h5: this is not an HDF5 file");
const cut = Deno.readFileSync(`${FIXTURES}torch/model.pt`);
Deno.writeFileSync(`${folder.path}/cut.pt`, cut.subarray(0, cut.length - 100));
await browser.choose([`${folder.path}/cut.pt`]);
await browser.until("document.getElementById('status').textContent.startsWith('cut.pt')");
console.log(`Files that are cut or foreign are refused in one line: ${await status()}`);

for (const look of [{ width: 1280, height: 900 }, { width: 1280, height: 900, dark: true }, { width: 390, height: 844 }]) {
  await browser.look(look);
  assertEquals(await browser.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), true, JSON.stringify(look));
}
assertEquals(browser.errors, []);
console.log("Nothing reaches beyond the window, on a phone neither, and the console has no error");
