/** @file The folder of a report: never a mixture of two, whatever happens to the processes that write it. */

import { assert, assertEquals } from "@std/assert";
import { ReportFolder } from "../../../lib/cli/report_folder.ts";
import { walk } from "../../../lib/disk/files.ts";
import { temporaryFolder } from "../../support/files.ts";
import { delay } from "../../support/waiting.ts";

const SCRIPT = new URL("../../support/publish.ts", import.meta.url).pathname;

/** A process that publishes reports. */
function publisher(folder: string, name: string, count: number): Deno.ChildProcess {
  const args = ["run", "--quiet", `--allow-read=${folder}`, `--allow-write=${folder}`, SCRIPT, folder, name, String(count)];
  return new Deno.Command("deno", { args, stdout: "piped" }).spawn();
}

/** The reports that the files of a folder are of, without files that never took their places. */
function reportsIn(folder: string): string[] {
  const files = walk(folder).filter((path) => !/\.(partial|lock)$/.test(path));
  return [...new Set(files.map((path) => Deno.readTextFileSync(path).split("\n").at(-1)!))];
}

function files(folder: string): string[] {
  return walk(folder).map((path) => path.slice(folder.length + 1));
}

Deno.test("a report takes the place of an earlier one, figures of other models included, and leaves other files alone", async () => {
  using temporary = temporaryFolder();
  const path = temporary.path;
  const publish = async (names: readonly string[], figures: readonly string[]) => {
    using folder = new ReportFolder(path);
    for (const name of names) {
      folder.begin(name).write(name === "report.html" ? figures.map((figure) => `<figure id="${figure}">`).join("") : "new");
    }
    for (const figure of figures) folder.begin(`figures/${figure}.svg`).write("new");
    await folder.publish();
  };
  await publish(["report.html", "metrics.json", "predictions.csv", "members.csv"], ["roc", "mass-old"]);
  for (const own of ["notes.txt", "figures/mass-mine.svg"]) Deno.writeTextFileSync(`${path}/${own}`, "mine");
  await publish(["report.html", "metrics.json"], ["mass-new"]);
  assertEquals(files(path), [
    "figures/mass-mine.svg",
    "figures/mass-new.svg",
    "members.csv",
    "metrics.json",
    "notes.txt",
    "predictions.csv",
    "report.html",
  ]);
  // predictions of single models have no members
  await publish(["predictions.csv"], []);
  assert(!files(path).includes("members.csv"));
});

Deno.test("a report that is given up leaves the earlier one, and nothing else", async () => {
  using temporary = temporaryFolder();
  {
    using folder = new ReportFolder(temporary.path);
    folder.begin("metrics.json").write("old");
    await folder.publish();
  }
  {
    using folder = new ReportFolder(temporary.path);
    folder.begin("metrics.json").write("new");
    folder.begin("report.html").write("new");
  }
  assertEquals(files(temporary.path), ["metrics.json"]);
  assertEquals(Deno.readTextFileSync(`${temporary.path}/metrics.json`), "old");
});

Deno.test("a report that is given up leaves no folder that was made for it", async () => {
  using temporary = temporaryFolder();
  const path = `${temporary.path}/reports/may/first`;
  {
    using folder = new ReportFolder(path);
    folder.begin("figures/roc.svg").write("new");
  }
  assertEquals([...Deno.readDirSync(temporary.path)], []);
  Deno.mkdirSync(`${temporary.path}/reports/mine`, { recursive: true });
  new ReportFolder(path)[Symbol.dispose]();
  assertEquals(Array.from(Deno.readDirSync(`${temporary.path}/reports`), ({ name }) => name), ["mine"]);
  {
    using folder = new ReportFolder(path);
    folder.begin("metrics.json").write("new");
    await folder.publish();
  }
  assertEquals(files(path), ["metrics.json"]);
});

Deno.test("processes that publish into one folder at the same time leave the whole report of one of them", async () => {
  for (let round = 0; round < 5; round++) {
    using temporary = temporaryFolder();
    const outcomes = await Promise.all(["a", "b", "c"].map((name) => publisher(temporary.path, name, 20).status));
    assertEquals(outcomes.map(({ code }) => code), [0, 0, 0]);
    const [report, ...others] = reportsIn(temporary.path);
    assertEquals(others, []);
    const figure = `figures/mass-${report!.at(0)}-${Number(report!.slice(2)) % 3}.svg`;
    assertEquals(files(temporary.path), [figure, "figures/roc.svg", "metrics.json", "predictions.csv", "report.html"]);
  }
});

Deno.test("a process that is killed while it publishes leaves files of one report alone", async () => {
  using temporary = temporaryFolder();
  for (let round = 0; round < 15; round++) {
    const child = publisher(temporary.path, "ab"[round % 2]!, 1_000_000);
    await child.stdout.getReader().read();
    await delay(3 * round);
    child.kill("SIGKILL");
    await child.status;
    const reports = reportsIn(temporary.path);
    assert(reports.length <= 1, `files of the reports ${reports.join(" and ")}`);
  }
});
