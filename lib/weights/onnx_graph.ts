/**
 * @file The computation of an L2ViT as an ONNX graph: each layer a few operations, in the order of linear_vit.ts.
 *
 * Nothing newer than operation set 12 is used: every ONNX Runtime from 1.3 on reads it, and so every CMSSW release from 10_6 on.
 * Runtimes put the parts of layer normalisation and of GELU together again.
 */

import { type OnnxAttribute, OnnxGraph, type OnnxShape } from "../io/onnx.ts";
import type { StateDict } from "../tensor/parameters.ts";
import { gridOf, type ModelConfig } from "../nn/config.ts";
import type { PixelScale } from "../tensor/ops/images.ts";
import type { Target } from "../data/targets.ts";
import type { WeightsInfo } from "./weights_info.ts";

/** Version of the set of operations. */
export const ONNX_OPSET = 12;

/** Orders of the axes of images: (N, size, size, channels) as in data files, or (N, channels, size, size). */
export const IMAGE_AXES = ["channels-last", "channels-first"] as const;

/** One of those orders. */
export type ImageAxes = (typeof IMAGE_AXES)[number];

/** The axis of the images, which may be any number of them. */
const N = "N";
/** Of layer and of batch normalisation, as in PyTorch. */
const EPSILON = 1e-5;

/** Shape of the images that a model is given. */
export function imagesShape({ in_channels, img_size }: ModelConfig, axes: ImageAxes): OnnxShape {
  return axes === "channels-last" ? [N, img_size, img_size, in_channels] : [N, in_channels, img_size, img_size];
}

/**
 * Draws a model: from `images` with the values of data files to `logits` and `probabilities` (N, classes), and `mass` (N) in GeV, or each
 * of other targets (N) in its unit.
 *
 * @param state the model's tensors, heads included
 * @throws {RangeError} if 32-bit floats do not hold a number
 */
export function drawModel(
  state: StateDict,
  { model, targets, ...scale }: Pick<WeightsInfo, "model" | "targets" | keyof PixelScale>,
  axes: ImageAxes,
): OnnxGraph {
  const graph = new OnnxGraph("L2ViT");
  const net = new Drawing(graph, state, model);
  const images = graph.input("images", imagesShape(model, axes));
  const scaled = net.scale(images, scale);
  const last = axes === "channels-last";
  const features = net.features(last ? graph.node("Transpose", [scaled], "images", { perm: [0, 3, 1, 2] }) : scaled);
  const logits = net.head(features, "cls_head"), scores = [N, model.num_classes];
  graph.output("logits", logits, scores);
  graph.output("probabilities", graph.node("Softmax", [logits], "probabilities", { axis: 1 }), scores);
  const head = net.head(features, "reg_head"), names = outputNames(targets);
  targets.forEach(({ mean, std, log }, t) => {
    const name = names[t]!, column = targets.length > 1 ? net.column(head, t, name) : head;
    const normalised = net.reshape(column, [-1], name);
    const deviation = graph.node("Mul", [normalised, net.number(`${name}_std`, std)], name);
    const value = graph.node("Add", [deviation, net.number(`${name}_mean`, mean)], name);
    graph.output(name, log ? graph.node("Exp", [value], name) : value, [N]);
  });
  return graph;
}

/** What outputs of targets are called: letters, digits and underscores, no two the same. */
export function outputNames(targets: readonly Target[]): string[] {
  const taken = new Set(["images", "logits", "probabilities"]);
  return targets.map(({ name }) => {
    let unique = name.replaceAll(/\W+/g, "_");
    while (taken.has(unique)) unique += "_";
    taken.add(unique);
    return unique;
  });
}

/** Layers of a model, drawn one after the other; tokens are (N, tokens, embed_dim). */
class Drawing {
  readonly #graph: OnnxGraph;
  readonly #state: StateDict;
  readonly #config: ModelConfig;
  readonly #constants = new Map<string, string>();

  constructor(graph: OnnxGraph, state: StateDict, config: ModelConfig) {
    [this.#graph, this.#state, this.#config] = [graph, state, config];
  }

  /** Values of images as the model reads them. */
  scale(images: string, { normScale, transform }: Required<PixelScale>): string {
    const node = this.#nodesIn("images"), divisor = this.number("norm_scale", normScale);
    if (transform === "linear") return node("Div", [images, divisor]);
    const size = node("Abs", [images]);
    const scaled = transform === "sqrt"
      ? node("Sqrt", [node("Div", [size, divisor])])
      : node("Div", [node("Log", [node("Add", [size, this.number("1", 1)])]), this.number("log_scale", Math.log1p(normScale))]);
    return node("Mul", [node("Sign", [images]), scaled]);
  }

  /** (N, channels, size, size) to (N, embed_dim). */
  features(pixels: string): string {
    let x = this.#embed(pixels);
    for (let i = 0; i < this.#config.depth; i++) x = this.#block(x, `blocks.${i}`);
    return this.#graph.node("ReduceMean", [this.#norm(x, "norm")], "features", { axes: [1], keepdims: 0 });
  }

  /** One linear layer, or two with GELU between them. */
  head(features: string, name: string): string {
    if (this.#config.head_hidden === 0) return this.#linear(features, name);
    return this.#linear(this.#gelu(this.#linear(features, `${name}.0`), `${name}.1`), `${name}.2`);
  }

  /** A number by its name. */
  number(name: string, value: number): string {
    const single = Math.fround(value);
    if (!Number.isFinite(single) || (single === 0) !== (value === 0)) {
      throw new RangeError(`${name} is ${value}, which 32-bit floats do not hold`);
    }
    return this.#once(name, () => this.#graph.floats(name, [], Float32Array.of(value)));
  }

  /** The same numbers in other axes: 0 stands for the size that is there, -1 for what is left. */
  reshape(x: string, shape: readonly number[], scope: string): string {
    const name = `shape/${shape.join("x")}`;
    const sizes = this.#once(name, () => this.#graph.integers(name, [shape.length], shape));
    return this.#graph.node("Reshape", [x, sizes], scope);
  }

  /** One column of (N, columns). */
  column(x: string, i: number, scope: string): string {
    return this.#graph.node("Gather", [x, this.#index(i)], scope, { axis: 1 });
  }

  /** A convolution whose stride is its size takes whole patches, and leaves out pixels beyond the last. */
  #embed(pixels: string): string {
    const { patch_size: p } = this.#config;
    const grid = this.#convolution(pixels, "patch_embed.proj", { kernel_shape: [p, p], strides: [p, p] });
    const tokens = this.#norm(this.#tokens(grid, "patch_embed"), "patch_embed.norm");
    return this.#graph.node("Add", [tokens, this.#tensor("pos_embed")], "patch_embed");
  }

  #block(x: string, name: string): string {
    const add = (x: string, y: string) => this.#graph.node("Add", [x, y], name);
    x = add(x, this.#attention(this.#norm(x, `${name}.norm1`), `${name}.attn`));
    x = add(x, this.#concentration(this.#norm(x, `${name}.norm_lcm`), `${name}.lcm`));
    return add(x, this.#mlp(this.#norm(x, `${name}.norm2`), `${name}.mlp`));
  }

  /** relu(q) (relu(k)^T v) temperature / max(relu(q) . sum relu(k), floor), for each head. */
  #attention(x: string, name: string): string {
    const { embed_dim: dim, num_heads: heads, denominator_floor } = this.#config;
    const node = this.#nodesIn(name);
    const split = this.reshape(this.#linear(x, `${name}.qkv`), [0, 0, 3, heads, dim / heads], name);
    // (3, N, heads, tokens, dim / heads)
    const parts = node("Transpose", [split], { perm: [2, 0, 3, 1, 4] });
    const part = (i: number) => node("Gather", [parts, this.#index(i)], { axis: 0 });
    const q = node("Relu", [part(0)]), k = node("Relu", [part(1)]), v = part(2);
    const transposed = node("Transpose", [k], { perm: [0, 1, 3, 2] });
    const context = node("Mul", [node("MatMul", [transposed, v]), this.#tensor(`${name}.temperature`)]);
    const mass = node("MatMul", [q, node("ReduceSum", [transposed], { axes: [3], keepdims: 1 })]);
    const floored = node("Max", [mass, this.number("denominator_floor", denominator_floor)]);
    const out = node("Div", [node("MatMul", [q, context]), floored]);
    const joined = this.reshape(node("Transpose", [out], { perm: [0, 2, 1, 3] }), [0, 0, dim], name);
    return this.#linear(joined, `${name}.proj`);
  }

  /** Depthwise convolution, GELU, batch normalisation by the running statistics, depthwise convolution. */
  #concentration(x: string, name: string): string {
    const { embed_dim: dim, lcm_kernel: k } = this.#config, side = gridOf(this.#config);
    const depthwise = { group: dim, kernel_shape: [k, k], pads: Array<number>(4).fill((k - 1) / 2) };
    const grid = this.reshape(this.#graph.node("Transpose", [x], name, { perm: [0, 2, 1] }), [0, 0, side, side], name);
    const hidden = this.#gelu(this.#convolution(grid, `${name}.conv1`, depthwise), name);
    const statistics = ["weight", "bias", "running_mean", "running_var"].map((part) => this.#tensor(`${name}.bn.${part}`));
    const normed = this.#graph.node("BatchNormalization", [hidden, ...statistics], `${name}.bn`, { epsilon: { float: EPSILON } });
    return this.#tokens(this.#convolution(normed, `${name}.conv2`, depthwise), name);
  }

  #mlp(x: string, name: string): string {
    return this.#linear(this.#gelu(this.#linear(x, `${name}.fc1`), name), `${name}.fc2`);
  }

  /** (N, embed_dim, side, side) as tokens. */
  #tokens(grid: string, scope: string): string {
    return this.#graph.node("Transpose", [this.reshape(grid, [0, 0, -1], scope)], scope, { perm: [0, 2, 1] });
  }

  #convolution(x: string, name: string, attributes: Record<string, OnnxAttribute>): string {
    return this.#graph.node("Conv", [x, this.#tensor(`${name}.weight`), this.#tensor(`${name}.bias`)], name, attributes);
  }

  /** x W^T + b */
  #linear(x: string, name: string): string {
    const product = this.#graph.node("MatMul", [x, this.#transposed(`${name}.weight`)], name);
    return this.#graph.node("Add", [product, this.#tensor(`${name}.bias`)], name);
  }

  /** (x - mean) / sqrt(variance + epsilon) weight + bias, over the last axis. */
  #norm(x: string, name: string): string {
    const node = this.#nodesIn(name);
    const mean = (of: string) => node("ReduceMean", [of], { axes: [-1], keepdims: 1 });
    const centred = node("Sub", [x, mean(x)]);
    const variance = mean(node("Pow", [centred, this.number("2", 2)]));
    const deviation = node("Sqrt", [node("Add", [variance, this.number("epsilon", EPSILON)])]);
    const scaled = node("Mul", [node("Div", [centred, deviation]), this.#tensor(`${name}.weight`)]);
    return node("Add", [scaled, this.#tensor(`${name}.bias`)]);
  }

  /** x (1 + erf(x / sqrt 2)) / 2 */
  #gelu(x: string, scope: string): string {
    const node = this.#nodesIn(scope);
    const erf = node("Erf", [node("Div", [x, this.number("sqrt2", Math.SQRT2)])]);
    return node("Mul", [node("Mul", [x, node("Add", [erf, this.number("1", 1)])]), this.number("0.5", 0.5)]);
  }

  #nodesIn(scope: string): (operation: string, inputs: readonly string[], attributes?: Record<string, OnnxAttribute>) => string {
    return (operation, inputs, attributes) => this.#graph.node(operation, inputs, scope, attributes);
  }

  /** A tensor of the model. */
  #tensor(name: string): string {
    const { shape, values } = this.#state.get(name)!;
    return this.#graph.floats(name, shape, values);
  }

  /** A matrix (rows, columns) of the model as (columns, rows). */
  #transposed(name: string): string {
    const { shape, values } = this.#state.get(name)!;
    const [rows, columns] = shape as [number, number];
    const transposed = values.map((_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!);
    return this.#graph.floats(`${name}.T`, [columns, rows], transposed);
  }

  #index(i: number): string {
    return this.#once(`index/${i}`, () => this.#graph.integers(`index/${i}`, [], [i]));
  }

  /** A constant that several layers use. */
  #once(name: string, make: () => string): string {
    const known = this.#constants.get(name) ?? make();
    this.#constants.set(name, known);
    return known;
  }
}
