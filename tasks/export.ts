/** @file deno task export: a trained model for other programs. */

import { dirname } from "node:path";
import { ConsoleReporter } from "../lib/cli/console.ts";
import { rooted } from "../lib/cli/paths.ts";
import { type Arguments, runTask, UsageError } from "../lib/cli/task.ts";
import { openWeights, WEIGHT_OPTIONS } from "../lib/cli/weight_options.ts";
import type { Target } from "../lib/data/targets.ts";
import { sha256 } from "../lib/data/fingerprint.ts";
import { makeFolder, writeFileAtomic } from "../lib/disk/atomic.ts";
import { exists } from "../lib/disk/files.ts";
import { encodeTorch } from "../lib/io/torch_writer.ts";
import { IMAGE_AXES, imagesShape, ONNX_OPSET, outputNames } from "../lib/weights/onnx_graph.ts";
import { encodeOnnx } from "../lib/weights/onnx_model.ts";
import { readTensors } from "../lib/disk/weight_files.ts";
import { isOwn, weightsOf } from "../lib/weights/weights.ts";
import { describeKnown } from "../lib/weights/weights_info.ts";

const usage = {
  task: "export",
  summary: "write a model for other programs: as ONNX, or as a state dict of PyTorch",
  options: {
    "weights=FILE": "weights from deno task finetune, or from PyTorch",
    "out=FILE": "file to write, such as weights/model.onnx",
    "format=NAME": "onnx, or torch for a state dict that torch.load opens (onnx)",
    "layout=NAME": "of ONNX: images as in data files, channels-last (N, S, S, C), or channels-first (N, C, S, S) (channels-last)",
    ...WEIGHT_OPTIONS,
  },
  repeated: ["set"],
  required: ["weights", "out"],
};

/** What makes each format. */
const FORMATS = { onnx, torch } as const;

await runTask(usage, async ({ args }) => {
  const encode = FORMATS[oneOf(args, "format", ["onnx", "torch"] as const)];
  const out = rooted(args.need("out"));
  if (exists(out)) throw new UsageError(`${out} is there already. Name another file, or remove it first`);
  const reporter = new ConsoleReporter();
  const { file, contents } = await encode(args, reporter);
  using _folder = makeFolder(dirname(out));
  writeFileAtomic(out, file);
  reporter.line(`${out}: ${contents}`);
});

/** A file and what it holds. */
interface Encoded {
  readonly file: Uint8Array;
  readonly contents: string;
}

async function onnx(args: Arguments, reporter: ConsoleReporter): Promise<Encoded> {
  const axes = oneOf(args, "layout", IMAGE_AXES);
  const { weights } = openWeights(args.need("weights"), "export", args, reporter);
  const file = encodeOnnx(weights, axes, await sha256(Deno.readFileSync(weights.path)));
  const { model } = weights, classes = `(N, ${model.num_classes})`;
  const names = outputNames(weights.targets).map((name, t) => `${name} (N)${inOwnUnit(weights.targets[t]!)}`);
  const outputs = [`logits ${classes}`, `probabilities ${classes}`, ...names];
  return {
    file,
    contents: `ONNX of operation set ${ONNX_OPSET}: images (${imagesShape(model, axes).join(", ")}) to ${joined(outputs)}`,
  };
}

function inOwnUnit({ unit }: Target): string {
  return unit === "" ? "" : ` in ${unit}`;
}

/** "a, b and c". */
function joined(words: readonly string[]): string {
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

function torch(args: Arguments): Encoded {
  if (args.get("layout") !== undefined || args.all("set").length > 0) {
    throw new UsageError("--layout and --set have no use with --format torch: a state dict holds tensors alone");
  }
  const path = rooted(args.need("weights"));
  const { tensors, metadata } = readTensors(path);
  const known = describeKnown(weightsOf(path, { tensors, metadata }));
  const own = new Map([...tensors].filter(([name]) => isOwn(name)));
  return { file: encodeTorch(own), contents: `a state dict of ${own.size} tensors${known === "" ? "" : `. Not in it: ${known}`}` };
}

/** The value of an option that names one of a few things, the first where it is left out. */
function oneOf<Name extends string>(args: Arguments, option: string, names: readonly [Name, ...Name[]]): Name {
  const given = args.get(option) ?? names[0];
  const found = names.find((name) => name === given);
  if (found === undefined) throw new UsageError(`--${option} ${given}: it is none of ${names.join(", ")}`);
  return found;
}
