/**
 * @file What drives a prediction: how much each value of an image contributes to the class and to each target, such as the mass, and how
 * much attention each of its patches receives.
 *
 * A contribution is gradient times input: value * d(output) / d(value), to first order the amount by which the output
 * would fall if that value were taken away. Gradients are those of the predicting model: running statistics in batch
 * normalisation, no dropout.
 */

import { unpack } from "../data/entries.ts";
import type { ImageSize } from "../data/packed.ts";
import { inWords } from "../data/targets.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Plan } from "../gpu/plan.ts";
import { BatchBuffers } from "../input/batches.ts";
import type { InputImages } from "../input/input_images.ts";
import type { ModelConfig } from "../nn/config.ts";
import { LinearViT } from "../nn/linear_vit.ts";
import { fitWeights, type Weights } from "../weights/weights.ts";
import { fromPlaces, toPlaces } from "../tensor/ops/active_tokens.ts";
import { keep } from "../tensor/ops/add.ts";
import { attentionReceived } from "../tensor/ops/attention_received.ts";
import { ImageViews, NO_AUGMENTATION } from "../tensor/ops/images.ts";
import { createStep, writeStep } from "../tensor/step.ts";
import { Tape } from "../tensor/tape.ts";
import { createTensor, type PlacedTensor, read, type Tensor, write } from "../tensor/tensor.ts";
import { type ImagePrediction, imagePrediction } from "./predict.ts";
import { checkOutputs } from "./outputs.ts";

/** A prediction, and what it rests on. */
export interface Explanation {
  /** What the model says. */
  readonly prediction: ImagePrediction;
  /** Class whose score is explained. */
  readonly explained: number;
  /** The image, (size, size, channels). */
  readonly values: Float32Array;
  /** Contributions to the score of that class: its logit less the mean of the others; (size, size, channels). */
  readonly toClass: Float64Array;
  /** Contributions to each target in its unit, such as the mass in GeV; each (size, size, channels). */
  readonly toTargets: readonly Float64Array[];
  /** For each block, (tokens) attention received, averaged over heads; 1 is an even share. */
  readonly attention: readonly Float32Array[];
}

/** A plan that explains one image at a time, with its buffers. */
export class Explainer {
  readonly #gpu: Gpu;
  readonly #weights: Weights;
  readonly #size: ImageSize;
  readonly #images: InputImages["images"];
  readonly #model: LinearViT;
  readonly #buffers: BatchBuffers;
  readonly #step: PlacedTensor;
  readonly #starts: Record<"logits" | "targets", PlacedTensor>;
  readonly #outputs: Record<"logits" | "targets" | "patches" | "gradient", PlacedTensor>;
  readonly #attention: PlacedTensor[] = [];
  readonly #plan: Plan;

  /**
   * Loads the weights, records and compiles the plan.
   *
   * @throws {WeightsError} if the weights have no heads
   */
  constructor(gpu: Gpu, weights: Weights, { images, resident, active }: InputImages) {
    const config = weights.model;
    this.#gpu = gpu;
    this.#weights = weights;
    this.#images = images;
    this.#size = { size: images.size, channels: images.channels };
    this.#model = new LinearViT(gpu, config);
    this.#model.parameters.load(fitWeights(weights, config, true));
    this.#buffers = new BatchBuffers(gpu, images, 1, resident);
    this.#step = createStep(gpu);
    writeStep(gpu, this.#step, { seed: 0, step: 0 });

    const tape = new Tape(gpu, { training: false, gradients: true, step: this.#step });
    const layout = { ...this.#size, patch: config.patch_size, active };
    const views = new ImageViews(tape, this.#buffers.tensors, layout, weights, 1, NO_AUGMENTATION);
    const { patches } = views;
    tape.watch(patches);
    const onAttention = (qkv: Tensor) => {
      // an empty patch asks for nothing and receives nothing
      const all = qkv.tokens ? toPlaces(tape, qkv) : qkv;
      this.#attention.push(keep(tape, attentionReceived(tape, all, config.num_heads, config.denominator_floor)));
    };
    const input = config.tokens === "active" ? fromPlaces(tape, patches, views.tokens(this.#model.widest)) : patches;
    const { logits, targets } = this.#model.heads(tape, this.#model.features(tape, input, { onAttention }));
    this.#starts = {
      logits: createTensor(gpu, "gradient of logits", logits.shape),
      targets: createTensor(gpu, "gradient of targets", targets.shape),
    };
    tape.accumulate(logits, this.#starts.logits);
    tape.accumulate(targets, this.#starts.targets);
    tape.backward();
    this.#outputs = {
      logits: keep(tape, logits),
      targets: keep(tape, targets),
      patches: keep(tape, patches),
      gradient: keep(tape, tape.gradient(patches)!),
    };
    this.#plan = tape.compile();
  }

  /**
   * Predicts an image and explains it.
   *
   * @param index number of the image
   * @param wanted class to explain; the predicted one by default
   * @throws {OutputError} if a number is not finite
   */
  async explain(index: number, wanted?: number): Promise<Explanation> {
    const staged = await this.#buffers.stage(Uint32Array.of(index));
    this.#buffers.upload(staged);
    const classes = this.#weights.model.num_classes;
    const none = new Float32Array(classes), { targets } = this.#weights, noTarget = new Float32Array(targets.length);
    this.#run(none, noTarget);
    const check = (name: string, values: ArrayLike<number>) => checkOutputs(this.#weights.path, name, values, [index]);
    const scores = await read(this.#gpu, this.#outputs.logits), outputs = await read(this.#gpu, this.#outputs.targets);
    check("logits", scores);
    const prediction = imagePrediction(index, scores, outputs, this.#weights);
    const explained = wanted ?? prediction.class;
    const toClass = await this.#contributions(none.map((_, c) => c === explained ? 1 : -1 / (classes - 1)), noTarget);
    const toTargets: Float64Array[] = [];
    for (const [t, { std, log }] of targets.entries()) {
      toTargets.push(await this.#contributions(none, noTarget.with(t, log ? std * prediction.targets[t]! : std)));
    }
    const attention = await Promise.all(this.#attention.map((received) => read(this.#gpu, received)));
    check("contribution to the class", toClass);
    for (const [t, target] of targets.entries()) check(`contribution to ${inWords(target)}`, toTargets[t]!);
    for (const received of attention) check("attention", received);
    const { words } = await this.#images.batch([index]);
    const { size, channels } = this.#size;
    const values = unpack(words, this.#images.encoding, size * size * channels);
    return { prediction, explained, values, toClass, toTargets, attention };
  }

  /** Frees the buffers. */
  [Symbol.dispose](): void {
    this.#plan[Symbol.dispose]();
    this.#buffers[Symbol.dispose]();
    this.#model.parameters[Symbol.dispose]();
    const own = [this.#step, ...Object.values(this.#starts), ...Object.values(this.#outputs), ...this.#attention];
    for (const { storage } of own) storage.place.buffer.destroy();
  }

  /** Runs the plan with these gradients of its outputs. */
  #run(logits: Float32Array, targets: Float32Array): void {
    write(this.#gpu, this.#starts.logits, logits);
    write(this.#gpu, this.#starts.targets, targets);
    this.#plan.run();
  }

  async #contributions(logits: Float32Array, targets: Float32Array): Promise<Float64Array> {
    this.#run(logits, targets);
    const patches = await read(this.#gpu, this.#outputs.patches);
    const gradient = await read(this.#gpu, this.#outputs.gradient);
    const products = Float64Array.from(patches, (value, i) => value * gradient[i]!);
    return fromPatches(products, this.#size, this.#weights.model);
  }
}

/** (tokens, channels * patch^2) as the model reads them to (size, size, channels); pixels beyond the last patch are 0. */
function fromPatches(values: Float64Array, { size, channels }: ImageSize, { patch_size: patch }: ModelConfig): Float64Array {
  const grid = Math.floor(size / patch), features = channels * patch ** 2;
  const image = new Float64Array(size * size * channels);
  values.forEach((value, i) => {
    const token = Math.floor(i / features), feature = i % features;
    const row = Math.floor(token / grid) * patch + Math.floor(feature / patch) % patch;
    const column = (token % grid) * patch + feature % patch;
    image[(row * size + column) * channels + Math.floor(feature / patch ** 2)] = value;
  });
  return image;
}
