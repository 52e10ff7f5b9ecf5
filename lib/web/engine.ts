/**
 * @file The Worker behind the page: adapter, jets and weights are here, so that the page answers whatever is computed.
 *
 * Nothing in it is the page's own: files are read, events predicted and explained, and models trained by the code of the tasks. What the
 * first look at the page does not need is imported when it is wanted: what reads files that are dropped, figures of a report, training.
 */

/// <reference lib="dom" />

import { Explainer } from "../eval/attribution.ts";
import { csvHeader, csvRow, type ImagePrediction, predictImages } from "../eval/predict.ts";
import { firstNumbers } from "../arrays.ts";
import { isMassAlone, MASS, predictedValue, type Target, valuesOf } from "../data/targets.ts";
import { Gpu } from "../gpu/device.ts";
import { Interrupted } from "../interrupted.ts";
import { csvLine } from "../io/csv.ts";
import { decodeSafetensors } from "../io/safetensors.ts";
import { readsImages } from "../nn/config.ts";
import { explanationFigure } from "../report/explanation_figure.ts";
import { figureElement } from "../report/svg.ts";
import { type Weights, weightsOf } from "../weights/weights.ts";
import { describeAssumed, describeUntrained } from "../weights/weights_info.ts";
import { BlobSource } from "./blob_source.ts";
import { decodeJets, type Jets, type LabelledJets } from "./shown_jets.ts";
import type { Calls, FromEngine, Loaded, News, ToEngine } from "./protocol.ts";

/** This end of the channel to the page; the DOM's types know the other end alone. */
const port = globalThis as unknown as {
  postMessage(message: FromEngine, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<ToEngine>) => void) | null;
};

/** Events predicted at a time, as in deno task predict. */
const BATCH = 64;

let gpu: Gpu;
let jets: Jets | undefined;
let weights: Weights | undefined;
let explainer: Explainer | undefined;
let predictions: ImagePrediction[] = [];
/** What is under way with the explainer, which explains one event at a time and is given back after that. */
let explaining: Promise<unknown> = Promise.resolve();

/** How a call tells what is going on, and learns that it is not wanted any more. */
interface Context {
  readonly signal: AbortSignal;
  tell(news: News): void;
}

const calls: { [Name in keyof Calls]: (given: Calls[Name]["given"], context: Context) => Promise<Calls[Name]["answer"]> } = {
  async start() {
    gpu = await Gpu.open();
    const [data, model] = await Promise.all(["example.safetensors", "model.safetensors"].map(async (name) => {
      const response = await fetch(name);
      if (!response.ok) throw new Error(`${name}, a part of this page, is not there (${response.status})`);
      return new Uint8Array(await response.arrayBuffer());
    }));
    jets = decodeJets("built-in example", data!);
    weights = weightsOf("built-in model", decodeSafetensors(model!));
    return { adapter: gpu.adapter, loaded: loaded() };
  },

  async take(files, { tell }) {
    const { readDropped } = await import("./dropped_file.ts");
    for (const file of files) {
      const progress = (done: number, total: number) => tell({ progress: [`reading ${file.name}`, done, total] });
      const read = await readDropped(file.name, new BlobSource(file), progress);
      await ("images" in read ? takeJets(read) : takeWeights(read));
    }
    return loaded();
  },

  async predict(_, { signal, tell }) {
    const [model, { images }] = ready();
    predictions = [];
    let sent = 0;
    const send = () => {
      const some = predictions.slice(sent);
      const rows = {
        first: sent,
        classes: Uint32Array.from(some, (one) => one.class),
        scores: Float64Array.from(some, ({ probabilities }) => probabilities[1] ?? NaN),
        targets: model.targets.map((_, t) => Float64Array.from(some, ({ targets }) => targets[t]!)),
      };
      if (some.length > 0) tell({ rows });
      sent = predictions.length;
    };
    const progress = (done: number, total: number) => tell({ progress: ["predicting", done, total] });
    const options = { signal, progress };
    for await (const prediction of predictImages(gpu, model, { images }, firstNumbers(images.count), BATCH, options)) {
      predictions.push(prediction);
      if (predictions.length - sent >= 4096) send();
    }
    send();
    return undefined;
  },

  csv() {
    const [model] = ready();
    const rows = [csvHeader(model.model.num_classes, model.targets), ...predictions.map(csvRow)];
    return Promise.resolve(rows.map(csvLine).join(""));
  },

  explain(index) {
    const figure = explaining.then(() => drawExplanation(index));
    explaining = figure.catch(() => {});
    return figure;
  },

  async report(_, { signal, tell }) {
    const [model, { labels, name }] = ready(), truth = truthOf(model.targets);
    if (!labels && truth.every((values) => values === undefined)) {
      throw new Error(`${name} has neither labels nor ${valuesOf(model.targets)}, so there is nothing to compare with`);
    }
    const progress = (done: number, total: number) => tell({ progress: ["95 % intervals", done, total] });
    const { drawReport } = await import("./report.ts");
    return await drawReport(model, predictions, labels, truth, { signal, progress });
  },

  async train(choice, { signal, tell }) {
    if (!jets?.labels || !jets.mass) throw new Error("Training needs jets with labels and masses: drop a labelled file");
    const [{ trainOnJets }, { drawCurves }] = await Promise.all([import("./training.ts"), import("./report.ts")]);
    const history: Record<string, number[]> = {};
    const onEpoch = (metrics: Record<string, number>) => {
      for (const [name, value] of Object.entries(metrics)) (history[name] ??= []).push(value);
      tell({ curves: drawCurves(history) });
    };
    const reporter = {
      progress: (text: string, done: number, total: number) => tell({ progress: [text, done, total] }),
      line: (line: string) => tell({ line }),
    };
    return await trainOnJets(gpu, jets as LabelledJets, choice, { reporter, onEpoch, signal });
  },

  async use(file) {
    await takeWeights(weightsOf("trained here", decodeSafetensors(file)));
    return loaded();
  },
};

/** What there is to compute with. */
function ready(): [Weights, Jets] {
  if (!weights || !jets) throw new Error("Jets and weights are both needed: drop a file of each");
  return [weights, jets];
}

/** What is true of each target, as far as the jets say it. */
function truthOf(targets: readonly Target[]): (Float64Array | undefined)[] {
  return isMassAlone(targets) ? [jets?.mass] : targets.map(({ name }) => jets?.columns?.get(name));
}

/** An event with what its prediction rests on. */
async function drawExplanation(index: number): Promise<string> {
  const [model, { images, labels }] = ready(), truths = truthOf(model.targets);
  explainer ??= new Explainer(gpu, model, { images });
  const explanation = await explainer.explain(index);
  const { prediction: { class: chosen, probabilities, targets } } = explanation;
  const truth = (value: string | undefined) => value === undefined ? "" : ` (true: ${value})`;
  const described = model.targets.map((target, t) => predictedValue(target, targets[t]!, truths[t]?.[index]));
  const title = `Event ${index}: class ${chosen}${truth(labels?.[index]?.toString())} with probability ` +
    `${probabilities[chosen]!.toFixed(3)}, ${described.join(", ")}`;
  return figureElement(explanationFigure("event", title, explanation, images, model));
}

async function takeJets(taken: Jets): Promise<void> {
  await explaining;
  if (weights && !readsImages(weights.model, taken.images)) weights = undefined;
  jets = taken;
  forget();
}

async function takeWeights(taken: Weights): Promise<void> {
  const { model: { img_size, in_channels }, untrained } = taken;
  if (untrained.length > 1) throw new Error(`${describeUntrained(taken)}. Drop weights from deno task finetune`);
  if (jets && !readsImages(taken.model, jets.images)) {
    const { size, channels } = jets.images;
    throw new Error(
      `${taken.path} reads images of ${img_size} x ${img_size} with ${in_channels} channels, and those of ${jets.name} are ` +
        `${size} x ${size} with ${channels}. Drop jets that it reads first`,
    );
  }
  await explaining;
  weights = taken;
  forget();
}

/** Predictions and plans are of what was loaded before. */
function forget(): void {
  explainer?.[Symbol.dispose]();
  explainer = undefined;
  predictions = [];
}

function loaded(): Loaded {
  const remarks = [
    ...(jets?.remarks ?? []),
    ...(weights ? [describeUntrained(weights), describeAssumed(weights)].filter((line) => line !== undefined) : []),
  ];
  const targets = weights?.targets ?? [MASS], truths = truthOf(targets);
  return {
    jets: jets?.name,
    count: jets?.images.count ?? 0,
    labels: jets?.labels,
    trainable: jets?.labels !== undefined && jets.mass !== undefined,
    targets: targets.map((target, t) => ({ name: target.name, unit: target.unit, truth: truths[t] })),
    weights: weights?.path,
    classes: weights?.model.num_classes ?? 0,
    remarks,
  };
}

const running = new Map<number, AbortController>();

port.onmessage = async ({ data }) => {
  if ("stop" in data) return running.get(data.stop)?.abort();
  const { id, name, given } = data, controller = new AbortController();
  running.set(id, controller);
  try {
    const context = { signal: controller.signal, tell: (news: News) => port.postMessage({ id, news }) };
    // one call, one kind of question: the types of a pair agree, which the compiler cannot see
    port.postMessage({ id, answer: await (calls[name] as (given: unknown, context: Context) => Promise<unknown>)(given, context) });
  } catch (error) {
    const { message } = error as Error;
    port.postMessage({ id, error: message.replaceAll(/\s+/g, " "), stopped: error instanceof Interrupted });
  } finally {
    running.delete(id);
  }
};

port.postMessage({ ready: true });
