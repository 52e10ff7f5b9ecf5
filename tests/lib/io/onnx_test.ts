/** @file Graphs, byte by byte as ONNX's own library writes them. */

import { assertEquals, assertThrows } from "@std/assert";
import { OnnxGraph } from "../../../lib/io/onnx.ts";
import { ProtobufMessage } from "../../../lib/io/protobuf.ts";

const SMALL = new URL("../../fixtures/onnx/small.onnx", import.meta.url);

Deno.test("OnnxGraph writes what ONNX's own library writes", () => {
  const graph = new OnnxGraph("small");
  const x = graph.input("x", ["N", 3]);
  const w = graph.floats("w", [3, 2], Float32Array.from({ length: 6 }, (_, i) => i / 8));
  const b = graph.floats("b", [2], Float32Array.of(-1.5, 300));
  const sum = graph.node("Add", [graph.node("MatMul", [x, w], "layer"), b], "layer");
  const leaky = graph.node("LeakyRelu", [sum], "layer", { alpha: { float: 0.25 } });
  const gathered = graph.node("Gather", [leaky, graph.integers("i", [2], [1, -2])], "layer", { axis: -1 });
  graph.output("y", graph.node("ReduceMean", [gathered], "layer", { axes: [0, -1], keepdims: 1 }), [1, 1]);
  const metadata = { mass_unit: "GeV", text: "\u03bcm " + "x".repeat(200) };
  assertEquals(graph.encode({ opset: 12, producer: "test", metadata }), Deno.readFileSync(SMALL));
});

Deno.test("OnnxGraph gives results of one operation in one scope different names", () => {
  const graph = new OnnxGraph("g");
  const x = graph.input("x", [1]);
  assertEquals([1, 2, 3].map(() => graph.node("Relu", [x], "a")), ["a/Relu", "a/Relu_2", "a/Relu_3"]);
});

Deno.test("OnnxGraph refuses two values of one name, and numbers that are not finite", () => {
  const graph = new OnnxGraph("g");
  graph.input("x", [1]);
  assertThrows(() => graph.output("x", "x", [1]), RangeError, 'two values of the graph are called "x"');
  for (const bad of [NaN, Infinity, -Infinity]) {
    assertThrows(() => graph.floats("w", [2], Float32Array.of(1, bad)), RangeError, `w holds ${bad}`);
  }
});

Deno.test("ProtobufMessage writes whole numbers in groups of seven bits", () => {
  const bytes = (value: number, field = 1) => new ProtobufMessage().whole(field, value).encode().toHex();
  assertEquals([0, 1, 127, 128, 300].map((value) => bytes(value)), ["0800", "0801", "087f", "088001", "08ac02"]);
  assertEquals(bytes(2 ** 53 - 1), "08ffffffffffffff0f");
  assertEquals(bytes(-1), "08ffffffffffffffffff01");
  assertEquals(bytes(5, 16), "800105");
});
