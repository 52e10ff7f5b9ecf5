/**
 * @file ONNX: a computation as a graph of named operations, with its constants, in one file that many programs run.
 *
 * A value is known by its name: what goes in, a constant, or what one node makes of others. Names here are SCOPE/OPERATION, where
 * the scope is what the caller is drawing, such as a layer. The numbers of fields are those of ONNX's schema, onnx.proto; see
 * https://onnx.ai/onnx/repo-docs/IR.html.
 */

import { ProtobufMessage } from "./protobuf.ts";

/** Version of the file format: that of ONNX 1.7, which knows operations up to set 12. */
const IR_VERSION = 7;
/** Types of elements and of attributes, by their numbers in the schema. */
const FLOAT = 1, INT64 = 7;
const ATTRIBUTE_FLOAT = 1, ATTRIBUTE_INT = 2, ATTRIBUTE_INTS = 7;

/** Sizes of a value's axes; an axis whose size is not fixed has a name. */
export type OnnxShape = readonly (number | string)[];

/** A setting of an operation: a whole number, several, or a float. */
export type OnnxAttribute = number | readonly number[] | { readonly float: number };

/** What a file says beside its graph. */
export interface OnnxFacts {
  /** Version of the set of operations that the graph is written in. */
  readonly opset: number;
  /** Program that wrote the file. */
  readonly producer: string;
  /** Text by key. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** A graph that is being put together. Nodes are in the order in which they were added, so that each comes after what it uses. */
export class OnnxGraph {
  readonly #name: string;
  readonly #names = new Set<string>();
  readonly #nodes: ProtobufMessage[] = [];
  readonly #constants: ProtobufMessage[] = [];
  readonly #inputs: ProtobufMessage[] = [];
  readonly #outputs: ProtobufMessage[] = [];

  /** Begins an empty graph. */
  constructor(name: string) {
    this.#name = name;
  }

  /** Declares floats that are given at each run; returns the value's name. */
  input(name: string, shape: OnnxShape): string {
    this.#inputs.push(valueInfo(name, shape));
    return this.#take(name);
  }

  /** Declares a value as a result, under a name of its own. */
  output(name: string, value: string, shape: OnnxShape): void {
    this.#nodes.push(nodeOf("Identity", [value], this.#take(name), {}));
    this.#outputs.push(valueInfo(name, shape));
  }

  /**
   * Adds a tensor of constant floats; returns its name.
   *
   * @throws {RangeError} if a value is not finite
   */
  floats(name: string, shape: readonly number[], values: Float32Array): string {
    const bad = values.find((value) => !Number.isFinite(value));
    if (bad !== undefined) throw new RangeError(`${name} holds ${bad}, which is no finite 32-bit float`);
    return this.#constant(name, FLOAT, shape, values);
  }

  /** Adds a tensor of constant whole numbers; returns its name. */
  integers(name: string, shape: readonly number[], values: readonly number[]): string {
    return this.#constant(name, INT64, shape, BigInt64Array.from(values, BigInt));
  }

  /**
   * Adds an operation with one result; returns the result's name.
   *
   * @param operation such as "MatMul", see https://onnx.ai/onnx/operators
   * @param inputs names of values, in the operation's order
   * @param scope what the node belongs to
   */
  node(
    operation: string,
    inputs: readonly string[],
    scope: string,
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
  ): string {
    const output = this.#take(this.#unused(`${scope}/${operation}`));
    this.#nodes.push(nodeOf(operation, inputs, output, attributes));
    return output;
  }

  /**
   * The file.
   *
   * @throws {RangeError} if it would have 2 GiB or more
   */
  encode({ opset, producer, metadata }: OnnxFacts): Uint8Array<ArrayBuffer> {
    const graph = new ProtobufMessage();
    for (const node of this.#nodes) graph.message(1, node);
    graph.bytes(2, this.#name);
    for (const constant of this.#constants) graph.message(5, constant);
    for (const input of this.#inputs) graph.message(11, input);
    for (const output of this.#outputs) graph.message(12, output);
    const model = new ProtobufMessage().whole(1, IR_VERSION).bytes(2, producer).message(7, graph);
    model.message(8, new ProtobufMessage().bytes(1, "").whole(2, opset));
    for (const [key, value] of Object.entries(metadata)) {
      model.message(14, new ProtobufMessage().bytes(1, key).bytes(2, value));
    }
    return model.encode();
  }

  #constant(name: string, type: number, shape: readonly number[], values: Float32Array | BigInt64Array): string {
    const tensor = new ProtobufMessage();
    for (const size of shape) tensor.whole(1, size);
    tensor.whole(2, type).bytes(8, this.#take(name));
    tensor.bytes(9, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    this.#constants.push(tensor);
    return name;
  }

  #unused(name: string): string {
    let free = name;
    for (let i = 2; this.#names.has(free); i++) free = `${name}_${i}`;
    return free;
  }

  #take(name: string): string {
    if (this.#names.has(name)) throw new RangeError(`two values of the graph are called "${name}"`);
    this.#names.add(name);
    return name;
  }
}

function nodeOf(
  operation: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, OnnxAttribute>>,
): ProtobufMessage {
  const node = new ProtobufMessage();
  for (const input of inputs) node.bytes(1, input);
  // a node is called as its result is
  node.bytes(2, output).bytes(3, output).bytes(4, operation);
  for (const [name, value] of Object.entries(attributes)) node.message(5, attributeOf(name, value));
  return node;
}

function attributeOf(name: string, value: OnnxAttribute): ProtobufMessage {
  const attribute = new ProtobufMessage().bytes(1, name);
  if (typeof value === "number") return attribute.whole(3, value).whole(20, ATTRIBUTE_INT);
  if ("float" in value) return attribute.float(2, value.float).whole(20, ATTRIBUTE_FLOAT);
  for (const item of value) attribute.whole(8, item);
  return attribute.whole(20, ATTRIBUTE_INTS);
}

/** Name, type and shape of floats. */
function valueInfo(name: string, shape: OnnxShape): ProtobufMessage {
  const sizes = new ProtobufMessage();
  for (const size of shape) {
    const axis = new ProtobufMessage();
    sizes.message(1, typeof size === "number" ? axis.whole(1, size) : axis.bytes(2, size));
  }
  const tensor = new ProtobufMessage().whole(1, FLOAT).message(2, sizes);
  return new ProtobufMessage().bytes(1, name).message(2, new ProtobufMessage().message(1, tensor));
}
