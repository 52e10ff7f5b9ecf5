/** @file A kernel's `struct Dims` is laid out as WGSL lays it out, and filled by name. */

import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { GpuError } from "../../../lib/gpu/device.ts";
import { type Dims, dimsOf } from "../../../lib/gpu/dims.ts";
import { kernelOf } from "../../../lib/gpu/kernel.ts";
import { layoutOf } from "../../../lib/gpu/layout.ts";
import { Plan } from "../../../lib/gpu/plan.ts";
import { read } from "../../../lib/tensor/tensor.ts";
import { gpuTest } from "../../support/gpu.ts";
import { placed } from "../../support/ops.ts";

const offsets = (source: string, name = "Dims") => {
  const { fields, bytes } = layoutOf(source, name)!;
  return [...Array.from(fields, ([field, { offset }]) => [field, offset]), ["", bytes]];
};

describe("layoutOf()", () => {
  it("places fields one after the other, with comments between them", () => {
    const source = "struct Dims {\n  rows: u32, // of a group, as (B, N)\n  // of both\n  first: i32,\n  scale: f32,\n}\n";
    assertEquals(offsets(source), [["rows", 0], ["first", 4], ["scale", 8], ["", 12]]);
  });

  it("aligns vectors and what is said to be aligned, and rounds the size up", () => {
    assertEquals(offsets("struct Dims { a: u32, b: vec2<u32>, c: f32, d: vec3<f32>, e: u32, f: vec4<i32> }"), [
      ["a", 0],
      ["b", 8],
      ["c", 16],
      ["d", 32],
      ["e", 44],
      ["f", 48],
      ["", 64],
    ]);
    assertEquals(offsets("struct Dims { a: u32, @align(16) b: u32, }"), [["a", 0], ["b", 16], ["", 32]]);
  });

  it("places a struct in a struct as its widest field demands", () => {
    const source = "struct Pair { x: f32, y: vec2<f32>, }\nstruct Dims { a: u32, pair: Pair, b: u32, }\n";
    assertEquals(offsets(source, "Pair"), [["x", 0], ["y", 8], ["", 16]]);
    assertEquals(offsets(source), [["a", 0], ["pair", 8], ["b", 24], ["", 32]]);
  });

  it("knows no struct that is not declared, and refuses what a host cannot pass", () => {
    assertEquals(layoutOf("struct Other { a: u32 }", "Dims"), undefined);
    for (const type of ["bool", "f16", "mat4x4<f32>", "array<u32, 4>", "atomic<u32>", "Missing"]) {
      assertThrows(() => layoutOf(`struct Dims { a: ${type}, }`, "Dims"), Error, `Dims.a: no host passes a ${type}`);
    }
    assertThrows(() => layoutOf("struct Dims { @size(32) a: u32, }", "Dims"), Error, '"@size(32) a: u32" is no field');
  });
});

const SOURCE = `
// uses lib/invocation.wgsl
const SHIFTED: bool = false;
struct View { first: u32, step: u32, }
struct Dims {
  count: u32,
  shift: i32,
  range: vec2<u32>,
  @align(16) view: View,
  @align(16) scale: f32,
}
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<uniform> dims: Dims;
fn start(view: View) -> u32 { return view.first + view.step; }
fn unused() -> u32 { return dims.range.x; }
@compute @workgroup_size(WIDTH) fn main(ids: Ids) {
  if (ids.lane < dims.count) { y[ids.lane] = dims.scale * f32(start(dims.view)); }
  if (SHIFTED) { y[ids.lane] += f32(dims.shift); }
}
@compute @workgroup_size(WIDTH) fn all(ids: Ids) { y[0] = f32(dims.shift); y[1] = f32(dims.range.y); y[2] = f32(start(dims.view)); y[3] = dims.scale; }
@compute @workgroup_size(WIDTH) fn none(ids: Ids) { y[ids.lane] = 1.0; }`;
const KERNEL = kernelOf("probe", SOURCE);
const MAIN: Dims = { count: 3, scale: 0.5, view: { first: 4, step: 2 } };
const words = (dims: Dims, entry = "main", constants = {}) =>
  dimsOf({ kernel: KERNEL, entry, constants, dims }, "Cannot launch probe");

describe("dimsOf()", () => {
  it("writes values where the struct has their fields, and zeros elsewhere", () => {
    assertEquals([...words(MAIN)!], [3, 0, 0, 0, 4, 2, 0, 0, 0x3f000000, 0, 0, 0]);
  });

  it("gives nothing where the entry point reads nothing", () => {
    assertEquals(words({}, "none"), undefined);
  });

  it("takes true and false as 1 and 0, and undefined as no value", () => {
    assertEquals(words({ ...MAIN, count: true, shift: undefined })![0], 1);
    assertThrows(() => words({ ...MAIN, count: undefined }), Error, "Cannot launch probe: dims.count is read, and has no value");
  });

  it("refuses a field that has no value and is read, by a switch or a function of the entry point alone", () => {
    assertThrows(() => words({ ...MAIN }, "main", { SHIFTED: true }), Error, "dims.shift is read, and has no value");
    assertThrows(() => words({ ...MAIN, view: { first: 1 } }), Error, "dims.view.step is read, and has no value");
  });

  it("refuses a field that is not declared, and a value of another kind", () => {
    assertThrows(() => words({ ...MAIN, rows: 1 }), Error, "dims.rows is given, and not declared");
    assertThrows(
      () => words({ ...MAIN, view: { first: 1, step: 1, last: 1 } }),
      Error,
      "dims.view.last is given, and not declared",
    );
    assertThrows(() => words({ ...MAIN, view: 1 }), Error, "dims.view is a struct, and not 1");
    assertThrows(() => words({ ...MAIN, range: 1 }), Error, "dims.range has 2 elements, and not 1");
    assertThrows(() => words({ ...MAIN, range: [1, 2, 3] }), Error, "dims.range has 2 elements, and not [1,2,3]");
  });

  it("refuses numbers that 32 bits of the field's type do not hold", () => {
    for (const count of [2 ** 32, -1, 0.5, NaN, Infinity]) {
      assertThrows(() => words({ ...MAIN, count }), GpuError, `dims.count is ${count}, which no u32 holds`);
    }
    for (const shift of [2 ** 31, -(2 ** 31) - 1, 0.5, NaN]) {
      assertThrows(() => words({ ...MAIN, shift }), GpuError, `dims.shift is ${shift}, which no i32 holds`);
    }
    for (const scale of [NaN, Infinity, 1e39]) {
      assertThrows(() => words({ ...MAIN, scale }), GpuError, `dims.scale is ${scale}, which no f32 holds`);
    }
    assertEquals(
      words({ ...MAIN, count: 2 ** 32 - 1, shift: -(2 ** 31), scale: 1e-46 })!.slice(0, 2),
      Uint32Array.of(0xffffffff, 0x80000000),
    );
  });
});

gpuTest("a kernel reads what was given by name", async (gpu) => {
  const y = placed(gpu, "y", [4], [0, 0, 0, 0]);
  const dims = { shift: -7, range: [1, 2], view: { first: 40, step: 2 }, scale: 1.5 };
  const launch = { kernel: KERNEL, entry: "all", label: "y", constants: {}, bindings: { y: y.storage }, dims, workgroups: 1 };
  using plan = new Plan(gpu, [launch]);
  plan.run();
  assertEquals([...await read(gpu, y)], [-7, 2, 42, 1.5]);
  const message = assertThrows(() => new Plan(gpu, [{ ...launch, dims: { ...dims, shift: undefined } }]), Error).message;
  assertEquals(message, 'Cannot launch kernel probe.all for "y": dims.shift is read, and has no value');
});
