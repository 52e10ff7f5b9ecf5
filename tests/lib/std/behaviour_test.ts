/** @file What this program relies on in @std: the same with stand-ins and with the genuine packages, whichever are installed. */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertExists,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { parseArgs } from "@std/cli/parse-args";
import { parse, stringify } from "@std/yaml";

function read(...args: string[]): unknown {
  const unknown: unknown[] = [];
  const { _: positional, ...values } = parseArgs(args, {
    string: ["out", "set"],
    boolean: ["json"],
    collect: ["set"],
    unknown: (arg, key) => {
      unknown.push(key === undefined ? arg : [arg, key]);
      return false;
    },
  });
  return { ...values, unknown, after: positional };
}
const NOTHING = { json: false, set: [], unknown: [], after: [] };

for (
  const [args, expected] of [
    [[], {}],
    [["--out", "a", "--out=b=c", "--json"], { out: "b=c", json: true }],
    [["--set", "a=1", "--set=b=2"], { set: ["a=1", "b=2"] }],
    [["--out"], { out: "" }],
    [["--out", "--json"], { out: "", json: true }],
    [["--out", "-5"], { out: "", unknown: [["-5", "5"]] }],
    [["--out=-5"], { out: "-5" }],
    [["--out", "007"], { out: "007" }],
    [["--json=false"], {}],
    [["--json", "true", "a"], { json: true, unknown: ["a"] }],
    [["a", "-", "--", "--json", "b"], { unknown: ["a", "-"], after: ["--json", "b"] }],
    [["--other", "--an=other"], { unknown: [["--other", "other"], ["--an=other", "an"]] }],
    [["--no-json"], { unknown: [["--no-json", "no-json"]] }],
  ] as const
) {
  Deno.test(`parseArgs() reads ${JSON.stringify(args)}`, () => {
    assertEquals(read(...args), { ...NOTHING, ...expected });
  });
}

const text = (content: string) => parse(content, { schema: "failsafe" });

Deno.test("parse() takes every value as text", () => {
  for (const value of ["0100", "0o17", "1e-3", "yes", "true", "2024-05-01", ".inf", "1_000", "12:30", "~", "<<"]) {
    assertEquals(text(`a: ${value}`), { a: value });
  }
  assertEquals(text('{"a": {"b": [1.5, "x\\ty", null]}}'), { a: { b: ["1.5", "x\ty", "null"] } });
  assertEquals([text(""), text("# nothing\n"), text("a:\n")], [null, null, { a: null }]);
});

Deno.test("parse() refuses duplicate keys, broken syntax, unknown tags and a second document", () => {
  for (const content of ["a: 1\na: 2", "a: [", "a: 'b", "a: b: c", "a: !x 1", "a: *x", "a: 1\n---\nb: 2"]) {
    assertThrows(() => text(content), Error);
  }
});

Deno.test("parse() reads back what stringify() writes", () => {
  const values = [
    "",
    " a ",
    "a: b",
    "a # b",
    "#",
    "1",
    "0100",
    "null",
    "true",
    "- a",
    "it's",
    '"',
    "a\nb",
    "é, ü",
    "C:\\x",
    "word ".repeat(40),
  ];
  const tree = { section: Object.fromEntries(values.map((value, i) => [`key${i}`, value])), empty: {} };
  assertEquals(text(stringify(tree)), tree);
  for (const number of [0, -1.5, 3e-4, 1e-30, 5e-324, 1e21, 2 ** 32]) {
    assertEquals(Number((text(stringify({ number })) as { number: string }).number), number);
  }
});

/** True if the assertion holds. */
function holds(assertion: () => void): boolean {
  try {
    assertion();
    return true;
  } catch {
    return false;
  }
}

Deno.test("assertions tell what holds from what does not", () => {
  const cases: [() => void, boolean][] = [
    [() => assert(1), true],
    [() => assert(""), false],
    [() => assertEquals({ a: [Float32Array.of(1, NaN)] }, { a: [Float32Array.of(1, NaN)] }), true],
    [() => assertEquals(Float32Array.of(1), Float32Array.of(2)), false],
    [() => assertEquals<unknown>([1], Float32Array.of(1)), false],
    [() => assertEquals<unknown>({ a: undefined }, {}), false],
    [() => assertEquals<unknown>(1, "1"), false],
    [() => assertEquals(new Map([["a", [1]]]), new Map([["a", [2]]])), false],
    [() => assertNotEquals([1], [2]), true],
    [() => assertNotEquals([1], [1]), false],
    [() => assertAlmostEquals(1, 1 + 5e-8), true],
    [() => assertAlmostEquals(1, 1 + 5e-7), false],
    [() => assertAlmostEquals(1, 1.1, 0.2), true],
    [() => assertAlmostEquals(NaN, 1, 0.2), false],
    [() => assertStringIncludes("abc", "b"), true],
    [() => assertStringIncludes("abc", "d"), false],
    [() => assertMatch("abc", /^a/), true],
    [() => assertMatch("abc", /^b/), false],
    [() => assertExists(0), true],
    [() => assertExists(null), false],
  ];
  assertEquals(cases.map(([assertion]) => holds(assertion)), cases.map(([, expected]) => expected));
});

class Special extends Error {}

Deno.test("assertThrows() and assertRejects() look at class and message, and return the error", async () => {
  const error = new Special("abc");
  const thrower = (thrown: unknown) => () => {
    throw thrown;
  };
  assertEquals(assertThrows(thrower(error), Error, "b") === error, true);
  assertEquals(await assertRejects(() => Promise.reject(error), Special, "b") === error, true);
  assertEquals(holds(() => assertThrows(thrower(error), TypeError)), false);
  assertEquals(holds(() => assertThrows(thrower(error), Special, "d")), false);
  assertEquals(holds(() => assertThrows(thrower("abc"), Error)), false);
  assertEquals(holds(() => assertThrows(() => 1)), false);
  const rejects = (fn: () => Promise<unknown>) => assertRejects(fn, Special, "b").then(() => true, () => false);
  assertEquals(await rejects(() => Promise.reject(new Error("abc"))), false);
  assertEquals(await rejects(() => Promise.resolve()), false);
  // thrown before there was a promise
  assertEquals(await rejects(thrower(error)), false);
});
