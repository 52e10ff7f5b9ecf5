/**
 * @file Deflate undone in script (RFC 1951, with the frame of RFC 1950), for pages, which have no synchronous way to do it.
 *
 * A stream is a row of blocks: stored ones, and those whose bytes and repetitions are written in two prefix codes, of literals
 * with lengths and of distances, which are fixed or come first. A code is decoded by a table of all words of 15 bits.
 */

/** What is wrong with packed bytes, by the names that zlib gives. */
export class ScriptInflateError extends Error {
  /** Z_BUF_ERROR: they end too early; Z_DATA_ERROR: they are damaged; ERR_BUFFER_TOO_LARGE: they are more than was announced. */
  readonly code: "Z_BUF_ERROR" | "Z_DATA_ERROR" | "ERR_BUFFER_TOO_LARGE";

  constructor(code: ScriptInflateError["code"]) {
    super(code);
    this.code = code;
  }
}

const LONGEST = 15;
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15] as const;
const LENGTHS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
const LENGTH_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCES = Array.from({ length: 30 }, (_, i) => i < 4 ? i + 1 : ((2 + i % 2) << (i >> 1) - 1) + 1);
const DISTANCE_BITS = Array.from({ length: 30 }, (_, i) => i < 4 ? 0 : (i >> 1) - 1);

/** For each word of 15 bits, the first in the lowest place: 16 times the symbol that it begins with, plus the bits of that. */
type Code = Uint16Array;

let fixed: { readonly literals: Code; readonly distances: Code } | undefined;

/**
 * Unpacks bytes.
 *
 * @param most bytes that they may be unpacked
 * @param form "zlib" with header and check sum, or "raw"
 * @param partial gives the first bytes, where there are more or the rest is not there
 * @throws {ScriptInflateError} if they are damaged, or more
 */
export function inflateInScript(packed: Uint8Array, most: number, form: "zlib" | "raw", partial = false): Uint8Array<ArrayBuffer> {
  const stream = new Inflation(packed, most);
  try {
    if (form === "zlib") stream.header();
    while (stream.block());
    if (form === "zlib") stream.trailer();
  } catch (error) {
    const cut = error instanceof ScriptInflateError && error.code !== "Z_DATA_ERROR";
    if (!partial || !cut) throw error;
  }
  return stream.unpacked;
}

/** A stream that is being unpacked. */
class Inflation {
  readonly #in: Uint8Array;
  readonly #out: Uint8Array<ArrayBuffer>;
  #at = 0;
  #end = 0;
  /** Bits that were read and not yet used, and how many. */
  #bits = 0;
  #count = 0;

  constructor(packed: Uint8Array, most: number) {
    this.#in = packed;
    this.#out = new Uint8Array(most);
  }

  get unpacked(): Uint8Array<ArrayBuffer> {
    return this.#out.subarray(0, this.#end);
  }

  /** The frame's two bytes before the stream: deflate, a check sum, no dictionary. */
  header(): void {
    const first = this.#take(8), second = this.#take(8);
    if ((first & 15) !== 8 || (256 * first + second) % 31 !== 0 || (second & 32) !== 0) {
      throw new ScriptInflateError("Z_DATA_ERROR");
    }
  }

  /** Adler-32 of what was unpacked, behind the stream. */
  trailer(): void {
    this.#align();
    let expected = 0;
    for (let i = 0; i < 4; i++) expected = (expected << 8 | this.#take(8)) >>> 0;
    let a = 1, b = 0;
    for (let i = 0; i < this.#end;) {
      for (const stop = Math.min(this.#end, i + 3800); i < stop; i++) b += a += this.#out[i]!;
      [a, b] = [a % 65521, b % 65521];
    }
    if ((b << 16 | a) >>> 0 !== expected) throw new ScriptInflateError("Z_DATA_ERROR");
  }

  /** Unpacks a block; false if it is the last one. */
  block(): boolean {
    const last = this.#take(1) === 1;
    switch (this.#take(2)) {
      case 0:
        this.#stored();
        break;
      case 1:
        fixed ??= {
          literals: codeOf(Uint8Array.from({ length: 288 }, fixedLength)),
          distances: codeOf(new Uint8Array(30).fill(5)),
        };
        this.#coded(fixed.literals, fixed.distances);
        break;
      case 2:
        this.#coded(...this.#codes());
        break;
      default:
        throw new ScriptInflateError("Z_DATA_ERROR");
    }
    return !last;
  }

  #stored(): void {
    this.#align();
    const length = this.#take(16), inverse = this.#take(16);
    if ((length ^ inverse) !== 0xffff) throw new ScriptInflateError("Z_DATA_ERROR");
    // what was read ahead belongs to the bytes
    this.#at -= this.#count >> 3;
    [this.#bits, this.#count] = [0, 0];
    for (let i = 0; i < length; i++) {
      if (this.#at >= this.#in.length) throw new ScriptInflateError("Z_BUF_ERROR");
      this.#put(this.#in[this.#at++]!);
    }
  }

  /** The two codes before a block. */
  #codes(): [literals: Code, distances: Code] {
    const literals = this.#take(5) + 257, distances = this.#take(5) + 1, given = this.#take(4) + 4;
    const small = new Uint8Array(19);
    for (const symbol of ORDER.slice(0, given)) small[symbol] = this.#take(3);
    const code = codeOf(small), lengths = new Uint8Array(literals + distances);
    for (let i = 0; i < lengths.length;) {
      const symbol = this.#symbol(code);
      if (symbol < 16) {
        lengths[i++] = symbol;
        continue;
      }
      if (symbol === 16 && i === 0) throw new ScriptInflateError("Z_DATA_ERROR");
      const repeated = symbol === 16 ? lengths[i - 1]! : 0;
      const times = symbol === 16 ? 3 + this.#take(2) : symbol === 17 ? 3 + this.#take(3) : 11 + this.#take(7);
      if (i + times > lengths.length) throw new ScriptInflateError("Z_DATA_ERROR");
      lengths.fill(repeated, i, i += times);
    }
    if (lengths[256] === 0) throw new ScriptInflateError("Z_DATA_ERROR");
    return [codeOf(lengths.subarray(0, literals)), codeOf(lengths.subarray(literals))];
  }

  #coded(literals: Code, distances: Code): void {
    for (;;) {
      const symbol = this.#symbol(literals);
      if (symbol < 256) {
        this.#put(symbol);
        continue;
      }
      if (symbol === 256) return;
      const length = LENGTHS[symbol - 257];
      if (length === undefined) throw new ScriptInflateError("Z_DATA_ERROR");
      const copied = length + this.#take(LENGTH_BITS[symbol - 257]!), far = this.#symbol(distances);
      if (far >= DISTANCES.length) throw new ScriptInflateError("Z_DATA_ERROR");
      const distance = DISTANCES[far]! + this.#take(DISTANCE_BITS[far]!);
      if (distance > this.#end) throw new ScriptInflateError("Z_DATA_ERROR");
      for (let i = 0; i < copied; i++) this.#put(this.#out[this.#end - distance]!);
    }
  }

  #put(byte: number): void {
    if (this.#end === this.#out.length) throw new ScriptInflateError("ERR_BUFFER_TOO_LARGE");
    this.#out[this.#end++] = byte;
  }

  #symbol(code: Code): number {
    while (this.#count < LONGEST && this.#at < this.#in.length) this.#more();
    const found = code[this.#bits & 0x7fff]!, length = found & 15;
    if (length === 0) throw new ScriptInflateError("Z_DATA_ERROR");
    this.#drop(length);
    return found >> 4;
  }

  #take(count: number): number {
    while (this.#count < count) {
      if (this.#at >= this.#in.length) throw new ScriptInflateError("Z_BUF_ERROR");
      this.#more();
    }
    const value = this.#bits & (1 << count) - 1;
    this.#drop(count);
    return value;
  }

  #more(): void {
    this.#bits |= this.#in[this.#at++]! << this.#count;
    this.#count += 8;
  }

  #drop(count: number): void {
    if (count > this.#count) throw new ScriptInflateError("Z_BUF_ERROR");
    this.#bits >>>= count;
    this.#count -= count;
  }

  /** Leaves out the rest of a byte. */
  #align(): void {
    this.#drop(this.#count & 7);
  }
}

function fixedLength(_: unknown, symbol: number): number {
  return symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8;
}

/** The table of a prefix code; @throws {ScriptInflateError} if more words are of these lengths than there are */
function codeOf(lengths: Uint8Array): Code {
  const table = new Uint16Array(1 << LONGEST);
  let word = 0;
  for (let length = 1; length <= LONGEST; length++, word <<= 1) {
    for (let symbol = 0; symbol < lengths.length; symbol++) {
      if (lengths[symbol] !== length) continue;
      if (word >> length !== 0) throw new ScriptInflateError("Z_DATA_ERROR");
      let reversed = 0;
      for (let bit = 0; bit < length; bit++) reversed |= (word >> bit & 1) << length - 1 - bit;
      for (let at = reversed; at < table.length; at += 1 << length) table[at] = symbol << 4 | length;
      word++;
    }
  }
  return table;
}
