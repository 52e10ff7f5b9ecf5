/** @file The page: files in, a table of events, what each prediction rests on, figures, and a model trained on the spot. */

/// <reference lib="dom" />

import { Engine, Stopped } from "./client.ts";
import { EventList } from "./event_list.ts";
import { valuesOf } from "../data/targets.ts";
import type { Loaded, News } from "./protocol.ts";

const get = <Kind extends HTMLElement = HTMLElement>(id: string) => document.getElementById(id) as Kind;
const status = get("status"), meter = get<HTMLProgressElement>("meter"), stop = get<HTMLButtonElement>("stop");

let engine: Engine;
let work: AbortController | undefined;
let trained: Uint8Array<ArrayBuffer> | undefined;
/** What is loaded; the event in sight, of what was loaded then; and whether one is being explained. */
let loaded: Loaded | undefined, wanted: { readonly event: number; readonly of: Loaded } | undefined, explaining = false;

const list = new EventList(get("events"), (event) => {
  wanted = { event, of: loaded! };
  explain().catch(fail);
});

/** Says what is going on, in one line. */
function say(text: string, kind: "" | "error" = ""): void {
  status.textContent = text;
  status.className = kind;
}

function fail(error: unknown): void {
  if (error instanceof Stopped) say("Stopped");
  else say((error as Error).message, "error");
}

/** Does one long work at a time, with progress and a way to stop it. */
async function busy<Result>(
  what: string,
  run: (hear: (news: News) => void, signal: AbortSignal) => Promise<Result>,
): Promise<Result | undefined> {
  if (work) {
    say("Something is being computed already: stop it first", "error");
    return undefined;
  }
  work = new AbortController();
  const { signal } = work;
  document.body.classList.add("busy");
  meter.removeAttribute("value");
  say(what);
  const hear = ({ progress }: News) => {
    if (!progress) return;
    const [text, done, total] = progress;
    meter.max = Math.max(1, total);
    meter.value = done;
    say(`${text}: ${done.toLocaleString("en")} of ${total.toLocaleString("en")}`);
  };
  try {
    return await run(hear, signal);
  } catch (error) {
    fail(error);
    return undefined;
  } finally {
    work = undefined;
    document.body.classList.remove("busy");
  }
}

/** Shows what is loaded, and predicts it. */
async function show(now: Loaded): Promise<void> {
  loaded = now;
  wanted = undefined;
  get("loaded").textContent = `${now.jets ?? "no jets"} (${now.count.toLocaleString("en")}) \u00b7 ${now.weights ?? "no weights"}`;
  get("remarks").replaceChildren(...now.remarks.map((text) => Object.assign(document.createElement("p"), { textContent: text })));
  get("figures").replaceChildren();
  get("event").replaceChildren();
  list.load(now);
  get<HTMLButtonElement>("csv").disabled = true;
  const classes = get<HTMLSelectElement>("class");
  classes.replaceChildren(
    new Option("every class", ""),
    ...Array.from({ length: now.classes }, (_, c) => new Option(`class ${c}`, String(c))),
  );
  const wrong = get<HTMLInputElement>("wrong");
  wrong.disabled = now.labels === undefined;
  wrong.checked &&= !wrong.disabled;
  for (const id of ["error-from", "error-to"]) {
    const field = get<HTMLInputElement>(id);
    field.disabled = now.targets[0]!.truth === undefined;
    if (field.disabled) field.value = "";
  }
  get<HTMLButtonElement>("train").disabled = !now.trainable;
  get("target").textContent = now.targets[0]!.name;
  applyFilter();
  if (!now.jets || !now.weights) return say(now.jets ? "Now drop weights that read these jets" : "Now drop jets");
  const started = performance.now();
  const done = await busy("Predicting", async (hear, signal) => {
    await engine.ask("predict", undefined, (news) => {
      if (news.rows) list.add(news.rows), count();
      hear(news);
    }, signal);
    return true;
  });
  if (!done) return;
  const took = `${now.count.toLocaleString("en")} events in ${((performance.now() - started) / 1000).toFixed(1)} s`;
  get<HTMLButtonElement>("csv").disabled = false;
  count();
  list.move(1);
  if (now.labels || now.targets.some(({ truth }) => truth)) await drawReport();
  else {
    const missing = `neither labels nor ${valuesOf(now.targets)}`;
    get("figures").textContent = `Figures compare predictions with the truth: these jets have ${missing}.`;
  }
  if (status.className !== "error") say(took);
}

function count(): void {
  const [shown, all] = list.counts;
  get("count").textContent = shown === all
    ? `${all.toLocaleString("en")} events`
    : `${shown.toLocaleString("en")} of ${all.toLocaleString("en")} events`;
}

/** Explains the event in sight; one that was chosen meanwhile follows. */
async function explain(): Promise<void> {
  if (explaining) return;
  explaining = true;
  const place = get("event");
  place.classList.add("waiting");
  if (!place.hasChildNodes()) place.textContent = "Computing what the prediction rests on";
  try {
    let drawn: typeof wanted;
    while (drawn !== wanted) {
      drawn = wanted;
      const figure = drawn ? await engine.ask("explain", drawn.event) : "";
      // another event may be in sight by now, or other jets
      if (!drawn || drawn.of === loaded) place.innerHTML = figure;
    }
  } catch (error) {
    place.replaceChildren();
    throw error;
  } finally {
    explaining = false;
    place.classList.remove("waiting");
  }
}

async function drawReport(): Promise<void> {
  const figures = await busy("Drawing figures", (hear, signal) => engine.ask("report", undefined, hear, signal));
  if (figures !== undefined) get("figures").innerHTML = figures;
}

function applyFilter(): void {
  const number = (id: string, otherwise: number) => {
    const { value } = get<HTMLInputElement>(id);
    return value === "" ? otherwise : Number(value);
  };
  const chosen = get<HTMLSelectElement>("class").value;
  list.filter({
    class: chosen === "" ? undefined : Number(chosen),
    wrong: get<HTMLInputElement>("wrong").checked,
    score: [number("score-from", -Infinity), number("score-to", Infinity)],
    target: [number("mass-from", -Infinity), number("mass-to", Infinity)],
    error: [number("error-from", -Infinity), number("error-to", Infinity)],
  });
  count();
}

async function take(files: readonly File[]): Promise<void> {
  if (files.length === 0) return;
  const now = await busy(
    `Reading ${files.map(({ name }) => name).join(", ")}`,
    (hear, signal) => engine.ask("take", files, hear, signal),
  );
  if (now) await show(now);
}

async function train(): Promise<void> {
  const choice = Object.fromEntries(
    ["epochs", "seed", "width", "depth"].map((id) => [id, Number(get<HTMLInputElement>(id).value)]),
  );
  const lines = get("lines");
  lines.textContent = "";
  const done = await busy("Training", async (hear, signal) => {
    const weights = await engine.ask("train", choice as unknown as Parameters<typeof engine.ask<"train">>[1], (news) => {
      if (news.line) lines.textContent += `${news.line}\n`;
      if (news.curves) get("curves").innerHTML = news.curves;
      hear(news);
    }, signal);
    return { weights, stopped: signal.aborted };
  });
  if (!done) return;
  trained = done.weights;
  document.body.classList.add("trained");
  say(`${done.stopped ? "Stopped: the best weights so far" : "Trained: the weights"} can be saved, and used here`);
}

async function use(): Promise<void> {
  const now = await busy("Reading the weights", () => engine.ask("use", trained!));
  if (now) await show(now);
}

function save(name: string, contents: BlobPart, type: string): void {
  const link = document.createElement("a"), url = URL.createObjectURL(new Blob([contents], { type }));
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Shows one of the three parts. */
function turnTo(part: string): void {
  document.body.dataset["part"] = part;
  for (const tab of document.querySelectorAll<HTMLElement>("[role=tab]")) {
    tab.setAttribute("aria-selected", String(tab.dataset["part"] === part));
  }
}

function listen(): void {
  for (const tab of document.querySelectorAll<HTMLElement>("[role=tab]")) {
    tab.addEventListener("click", () => turnTo(tab.dataset["part"]!));
  }
  for (const id of ["class", "wrong", "score-from", "score-to", "mass-from", "mass-to", "error-from", "error-to"]) {
    get(id).addEventListener("input", applyFilter);
  }
  stop.addEventListener("click", () => work?.abort());
  // the browser itself points to a number that is out of range, and does not submit it
  get("choices").addEventListener("submit", (event) => {
    event.preventDefault();
    void train();
  });
  get("use").addEventListener("click", () => void use());
  get("save").addEventListener("click", () => save("trained-in-the-page.safetensors", trained!, "application/octet-stream"));
  get("csv").addEventListener(
    "click",
    () => void engine.ask("csv", undefined).then((text) => save("predictions.csv", text, "text/csv"), fail),
  );
  const input = get<HTMLInputElement>("files");
  input.addEventListener("change", () => {
    void take([...input.files ?? []]);
    input.value = "";
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("over");
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => relatedTarget ?? document.body.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("over");
    void take([...event.dataTransfer?.files ?? []]);
  });
  document.addEventListener("keydown", (event) => {
    const isField = (event.target as Element).matches("input, select, textarea");
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (isField || step === undefined || document.body.dataset["part"] !== "events") return;
    event.preventDefault();
    list.move(step);
  });
}

/** Why there is no adapter, for whoever looks at a page. */
const NO_WEBGPU =
  "This browser offers no WebGPU. Chrome and Edge have it, from 140 on with all that this page needs; on Linux Chrome may want it " +
  "switched on at chrome://flags/#enable-unsafe-webgpu";

async function start(): Promise<void> {
  listen();
  turnTo("events");
  say("Starting");
  if (!("gpu" in navigator)) return say(NO_WEBGPU, "error");
  engine = await Engine.start("engine.js");
  const { adapter, loaded } = await engine.ask("start", undefined).catch((error: Error) => {
    throw /adapter/i.test(error.message) ? new Error(`${NO_WEBGPU}. (${error.message.split(". ")[0]})`) : error;
  });
  const { name, software, implementation } = adapter;
  get("adapter").textContent = `${name} by ${implementation.name}`;
  get("slow").hidden = !software;
  await show(loaded);
  document.body.dataset["ready"] = "true";
}

start().catch(fail);
