import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { decodeSafetensors, encodeSafetensors, SafetensorsError, storeFloats, toFloats } from "../../../lib/io/safetensors.ts";

/** A file with this header text and so many bytes of data. */
function file(header: string, data = 0, length?: bigint): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + data);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

function refuses(bytes: Uint8Array, why: string): void {
  assertThrows(() => decodeSafetensors(bytes), SafetensorsError, why);
}

describe("decodeSafetensors()", () => {
  it("reads what encodeSafetensors() wrote, bit for bit", () => {
    const values = Float32Array.of(1.5, -0, 3e-39, 7);
    const tensors = new Map([["a", storeFloats([2, 2], values)], ["b.c", storeFloats([], Float32Array.of(9))]]);
    const { tensors: read, metadata } = decodeSafetensors(encodeSafetensors({ tensors, metadata: { key: "välue" } }));
    assertEquals(read.get("a")!.shape, [2, 2]);
    assertEquals(new Uint32Array(toFloats(read.get("a")!).buffer), new Uint32Array(values.buffer));
    assertEquals(toFloats(read.get("b.c")!), Float32Array.of(9));
    assertEquals({ ...metadata }, { key: "välue" });
  });

  it("converts every number type", () => {
    const bytes = (array: ArrayBufferView) => new Uint8Array(array.buffer as ArrayBuffer);
    const cases = [
      ["F64", bytes(Float64Array.of(1.5, -2)), [1.5, -2]],
      ["F16", bytes(Uint16Array.of(0x3e00, 0xc000)), [1.5, -2]],
      ["BF16", bytes(Uint16Array.of(0x3fc0, 0xc000)), [1.5, -2]],
      ["I64", bytes(BigInt64Array.of(5n, -6n)), [5, -6]],
      ["I32", bytes(Int32Array.of(5, -6)), [5, -6]],
      ["I16", bytes(Int16Array.of(5, -6)), [5, -6]],
      ["I8", bytes(Int8Array.of(5, -6)), [5, -6]],
      ["U8", bytes(Uint8Array.of(5, 250)), [5, 250]],
    ] as const;
    for (const [dtype, data, expected] of cases) {
      assertEquals([...toFloats({ dtype, shape: [2], bytes: data })], [...expected], dtype);
    }
  });

  it("refuses a file without room for a header", () => refuses(new Uint8Array(7), "7 bytes"));
  it("refuses a header longer than the file", () => refuses(file("{}", 0, 3n), "claims 3 bytes"));
  it("refuses a header of absurd length", () => refuses(file("{}", 0, 2n ** 63n), "claims"));
  it("refuses text that is not JSON", () => refuses(file("{nope"), "not valid JSON"));
  it("refuses a header that is not an object", () => refuses(file("[]"), "does not begin"));
  it("refuses bytes that are not UTF-8", () => {
    const bytes = file("{  }");
    bytes[9] = 0xff;
    refuses(bytes, "UTF-8");
  });
  it("refuses a range beyond the data", () => {
    refuses(file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 4), "lie outside");
  });
  it("refuses a shape that disagrees with its range", () => {
    refuses(file(`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8), "takes 12 bytes, not 8");
  });
  it("refuses a shape whose product overflows", () => {
    refuses(file(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}`, 4), "takes");
  });
  it("refuses overlapping tensors", () => {
    const entry = (name: string, from: number) => `"${name}":{"dtype":"U8","shape":[4],"data_offsets":[${from},${from + 4}]}`;
    refuses(file(`{${entry("a", 0)},${entry("b", 2)}}`, 6), "begins at byte 2, not at 4");
  });
  it("refuses bytes that no tensor claims", () => {
    refuses(file(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`, 5), "cover 4 of 5");
  });
  it("refuses an unknown number type", () => {
    refuses(file(`{"a":{"dtype":"toString","shape":[],"data_offsets":[0,0]}}`), "not supported");
  });
  it("refuses metadata that is not text", () => refuses(file(`{"__metadata__":{"a":1}}`), "map of strings"));
  it("keeps a tensor named __proto__ a tensor", () => {
    const { tensors } = decodeSafetensors(file(`{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1));
    assertEquals([...tensors.keys()], ["__proto__"]);
  });
});
