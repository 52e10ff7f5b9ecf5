/** @file `deno task watch` on the metrics of runs, as a page and in the terminal. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { textChart } from "../../lib/report/text_chart.ts";
import { fail, succeed, Workspace } from "../support/tasks.ts";

function writeRun(workspace: Workspace, path: string, epochs: number): void {
  const lines = Array.from({ length: epochs }, (_, i) => {
    return JSON.stringify({ epoch: i + 1, step: 10 * (i + 1), train_loss: 1 / (i + 1), val_loss: 1.2 / (i + 1), images_per_s: 50 });
  });
  Deno.mkdirSync(workspace.root + path, { recursive: true });
  // a last line that is being written
  Deno.writeTextFileSync(`${workspace.root}${path}/metrics.jsonl`, lines.join("\n") + '\n{"epoch": 9');
}

Deno.test("deno task watch --once draws the curves of runs, and of the members of a study", async () => {
  using workspace = new Workspace();
  writeRun(workspace, "runs/a", 5);
  writeRun(workspace, "runs/study/seed-42", 3);
  const { stdout } = await succeed(workspace, "watch", "runs/a", "runs/study", "--once");
  assertStringIncludes(stdout, "runs/a: epoch 5, step 50, 50.0 images/s");
  assertStringIncludes(stdout, "runs/study/seed-42: epoch 3");
  assertStringIncludes(stdout, "Loss (validation)");
  assertStringIncludes(await fail(workspace, "watch", "runs/none", "--once"), "runs/none: there is no such folder of a run");
  assertStringIncludes(await fail(workspace, "watch"), "RUN is missing");
});

Deno.test("deno task watch serves a page with the curves, which loads itself again", async () => {
  using workspace = new Workspace();
  writeRun(workspace, "runs/a", 5);
  const child = workspace.direct("watch", "runs/a").spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const url = /http:\S+/.exec(new TextDecoder().decode(value))![0];
  const response = await fetch(url);
  assertEquals([response.status, response.headers.get("refresh")], [200, "5"]);
  const page = await response.text();
  assertStringIncludes(page, "runs/a: epoch 5");
  assertStringIncludes(page, 'id="curves-loss"');
  assert(!/NaN|undefined|<script/.test(page), "the page holds a script, or something that is no number");
  child.kill("SIGINT");
  await Promise.all([reader.cancel(), child.stderr.cancel()]);
  assertEquals((await child.status).code, 0);
});

Deno.test("textChart() draws a falling curve from the upper left to the lower right", () => {
  const lines = textChart("Loss", [{ name: "a", values: [3, 2, 1] }], 10, 3).split("\n");
  assertEquals(lines[0], "Loss");
  const plot = lines.slice(1, 4).map((line) => line.slice(line.indexOf("\u2502") + 1));
  assert(plot[0]![0] !== "\u2800" && plot[0]!.at(-1) === "\u2800" && plot[2]!.at(-1) !== "\u2800", plot.join("\n"));
  assertEquals(new Set(lines.slice(1, 5).map(({ length }) => length)).size, 1, "the axis is as long as the lines above it");
  assertStringIncludes(lines.at(-1)!, "a 1.000");
  assertEquals(textChart("Loss", [{ name: "a", values: [NaN] }], 10, 3), "Loss: no epoch yet");
});
