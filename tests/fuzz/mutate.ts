/** @file A seeded mutator: turns valid files into files that lie. The same seed gives the same files everywhere. */

import type { Random } from "../../lib/random.ts";

/** Numbers at which parsers go wrong. */
const NUMBERS = [0, 1, 7, 8, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 2 ** 53, 2 ** 62];

/** Text at which parsers go wrong: names with a meaning elsewhere, numbers no type holds, nesting, types that surprise. */
const WORDS = [
  `"__proto__"`,
  `"constructor"`,
  `"../../x"`,
  `"/etc/passwd"`,
  `"\\u0000"`,
  `""`,
  "__proto__: 1",
  "../../x",
  "1e999",
  "-1",
  "0",
  "NaN",
  ".inf",
  "9007199254740993",
  "18446744073709551616",
  "null",
  "true",
  "{}",
  "[]",
  "[".repeat(2000),
  `{"a":`.repeat(500),
  "&a [*a, *a]",
  "*a",
  "!!js/function 'x'",
  "<<: {a: 1}",
  "\ud83d\udd25",
  ",",
  ":",
  "}",
  "]",
  "\n  ",
];

/** Changes a few places of a file: bits, numbers, lengths, repeated, missing and foreign pieces. */
export function mutateBytes(file: Uint8Array, random: Random): Uint8Array {
  let bytes: Uint8Array = file.slice();
  for (let changes = 1 + random.below(4); changes > 0 && bytes.length > 0; changes--) bytes = changeBytes(bytes, random);
  return bytes;
}

/** Changes a few places of a text: tokens replaced, repeated, removed, or by one of the words that parsers fear. */
export function mutateText(text: string, random: Random): string {
  let changed = text;
  for (let changes = 1 + random.below(4); changes > 0; changes--) changed = changeText(changed, random);
  return changed;
}

function changeBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const at = place(bytes.length, random);
  switch (random.below(8)) {
    case 0:
      bytes[at]! ^= 1 << random.below(8);
      return bytes;
    case 1:
      bytes[at] = random.below(256);
      return bytes;
    case 2:
    case 3: {
      const width = [2, 4, 8][random.below(3)]!;
      if (at + width > bytes.length) return bytes;
      const value = BigInt(NUMBERS[random.below(NUMBERS.length)]!) & ((1n << BigInt(8 * width)) - 1n);
      for (let i = 0; i < width; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
      return bytes;
    }
    case 4:
      return bytes.slice(0, at);
    case 5: {
      const stop = Math.min(bytes.length, at + 1 + random.below(64));
      return concat(bytes.subarray(0, at), bytes.subarray(stop));
    }
    case 6: {
      const stop = Math.min(bytes.length, at + 1 + random.below(64));
      return concat(bytes.subarray(0, stop), bytes.subarray(at));
    }
    default: {
      const from = place(bytes.length, random), length = Math.min(1 + random.below(64), bytes.length - Math.max(at, from));
      bytes.copyWithin(at, from, from + length);
      return bytes;
    }
  }
}

/** Near the start, where most formats have their structure, near the end, or anywhere. */
function place(length: number, random: Random): number {
  const near = random.below(Math.min(length, 1024));
  return [near, near, length - 1 - near, random.below(length)][random.below(4)]!;
}

function changeText(text: string, random: Random): string {
  const tokens = [...text.matchAll(/"(?:[^"\\]|\\.)*"|[\w.+-]+|[^\s\w]/g)];
  if (tokens.length === 0) return WORDS[random.below(WORDS.length)]!;
  const pick = () => tokens[random.below(tokens.length)]!;
  const token = pick();
  const [start, stop] = [token.index, token.index + token[0].length];
  const replacement = [
    () => WORDS[random.below(WORDS.length)]!,
    () => String(NUMBERS[random.below(NUMBERS.length)]!),
    () => "",
    () => `${token[0]} ${token[0]}`,
    () => pick()[0],
    () => text.slice(start, Math.min(text.length, stop + random.below(200))).repeat(2),
  ][random.below(6)]!();
  return text.slice(0, start) + replacement + text.slice(stop);
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
