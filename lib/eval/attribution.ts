/**
 * @file What drives a prediction: how much each value of an image contributes to the class and to the mass, and how
 * much attention each of its patches receives.
 *
 * A contribution is gradient times input: value * d(output) / d(value), to first order the amount by which the output
 * would fall if that value were taken away. Gradients are those of the predicting model: running statistics in batch
 * normalisation, no dropout.
 */

import { unpack } from "../data/entries.ts";
import type { ImageSize } from "../data/packed.ts";
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
  /** Contributions to the mass in GeV, (size, size, channels). */
  readonly toMass: Float64Array;
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
  readonly #starts: Record<"logits" | "mass", PlacedTensor>;
  readonly #outputs: Record<"logits" | "mass" | "patches" | "gradient", PlacedTensor>;
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
    const { logits, mass } = this.#model.heads(tape, this.#model.features(tape, input, { onAttention }));
    this.#starts = {
      logits: createTensor(gpu, "gradient of logits", logits.shape),
      mass: createTensor(gpu, "gradient of mass", mass.shape),
    };
    tape.accumulate(logits, this.#starts.logits);
    tape.accumulate(mass, this.#starts.mass);
    tape.backward();
    this.#outputs = {
      logits: keep(tape, logits),
      mass: keep(tape, mass),
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
    const none = new Float32Array(classes);
    this.#run(none, 0);
    const { logits, mass } = this.#outputs;
    const check = (name: string, values: ArrayLike<number>) => checkOutputs(this.#weights.path, name, values, [index]);
    const scores = await read(this.#gpu, logits), scaledMass = await read(this.#gpu, mass);
    check("logits", scores);
    const prediction = imagePrediction(index, scores, scaledMass[0]!, this.#weights);
    const explained = wanted ?? prediction.class;
    const toClass = await this.#contributions(none.map((_, c) => c === explained ? 1 : -1 / (classes - 1)), 0);
    const { massStd, massLog } = this.#weights;
    const toMass = await this.#contributions(none, massLog ? massStd * prediction.mass : massStd);
    const attention = await Promise.all(this.#attention.map((received) => read(this.#gpu, received)));
    check("contribution to the class", toClass);
    check("contribution to the mass", toMass);
    for (const received of attention) check("attention", received);
    const { words } = await this.#images.batch([index]);
    const { size, channels } = this.#size;
    const values = unpack(words, this.#images.encoding, size * size * channels);
    return { prediction, explained, values, toClass, toMass, attention };
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
  #run(logits: Float32Array, mass: number): void {
    write(this.#gpu, this.#starts.logits, logits);
    write(this.#gpu, this.#starts.mass, Float32Array.of(mass));
    this.#plan.run();
  }

  async #contributions(logits: Float32Array, mass: number): Promise<Float64Array> {
    this.#run(logits, mass);
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
