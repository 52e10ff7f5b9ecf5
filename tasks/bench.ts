/** @file deno task bench: how fast this machine is, kernel by kernel and step by step. */

import { ConsoleReporter, table } from "../lib/cli/console.ts";
import { formatBytes } from "../lib/format.ts";
import { TuningFile } from "../lib/disk/tuning_file.ts";
import { runTask, UsageError } from "../lib/cli/task.ts";
import { openGpu } from "../lib/cli/training.ts";
import { rooted } from "../lib/cli/paths.ts";
import { boundOf, type KernelWork, type Peak, PEAKS, simclrWork } from "../tests/bench/arithmetic.ts";
import { benchData, type DataResult } from "../tests/bench/data.ts";
import { measureCeilings } from "../tests/bench/ceilings.ts";
import { benchMatmul } from "../tests/bench/matmul.ts";
import { benchRanks, constantsOf, efficiency, efficiencyOf, type Plan, type RankResult } from "../tests/bench/mpi.ts";
import { benchPeers, type PeerResult } from "../tests/bench/peers.ts";
import { benchSteps, type KernelShare, type Size, type StepKind, type StepResult } from "../tests/bench/steps.ts";

const PARTS = ["step-small", "step-full", "tokens", "matmul", "kernels", "data", "mpi", "arithmetic"] as const;
/** Steps that are measured: what is trained, and which tokens are computed. */
const STEPS: readonly StepKind[] = [
  ["finetune", "all"],
  ["finetune", "active submanifold"],
  ["finetune", "active wide"],
  ["simclr", "all"],
];

/** 40 GFLOP an image at 5 TFLOP/s, 32 images a rank, 20 MB of gradients, PCIe at 12 GB/s. */
const PLAN = { gflop: 40, gflops: 5000, images: 32, bytes: 20e6, bus: 12e9 };
const RANKS = [2, 4, 8, 16, 64];

const usage = {
  task: "bench",
  summary: "measure kernels and training steps against what the adapter can do",
  options: {
    "only=PART": `one of ${PARTS.join(", ")}`,
    "batch=N": "images in a step",
    "steps=N": "timed turns, each a step or several without a wait (5; full size on a software adapter: 2)",
    "rounds=N": "how often all steps are measured, in turn with the peers (1)",
    "as=GPU": `with --only arithmetic: ${Object.keys(PEAKS).join(", ")} (all)`,
  },
  flags: { json: "print one JSON object", peers: "also run jax-js, and PyTorch where python3-torch is installed" },
};

await runTask(usage, async ({ args }) => {
  const only = args.get("only");
  if (only !== undefined && !PARTS.some((part) => part === only)) {
    throw new UsageError(`--only must be one of ${PARTS.join(", ")}: it is "${only}"`);
  }
  const wanted = (...parts: (typeof PARTS)[number][]) => only === undefined || parts.some((part) => part === only);
  const json = args.has("json");
  if (only === "arithmetic") return await sayArithmetic(args.get("as"), args.whole("batch", 2) ?? 128, json);
  const reporter = new ConsoleReporter();
  const say = (text: string) => json || reporter.line(text);
  using gpu = await openGpu({ line: say });
  const { software } = gpu.adapter;

  const ceilings = await measureCeilings(gpu);
  say(`Ceilings: ${ceilings.gflops.toPrecision(3)} GFLOP/s (arithmetic loop), ${ceilings.gbytes.toPrecision(3)} GB/s (copy)`);

  const matmul = wanted("matmul") ? await benchMatmul(gpu) : [];
  if (matmul.length > 0) {
    const rows = matmul.map((
      { name, sizes, gflops },
    ) => [name, sizes.join(" x "), gflops.toPrecision(3), percent(gflops / ceilings.gflops)]);
    say(`\n${table(["matrix product", "M x N x K", "GFLOP/s", "of ceiling"], rows)}`);
  }

  const data = wanted("data") ? await benchData(gpu, rooted("data/bench"), rooted("cache/bench")) : [];
  if (data.length > 0) say(`\n${dataTable(data)}`);

  // by itself alone: it starts processes that use the adapter too
  const ranks = only === "mpi" ? await benchRanks() : [];
  if (ranks.length > 0) say(`\n${ranksTable(ranks)}\n\n${planTable(ranks)}`);

  const tuning = { tunings: new TuningFile(rooted("cache/bench/tuning.json")), line: say };
  const steps: StepResult[] = [];
  const peers: PeerResult[] = [];
  for (const size of ["small", "full"] as const) {
    if (!wanted(`step-${size}`, "tokens", ...(size === "small" ? ["kernels" as const] : []))) continue;
    const measured = STEPS.filter(([method, tokens]) => {
      return only === "kernels" ? method === "finetune" && tokens === "all" : only !== "tokens" || method === "finetune";
    });
    const rounds = args.whole("rounds", 1) ?? 1, batch = args.whole("batch", 2) ?? defaultBatch(size, software);
    const count = args.whole("steps", 1) ?? (size === "full" && software ? 2 : 5);
    for (let i = 0; i < rounds; i++) {
      const results = await benchSteps(gpu, measured, size, batch, count, tuning);
      steps.push(...results);
      for (const result of results) {
        say(describeStep(result, ceilings.gflops));
        if (result.tokens !== "all") say(besideAll(result, results));
        if (only === "kernels" || (only !== "tokens" && result.method === "finetune" && result.kernels.length > 0)) {
          say(kernelTable(result.kernels, ceilings.gflops, ceilings.gbytes));
        }
      }
      // in turn with the steps, since a machine may be faster at one time than at another
      if (args.has("peers")) {
        for (const peer of await benchPeers(size)) {
          peers.push(peer);
          say(besidePeer(peer, results));
        }
      }
    }
  }
  if (json) {
    console.log(
      JSON.stringify({
        adapter: gpu.adapter,
        ceilings,
        matmul,
        steps,
        peers,
        data,
        ranks,
        ...(steps[0] && { images_per_s: steps[0].images_per_s }),
      }),
    );
  }
});

/** What the kernels of a step compute and move, and how long that takes at least on GPUs. */
async function sayArithmetic(as: string | undefined, batch: number, json: boolean): Promise<void> {
  const peaks = as === undefined ? Object.values(PEAKS) : [PEAKS[as]].filter((peak) => peak !== undefined);
  if (peaks.length === 0) throw new UsageError(`--as must be one of ${Object.keys(PEAKS).join(", ")}: it is "${as}"`);
  const arithmetic = [];
  for (const tokens of ["all", "active wide"] as const) {
    const work = await simclrWork(tokens, batch);
    const bounds = (kernel: KernelWork) => peaks.map((peak) => [peak.name, boundOf(kernel, peak)] as const);
    arithmetic.push({
      tokens,
      kernels: work.map((kernel) => ({ ...kernel, seconds_and_bound: Object.fromEntries(bounds(kernel)) })),
    });
    if (json) continue;
    console.log(`\nSimCLR step of ${batch} pairs, full size, ${tokens} tokens, by arithmetic:\n${arithmeticTable(work, peaks)}`);
  }
  if (json) console.log(JSON.stringify({ batch, arithmetic }));
}

function arithmeticTable(work: readonly KernelWork[], peaks: readonly Peak[]): string {
  const giga = (x: number) => (x / 1e9).toPrecision(3);
  const timed = work.map((kernel) => ({ kernel, bounds: peaks.map((peak) => boundOf(kernel, peak)) }))
    .sort((a, b) => b.bounds[0]![0] - a.bounds[0]![0]);
  const totals = peaks.map((_, i) => timed.reduce((sum, { bounds }) => sum + bounds[i]![0], 0));
  const sum = (of: (kernel: KernelWork) => number) => giga(work.reduce((all, kernel) => all + of(kernel), 0));
  const rows = timed.slice(0, 24).map(({ kernel: { kernel, calls, flop, bytes, integers }, bounds }) => [
    kernel,
    String(calls),
    ...[flop, bytes, integers].map((x) => x > 0 ? giga(x) : ""),
    ...bounds.map(([seconds, by], i) => `${(1000 * seconds).toFixed(2)} ${by} (${percent(seconds / totals[i]!)})`),
  ]);
  const all = [sum((w) => w.flop), sum((w) => w.bytes), sum((w) => w.integers), ...totals.map((t) => (1000 * t).toFixed(1))];
  rows.push(["all kernels", String(work.reduce((calls, kernel) => calls + kernel.calls, 0)), ...all]);
  return table(["kernel", "calls", "GFLOP", "GB", "G integers", ...peaks.map(({ name }) => `ms, ${name}`)], rows);
}

function defaultBatch(size: Size, software: boolean): number {
  if (!software) return 64;
  return size === "small" ? 32 : 8;
}

/** How much faster a step of active tokens is than that of all. */
function besideAll({ method, images_per_s, processor_ms }: StepResult, results: readonly StepResult[]): string {
  const all = results.find((result) => result.method === method && result.tokens === "all")!;
  const times = images_per_s / all.images_per_s, saved = all.processor_ms / processor_ms;
  return `${times.toPrecision(3)} times the images of all tokens; by processor time ${saved.toPrecision(3)} times`;
}

/** How fast the same step is in a peer, or why that is not known. */
function besidePeer({ peer, tokens, size, images_per_s, note }: PeerResult, results: readonly StepResult[]): string {
  const ours = results.find((result) => result.method === "finetune" && result.tokens === tokens)!.images_per_s;
  const rate = images_per_s === null
    ? `not run: ${note}`
    : `${images_per_s} images/s; this is ${(ours / images_per_s).toPrecision(3)} times that`;
  return `${peer}, finetune step, ${tokens} tokens, ${size}: ${rate}`;
}

function describeStep(
  { method, tokens, size, batch, images_per_s, first_step_ms, plan_bytes, peak_bytes, choices }: StepResult,
  ceiling: number,
): string {
  const unit = method === "simclr" ? "pairs/s" : "images/s";
  return `\n${method} step, ${tokens} tokens, ${size}, batch ${batch}: ${images_per_s.toPrecision(3)} ${unit} ` +
    `(${(images_per_s / ceiling).toPrecision(2)} for each GFLOP/s of the ceiling), ` +
    `first step after ${(first_step_ms / 1000).toFixed(1)} s, ${formatBytes(plan_bytes)} of tensors, ` +
    `${formatBytes(peak_bytes)} of buffers at most, ${Object.keys(choices).length} products tuned`;
}

function kernelTable(kernels: readonly KernelShare[], gflops: number, gbytes: number): string {
  const rows = kernels.slice(0, 20).map((k) => [
    k.kernel,
    String(k.calls),
    k.milliseconds.toFixed(1),
    percent(k.share),
    k.gflops > 0 ? `${k.gflops.toPrecision(3)} (${percent(k.gflops / gflops)})` : "",
    `${k.gbytes.toPrecision(3)} (${percent(k.gbytes / gbytes)})`,
  ]);
  return table(["kernel", "calls", "ms", "share", "GFLOP/s", "GB/s"], rows);
}

function dataTable(results: readonly DataResult[]): string {
  const rows = results.map(({ what, images_per_s, note }) => [what, images_per_s?.toFixed(0) ?? "not run", note]);
  return table(["125 x 125 x 8 images", "images/s", ""], rows);
}

/** What was measured here, in milliseconds. */
function ranksTable(results: Awaited<ReturnType<typeof benchRanks>>): string {
  const alone = results.find((result): result is RankResult => "step" in result && result.ranks === 1);
  const headings = ["ranks", "wait", "read-back of 20 MB", "sum", "upload", "exchange", "hash", "small step", "efficiency"];
  const rows = results.map((result) => {
    if ("note" in result) return [String(result.ranks), `not run: ${result.note}`, ...headings.slice(2).map(() => "")];
    const { ranks, wait, readBack, sum, upload, exchange, hash, step } = result;
    const times = [wait, readBack, sum, upload, exchange, hash, step].map((milliseconds) => milliseconds.toFixed(1));
    return [String(ranks), ...times, alone ? percent(efficiencyOf(result, alone)) : ""];
  });
  return `Milliseconds\n${table(headings, rows)}`;
}

/** What a larger model would take on GPUs, from what was measured here with 2 ranks: see README, Several GPUs. */
function planTable(results: Awaited<ReturnType<typeof benchRanks>>): string {
  const measured = results.find((result): result is RankResult => "sum" in result && result.ranks === 2);
  if (!measured) return "";
  const constants = constantsOf(measured);
  const rows = [10, 25, 100].map((gigabits) => {
    const plan: Plan = { ...PLAN, ...constants, network: gigabits / 8 * 1e9 };
    return [`${gigabits} Gbit/s`, ...RANKS.map((ranks) => percent(efficiency(ranks, plan)))];
  });
  const [waits, host] = [constants.waits, constants.host].map((seconds) => (1000 * seconds).toFixed(0));
  return `Planned, with ${waits} ms of waiting and ${host} ms on the host as measured here, the rest assumed\n` +
    table(["efficiency of ranks", ...RANKS.map(String)], rows);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}
