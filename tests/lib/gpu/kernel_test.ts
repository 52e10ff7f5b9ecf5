/** @file Kernels name the libraries that they use. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { kernelOf } from "../../../lib/gpu/kernel.ts";
import { LIBRARIES } from "../../../lib/gpu/libraries.ts";

const KERNELS = new URL("../../../kernels/", import.meta.url);

/** A pair of libraries, of which one uses the other. */
const PAIR = {
  "lib/base.wgsl": "struct Pair { one: u32, other: u32, }\nfn twice(x: u32) -> u32 { return 2u * x; }\n",
  "lib/more.wgsl": "// uses lib/base.wgsl\nfn sum(pair: Pair) -> u32 { return pair.one + pair.other; }\n",
};
const kernel = (text: string, libraries: Record<string, string> = PAIR) => kernelOf("probe", text, libraries);

describe("kernelOf()", () => {
  it("puts each library once before whatever uses it", () => {
    const text = "// uses lib/more.wgsl, lib/base.wgsl\nfn main() { let s = sum(Pair(1u, twice(1u))); }\n";
    assertEquals(kernel(text).source, [PAIR["lib/base.wgsl"], PAIR["lib/more.wgsl"], text].join("\n"));
  });

  it("knows which libraries a file uses otherwise than by the one of every kernel", () => {
    const libraries = { ...PAIR, "lib/invocation.wgsl": "// uses lib/base.wgsl\nfn number() -> u32 { return twice(1u); }" };
    assertEquals([...kernel("// uses lib/invocation.wgsl\nfn main() { number(); }", libraries).libraries], []);
    const both = "// uses lib/invocation.wgsl, lib/base.wgsl\nfn main() { let n = twice(number()); }";
    assertEquals([...kernel(both, libraries).libraries], ["lib/base.wgsl"]);
  });

  it("finds bindings in libraries too", () => {
    const libraries = {
      "lib/shared.wgsl": "@group(0) @binding(3) var<storage, read> x: array<f32>;\nfn first() -> f32 { return x[0]; }\n",
    };
    assertEquals([...kernel("// uses lib/shared.wgsl\nfn main() { first(); }", libraries).bindings], [["x", {
      index: 3,
      access: "read",
    }]]);
  });

  it("refuses a library that is used and not named, in a library too", () => {
    assertThrows(() => kernel("fn main() { twice(1u); }"), Error, `probe.wgsl uses twice of lib/base.wgsl: name it`);
    const libraries = { ...PAIR, "lib/last.wgsl": "fn last(pair: Pair) {}" };
    assertThrows(
      () => kernel("// uses lib/last.wgsl\nfn main() { last(p()); }", libraries),
      Error,
      "lib/last.wgsl uses Pair of lib/base.wgsl",
    );
  });

  it("refuses a library that is named and not used, in code that is none included", () => {
    assertThrows(() => kernel("// uses lib/base.wgsl\nfn main() {}"), Error, "names lib/base.wgsl, and uses nothing of it");
    assertThrows(() => kernel("// uses lib/base.wgsl\n// twice\nfn main() {}"), Error, "uses nothing of it");
  });

  it("takes a name that the file declares itself, or reads of a struct, for no use", () => {
    const text = "struct Pair { twice: f32, }\nfn main(sum: u32) { let t = pair.twice; }\n";
    assertEquals(kernel(text).source, text);
  });

  it("refuses a library that does not exist", () => {
    assertThrows(() => kernel("// uses lib/none.wgsl\nfn main() {}"), Error, "names lib/none.wgsl: there is no such library");
  });

  it("refuses libraries that use one another in a circle", () => {
    const circle = {
      "lib/a.wgsl": "// uses lib/b.wgsl\nfn a() { b(); }",
      "lib/b.wgsl": "// uses lib/a.wgsl\nfn b() { a(); }",
    };
    assertThrows(
      () => kernel("// uses lib/a.wgsl\nfn main() { a(); }", circle),
      Error,
      "in a circle: probe.wgsl, lib/a.wgsl, lib/b.wgsl, lib/a.wgsl",
    );
  });

  it("refuses a line that is written in another way, and a second line", () => {
    for (
      const line of [
        "// uses lib/base.wgsl and lib/more.wgsl",
        "// Uses lib/base.wgsl",
        "// uses base",
        "// uses lib/base.wgsl\n// uses lib/more.wgsl",
      ]
    ) {
      assertThrows(() => kernel(`${line}\nfn main() { twice(1u); }`), Error, "one line is due");
    }
  });
});

Deno.test("every kernel and library names what it uses", async () => {
  const read = async (folder: URL) => {
    const names = (await Array.fromAsync(Deno.readDir(folder))).filter(({ isFile }) => isFile).map(({ name }) => name);
    return new Map(await Promise.all(names.map(async (name) => [name, await Deno.readTextFile(new URL(name, folder))] as const)));
  };
  const libraries = await read(new URL("lib/", KERNELS));
  assertEquals(new Map(Object.entries(LIBRARIES)), new Map([...libraries].map(([name, text]) => [`lib/${name}`, text])));
  const kernels = await read(KERNELS);
  const unused = new Set(libraries.values());
  for (const [name, text] of kernels) {
    const { source } = kernelOf(name.replace(".wgsl", ""), text);
    for (const library of unused) if (source.includes(library)) unused.delete(library);
  }
  assert(kernels.size > 20);
  assertEquals(unused, new Set());
});
