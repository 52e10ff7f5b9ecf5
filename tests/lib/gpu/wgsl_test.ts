import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { bindingsOf, specialise } from "../../../lib/gpu/wgsl.ts";

const squeeze = (text: string) => text.replaceAll(/\s+/g, " ");

describe("specialise()", () => {
  it("sets constants and keeps their types", () => {
    const source = "const N: u32 = 4u;\nconst RATE: f32 = 0.5;\nconst ON: bool = true;\n";
    assertEquals(
      specialise(source, { N: 7, RATE: 2, ON: false }),
      "const N: u32 = 7u;\nconst RATE: f32 = 2.0;\nconst ON: bool = false;\n",
    );
  });

  it("writes floats of every size as WGSL reads them", () => {
    const floats: [number, string][] = [[3, "3.0"], [-2, "-2.0"], [0.5, "0.5"], [1e-7, "1e-7"], [1e20, `1${"0".repeat(20)}.0`], [
      1e30,
      "1e+30",
    ]];
    for (const [value, text] of floats) assertEquals(specialise("const A: f32 = 0.5;", { A: value }), `const A: f32 = ${text};`);
  });

  it("refuses a constant that the kernel does not declare", () => {
    assertThrows(() => specialise("const N: u32 = 4u;", { M: 1 }), Error, '"M"');
  });

  it("refuses a value that does not fit the type", () => {
    assertThrows(() => specialise("const N: u32 = 4u;", { N: 1.5 }), Error, "must be of type u32");
    assertThrows(() => specialise("const N: f32 = 4.0;", { N: NaN }), Error, "NaN");
  });

  it("repeats marked loops, nested ones too, with limits from constants", () => {
    const source = `const N: u32 = 1u;
const M: u32 = N * 2u;
// unroll
for (var i = 0u; i < N; i++) {
  // unroll
  for (var j = 0u; j < M; j++) {
    s[i * M + j] = 0.0;
  }
}`;
    assertEquals(
      squeeze(specialise(source, { N: 2 })).split("u; ").at(-1),
      "{ { s[0u * M + 0u] = 0.0; } { s[0u * M + 1u] = 0.0; } { s[0u * M + 2u] = 0.0; } { s[0u * M + 3u] = 0.0; } } " +
        "{ { s[1u * M + 0u] = 0.0; } { s[1u * M + 1u] = 0.0; } { s[1u * M + 2u] = 0.0; } { s[1u * M + 3u] = 0.0; } } ",
    );
  });

  it("leaves loops alone that are not marked", () => {
    const source = "for (var i = 0u; i < 4u; i++) { a(); }";
    assertEquals(specialise(source, {}), source);
  });

  it("refuses a mark above something else", () => {
    assertThrows(() => specialise("// unroll\nwhile (true) {}\n", {}), Error, "Cannot unroll");
  });

  it("refuses a marked loop without a constant limit", () => {
    assertThrows(() => specialise("// unroll\nfor (var i = 0u; i < n; i++) { }", {}), Error, "is no constant");
  });

  it("keeps the entry point that is wanted and the functions that are none", () => {
    const source =
      "fn help() { }\n@compute @workgroup_size(8)\nfn a(@builtin(x) x: u32) { if (y) { } }\n@compute @workgroup_size(N, 1)\nfn b() { help(); }\n";
    assertEquals(squeeze(specialise(source, {}, "b")), "fn help() { } @compute @workgroup_size(N, 1) fn b() { help(); } ");
  });

  it("takes the branch of a constant switch and drops the other", () => {
    const source = "const ON: bool = true;\nif (ON) { yes(); } else { no(); }\nif (!ON) { other(); }\n";
    const on = specialise(source, {}), off = specialise(source, { ON: false });
    assertStringIncludes(on, "yes();");
    assertEquals(/no\(\)|other/.test(on), false);
    assertStringIncludes(off, "no();");
    assertStringIncludes(off, "other();");
    assertEquals(off.includes("yes"), false);
  });
});

Deno.test("bindingsOf() finds names, numbers and access", () => {
  const found = bindingsOf(`
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> dims: Dims;
@group(0) @binding(5) var x_texels: texture_2d<f32>;
@group(0) @binding(6) var nearest: sampler;`);
  assertEquals([...found], [
    ["x", { index: 0, access: "read" }],
    ["y", { index: 3, access: "read_write" }],
    ["dims", { index: 4, access: "uniform" }],
    ["x_texels", { index: 5, access: "texels" }],
    ["nearest", { index: 6, access: "sampler" }],
  ]);
});

Deno.test("every kernel file declares its bindings once and explains its formula", async () => {
  const folder = new URL("../../../kernels/", import.meta.url);
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (!isFile) continue;
    const source = await Deno.readTextFile(new URL(name, folder));
    assertEquals(source.startsWith("// "), true, `${name} has no head comment`);
    const numbers = [...bindingsOf(source).values()].map(({ index }) => index);
    assertEquals(new Set(numbers).size, numbers.length, `${name} uses a binding number twice`);
  }
});
