/** @file Pickles of every protocol: plain data come out, whatever else stands for itself, and nothing is ever called. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { unpickle } from "../../../lib/io/pickle.ts";
import { Global, Opaque, PickleError } from "../../../lib/io/pickle_values.ts";
import { call, dict, float, get, global, int, list, type Part, pickle, put, text, tuple, u32 } from "../../support/pickle.ts";

const HOST = {
  call: (name: string, values: readonly unknown[]) => name === "known.call" ? { values } : undefined,
  persistent: (id: unknown) => ({ id }),
  build: () => {},
};
const read = (...parts: Part[]) => unpickle(pickle(...parts), HOST);

describe("unpickle() reads", () => {
  const values: Readonly<Record<string, [program: Part, value: unknown]>> = {
    "None and truth": [list("N", 0x88, 0x89, "I01\n", "I00\n"), [null, true, false, true, false]],
    "whole numbers": [
      list(int(-7), ["K", 200], ["M", 1, 2], [0x8a, 2, 0, 0x80], [0x8a, 0], "I-12\n", "L34L\n", [0x8b, u32(1), 5]),
      [-7, 200, 513, -32768, 0, -12, 34, 5],
    ],
    "floats": [list(float(0.1), "F1e-3\n", "Fnan\n", "F-inf\n"), [0.1, 1e-3, NaN, -Infinity]],
    "text": [
      list(text("ü"), ["U", 2, 0xfc, 0x80], ["T", u32(1), "a"], [0x8c, 1, "b"], "V\\u20ac\\U0001f525\\u000a\n", "S'd\\x41\\n'\n"),
      ["ü", "ü\x80", "a", "b", "€🔥\n", "dA\n"],
    ],
    "bytes": [["C", 2, 0, 255], Uint8Array.of(0, 255)],
    "bytes with lengths of eight bytes": [[0x96, u32(1), u32(0), 9], Uint8Array.of(9)],
    "tuples": [tuple(")", ["K", 1, 0x85], ["K", 1, "K", 2, 0x86], ["NNN", 0x87]), [[], [1], [1, 2], [null, null, null]]],
    "dicts": [dict(text("a"), int(1), tuple(int(2)), int(3)), new Map<unknown, unknown>([["a", 1], [[2], 3]])],
    "dicts and lists of protocol 0": [["(", text("a"), "(K", 1, "l", "d"], new Map([["a", [1]]])],
    "what was remembered": [
      list([text("x"), put(7), "0"], get(7), [text("y"), "p3\n0"], "g3\n", [text("z"), 0x94, "0"], ["h", 2]),
      [
        "x",
        "y",
        "z",
      ],
    ],
    "copies and what is taken back": [list(["K", 1, "2"], ["K", 9, "0"], ["(K", 8, "1"]), [1, 1]],
    "a known call": [call("known.call", int(1)), { values: [1] }],
    "a known call in words of protocol 4": [[text("known"), text("call"), 0x93, tuple(), "R"], { values: [] }],
    "a known call by NEWOBJ, OBJ and INST": [
      list([global("known.call"), ")", 0x81], ["(", global("known.call"), "K", 1, "o"], "(iknown\ncall\n"),
      [{ values: [] }, { values: [1] }, { values: [] }],
    ],
    "a persistent id": [[int(3), "Q"], { id: 3 }],
    "a dict without its attributes": [[dict(text("a"), int(1)), dict(text("_metadata"), "N"), "b"], new Map([["a", 1]])],
  };
  for (const [what, [program, value]] of Object.entries(values)) it(what, () => assertEquals(read(program), value));

  it("a list that holds itself", () => {
    const value = read("]", put(0), "(", get(0), "e") as unknown[];
    assertEquals(value[0], value);
  });
});

describe("unpickle() keeps as a placeholder", () => {
  const opaque = (...parts: Part[]) => {
    const value = read(...parts);
    assert(value instanceof Opaque);
    return value;
  };
  it("a call of anything else, with the attributes and items that it gets", () => {
    const value = opaque(call("posix.system", text("touch owned")), dict(text("lr"), int(1)), "b(", text("k"), int(2), "u");
    assertEquals([value.name, value.state, value.items], ["posix.system", new Map([["lr", 1]]), new Map([["k", 2]])]);
  });
  it("a call with names of arguments, even of what is known", () => {
    assertEquals(opaque(global("known.call"), tuple(), "}", 0x92).name, "known.call");
  });
  it("a call of a placeholder", () => assertEquals(opaque(call("functools.partial"), tuple(), "R").name, "functools.partial"));
  it("what is appended to none of it", () => assertEquals(opaque(call("collections.deque"), "(K", 1, "e").items.size, 0));
  it("sets", () => {
    assertEquals(opaque(0x8f, "(K", 1, 0x90).name, "builtins.set");
    assertEquals(opaque("(K", 1, 0x91).name, "builtins.frozenset");
  });
  it("whole numbers of more than 64 bits", () => {
    assertEquals(opaque(0x8a, 9, new Uint8Array(9)).name, "builtins.int");
    assertEquals(opaque(`L${"9".repeat(30)}L\n`).name, "builtins.int");
  });
  it("a name that is longer than any", () => {
    const value = read(text("m".repeat(1000)), text("n"), 0x93);
    assert(value instanceof Global && value.name.length < 200);
  });
});

describe("unpickle() refuses", () => {
  const broken: Readonly<Record<string, [program: Part, why: string]>> = {
    "an import by a code of its own": [[0x82, 1], "opcode 0x82"],
    "bytes from outside": [0x97, "opcode 0x97"],
    "text longer than the pickle": ["X\xff", "cut"],
    "a length beyond any": [[0x8e, u32(0xffffffff), u32(0xffffffff)], "cut"],
    "a line without an end": ["cabc", "cut"],
    "an empty stack": [")00", "empty stack"],
    "a mark in the place of a value": [[text("a"), "(", 0x93], "takes a mark for a value"],
    "a dict in the place of a name": [[text("a"), "}", 0x93], "imports what has no name"],
    "a call of a dict": ["})R", "calls what is no function"],
    "items of a list": [["]", int(1), int(2), "s"], "sets items of what is no dict"],
    "a key without a value": [["}(", int(1), "u"], "sets items of what is no dict"],
    "a list in the place of a list's mark": ["]e", "a mark that it has not set"],
    "an element of a dict": ["}Na", "appends to what is no list"],
    "what was never remembered": [get(5), "has not stored"],
    "a number that is none": ["Fabc\n", "a number that is none"],
  };
  for (const [what, [program, why]] of Object.entries(broken)) {
    it(what, () => void assertThrows(() => read(program), PickleError, why));
  }
  it("a pickle that is cut, wherever", () => {
    const whole = pickle(dict(text("abc"), list(int(1), float(2), tuple(text("d")))));
    for (let length = 0; length < whole.length; length++) {
      assertThrows(() => unpickle(whole.subarray(0, length), HOST), PickleError);
    }
  });
});

describe("unpickle() ends", () => {
  it("on tuples of the same tuple twice, a thousand deep, as a key", () => {
    const value = read("})", Array.from({ length: 1000 }, () => ["2", 0x86]), int(1), "s");
    assert(value instanceof Map);
    assertEquals(value.size, 1);
  });
  it("on a million nested lists", () => {
    assert(Array.isArray(read("]".repeat(1_000_000), "a".repeat(999_999))));
  });
});
