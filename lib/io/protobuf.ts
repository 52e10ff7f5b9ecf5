/**
 * @file Protocol Buffers, as far as it takes to write a message: a list of fields, each a number, a kind, and a value.
 *
 * What a number means is in a schema, which is not needed here. Kinds: 0, a whole number in groups of seven bits, the lowest first;
 * 1, eight bytes; 2, a length and so many bytes (text, or another message); 5, four bytes. Format: https://protobuf.dev/programming-guides/encoding.
 */

import { concat } from "../arrays.ts";

const VARINT = 0, EIGHT_BYTES = 1, BYTES = 2, FOUR_BYTES = 5;
/** What readers of the format take at most. */
const MOST_BYTES = 2 ** 31 - 1;

/** A message that is being put together. */
export class ProtobufMessage {
  readonly #pieces: Uint8Array[] = [];
  #length = 0;

  /** Adds a whole number, such as an int64 or an enum. */
  whole(field: number, value: number): this {
    return this.#add(varint(field << 3 | VARINT), varint(value));
  }

  /** Adds a 64-bit float. */
  double(field: number, value: number): this {
    return this.#add(varint(field << 3 | EIGHT_BYTES), new Uint8Array(Float64Array.of(value).buffer));
  }

  /** Adds a 32-bit float. */
  float(field: number, value: number): this {
    return this.#add(varint(field << 3 | FOUR_BYTES), new Uint8Array(Float32Array.of(value).buffer));
  }

  /** Adds text or bytes. */
  bytes(field: number, value: string | Uint8Array): this {
    const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
    return this.#add(varint(field << 3 | BYTES), varint(bytes.length), bytes);
  }

  /** Adds another message, as it is now. */
  message(field: number, value: ProtobufMessage): this {
    return this.#add(varint(field << 3 | BYTES), varint(value.#length), ...value.#pieces);
  }

  /**
   * The bytes of all fields, in the order in which they were added.
   *
   * @throws {RangeError} if they are 2 GiB or more
   */
  encode(): Uint8Array<ArrayBuffer> {
    if (this.#length > MOST_BYTES) throw new RangeError(`the message has ${this.#length} bytes, and readers take ${MOST_BYTES}`);
    return concat(this.#pieces);
  }

  #add(...pieces: readonly Uint8Array[]): this {
    for (const piece of pieces) {
      this.#pieces.push(piece);
      this.#length += piece.length;
    }
    return this;
  }
}

/** Groups of seven bits; negative numbers as 64 bits in two's complement. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Uint8Array.of(...bytes, Number(rest));
}
