/** @file The operands that follow a pickle's opcodes: numbers, text and bytes, each within the pickle or an error. */

import { PickleError } from "./pickle_values.ts";

const UTF8 = new TextDecoder();
const NEWLINE = 0x0a;
/** Letters after a backslash that are not themselves. */
const ESCAPED: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };
/** Numbers that Python writes as words. */
const WORDS: Readonly<Record<string, number>> = { nan: NaN, inf: Infinity, "-inf": -Infinity };

/** Reads operands one after the other. */
export class Operands {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  /** Starts at the first byte of a pickle. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Place of the next byte. */
  get at(): number {
    return this.#at;
  }

  /** Passes over bytes; returns where the first of them was. */
  skip(count: number): number {
    const at = this.#at;
    if (at + count > this.#bytes.length) throw new PickleError("the pickle is cut");
    this.#at += count;
    return at;
  }

  /** A byte. */
  u8(): number {
    return this.#bytes[this.skip(1)]!;
  }

  /** Two bytes. */
  u16(): number {
    return this.#view.getUint16(this.skip(2), true);
  }

  /** Four bytes with a sign. */
  i32(): number {
    return this.#view.getInt32(this.skip(4), true);
  }

  /** Four bytes. */
  u32(): number {
    return this.#view.getUint32(this.skip(4), true);
  }

  /** Eight bytes; a number beyond 2^53 loses digits, and is longer than any pickle. */
  u64(): number {
    return Number(this.#view.getBigUint64(this.skip(8), true));
  }

  /** A double, big-endian here alone. */
  f64(): number {
    return this.#view.getFloat64(this.skip(8));
  }

  /** A view of bytes. */
  bytes(count: number): Uint8Array {
    const at = this.skip(count);
    return this.#bytes.subarray(at, at + count);
  }

  /** Text in UTF-8. */
  text(count: number): string {
    return UTF8.decode(this.bytes(count));
  }

  /** Text of Python 2: a character a byte. */
  latin1(count: number): string {
    // the decoder that is called latin1 has other characters from 128 to 159
    let text = "";
    for (const byte of this.bytes(count)) text += String.fromCharCode(byte);
    return text;
  }

  /** Text up to the end of the line, a character a byte. */
  line(): string {
    const end = this.#bytes.indexOf(NEWLINE, this.#at);
    if (end < 0) throw new PickleError("the pickle is cut");
    const text = this.latin1(end - this.#at);
    this.skip(1);
    return text;
  }

  /** Text up to the end of the line, with codes for characters beyond a byte, and for those that end a line. */
  escapedLine(): string {
    return this.line().replaceAll(/\\u([\da-fA-F]{4})|\\U000([\da-fA-F]{5})/g, (_, short, long) => {
      return String.fromCodePoint(Math.min(parseInt(short ?? long, 16), 0x10ffff));
    });
  }

  /** Text of Python 2 in quotes. */
  quotedLine(): string {
    return this.line().slice(1, -1).replaceAll(/\\(?:x([\da-fA-F]{2})|(.))/g, (_, code, letter) => {
      return code === undefined ? ESCAPED[letter] ?? letter : String.fromCharCode(parseInt(code, 16));
    });
  }

  /** A little-endian two's complement number of so many bytes; undefined for more than eight. */
  long(count: number): number | undefined {
    const bytes = this.bytes(count);
    if (count > 8) return undefined;
    let value = 0n;
    bytes.forEach((byte, i) => value |= BigInt(byte) << BigInt(8 * i));
    return Number(BigInt.asIntN(8 * count, value));
  }

  /** A number as text, or a truth of protocol 0; undefined for more digits than a number of 64 bits has. */
  decimal(): number | boolean | undefined {
    const line = this.line().replace(/L$/, "");
    if (line === "00" || line === "01") return line === "01";
    if (/^-?\d+$/.test(line)) return line.length > 20 ? undefined : Number(line);
    const value = WORDS[line] ?? Number(line);
    if (line === "" || Number.isNaN(value) && line !== "nan") throw new PickleError("the pickle holds a number that is none");
    return value;
  }
}
