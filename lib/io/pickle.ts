/**
 * @file A restricted unpickler: it builds dicts, lists, tuples, numbers, text, and what its caller makes of a few named globals.
 *
 * A pickle is a program for a stack machine that may call any function by name. This one knows the opcodes that plain
 * data needs, hands the names and arguments of calls to the caller, who knows some and refuses the rest, and executes nothing. Opcodes:
 * https://docs.python.org/3/library/pickletools.html.
 */

/** A pickle that is damaged, or wants more than data. */
export class PickleError extends Error {
  /** Name of the error class. */
  override readonly name = "PickleError";
}

/** A class or function that a pickle names. */
export class Global {
  /** Module and name, such as "collections.OrderedDict". */
  readonly name: string;

  /** Names a global; nothing is looked up. */
  constructor(name: string) {
    this.name = name;
  }
}

/** What a pickle may name and refer to. */
export interface PickleHost {
  /** Refuses names that are not known, by throwing. */
  global(name: string): Global;
  /** The result of calling a known global. */
  call(global: Global, values: readonly unknown[]): unknown;
  /** What a persistent id stands for. */
  persistent(id: unknown): unknown;
  /** Takes note of the attributes that a pickle gives to something else than a dict; refuses by throwing. */
  build(target: unknown, attributes: unknown): void;
}

const MARK = Symbol("mark");

/**
 * Builds the value of a pickle: dicts as Map, lists and tuples as arrays.
 *
 * @throws {PickleError} if the pickle is cut, or holds an opcode that no plain data needs
 */
export function unpickle(bytes: Uint8Array, host: PickleHost): unknown {
  const machine = new Machine(bytes, host);
  try {
    return machine.run();
  } catch (error) {
    if (error instanceof RangeError) throw new PickleError("the pickle is cut");
    throw error;
  }
}

class Machine {
  readonly #view: DataView;
  readonly #host: PickleHost;
  readonly #stack: unknown[] = [];
  readonly #memo = new Map<number, unknown>();
  #at = 0;

  constructor(bytes: Uint8Array, host: PickleHost) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#host = host;
  }

  run(): unknown {
    for (;;) {
      const at = this.#at;
      const code = this.#u8();
      if (code === 0x2e) return this.#pop(); // STOP
      const step = Machine.#steps[code];
      if (!step) throw new PickleError(`byte ${at} of the pickle is opcode 0x${code.toString(16)}, which plain data does not need`);
      step.call(this);
    }
  }

  static readonly #steps: Readonly<Record<number, (this: Machine) => void>> = {
    // PROTO, FRAME
    0x80() {
      this.#at += 1;
    },
    0x95() {
      this.#at += 8;
    },
    // MARK, POP
    0x28() {
      this.#stack.push(MARK);
    },
    0x30() {
      this.#pop();
    },
    // NONE, NEWTRUE, NEWFALSE
    0x4e() {
      this.#stack.push(null);
    },
    0x88() {
      this.#stack.push(true);
    },
    0x89() {
      this.#stack.push(false);
    },
    // BININT, BININT1, BININT2, LONG1, BINFLOAT
    0x4a() {
      this.#stack.push(this.#view.getInt32(this.#skip(4), true));
    },
    0x4b() {
      this.#stack.push(this.#u8());
    },
    0x4d() {
      this.#stack.push(this.#view.getUint16(this.#skip(2), true));
    },
    0x8a() {
      this.#stack.push(this.#long(this.#u8()));
    },
    0x47() {
      this.#stack.push(this.#view.getFloat64(this.#skip(8)));
    },
    // BINUNICODE, SHORT_BINUNICODE
    0x58() {
      this.#stack.push(this.#text(this.#u32()));
    },
    0x8c() {
      this.#stack.push(this.#text(this.#u8()));
    },
    // EMPTY_DICT, EMPTY_LIST, EMPTY_TUPLE, TUPLE, TUPLE1, TUPLE2, TUPLE3
    0x7d() {
      this.#stack.push(new Map());
    },
    0x5d() {
      this.#stack.push([]);
    },
    0x29() {
      this.#stack.push([]);
    },
    0x74() {
      this.#stack.push(this.#popMark());
    },
    0x85() {
      this.#stack.push([this.#pop()]);
    },
    0x86() {
      this.#stack.push(this.#popMany(2));
    },
    0x87() {
      this.#stack.push(this.#popMany(3));
    },
    // SETITEM, SETITEMS, APPEND, APPENDS
    0x73() {
      this.#setItems(this.#popMany(2));
    },
    0x75() {
      this.#setItems(this.#popMark());
    },
    0x61() {
      this.#append([this.#pop()]);
    },
    0x65() {
      this.#append(this.#popMark());
    },
    // BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET
    0x71() {
      this.#memo.set(this.#u8(), this.#top());
    },
    0x72() {
      this.#memo.set(this.#u32(), this.#top());
    },
    0x94() {
      this.#memo.set(this.#memo.size, this.#top());
    },
    0x68() {
      this.#recall(this.#u8());
    },
    0x6a() {
      this.#recall(this.#u32());
    },
    // GLOBAL, STACK_GLOBAL, REDUCE, BINPERSID
    0x63() {
      const [module, name] = [this.#line(), this.#line()];
      this.#stack.push(this.#host.global(`${module}.${name}`));
    },
    0x93() {
      const [module, name] = this.#popMany(2);
      if (typeof module !== "string" || typeof name !== "string") throw new PickleError("the pickle imports what has no name");
      this.#stack.push(this.#host.global(`${module}.${name}`));
    },
    0x52() {
      const [global, values] = this.#popMany(2);
      if (!(global instanceof Global) || !Array.isArray(values)) throw new PickleError("the pickle calls what is no function");
      this.#stack.push(this.#host.call(global, values));
    },
    0x51() {
      this.#stack.push(this.#host.persistent(this.#pop()));
    },
    // BUILD: attributes of a dict, such as PyTorch's _metadata, are left out
    0x62() {
      const attributes = this.#pop(), target = this.#top();
      if (!(target instanceof Map)) this.#host.build(target, attributes);
    },
  };

  #skip(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    return at;
  }

  #u8(): number {
    return this.#view.getUint8(this.#skip(1));
  }

  #u32(): number {
    return this.#view.getUint32(this.#skip(4), true);
  }

  /** A little-endian two's complement number of so many bytes. */
  #long(bytes: number): number {
    if (bytes > 8) throw new PickleError("the pickle holds a whole number of more than 64 bits");
    let value = 0n;
    for (let i = 0; i < bytes; i++) value |= BigInt(this.#u8()) << BigInt(8 * i);
    return Number(BigInt.asIntN(8 * bytes, value));
  }

  #text(bytes: number): string {
    const at = this.#skip(bytes);
    if (this.#at > this.#view.byteLength) throw new PickleError("the pickle is cut");
    return new TextDecoder().decode(new Uint8Array(this.#view.buffer, this.#view.byteOffset + at, bytes));
  }

  #line(): string {
    const first = this.#at;
    while (this.#u8() !== 0x0a);
    return new TextDecoder().decode(new Uint8Array(this.#view.buffer, this.#view.byteOffset + first, this.#at - 1 - first));
  }

  #top(): unknown {
    if (this.#stack.length === 0) throw new PickleError("the pickle takes from an empty stack");
    return this.#value(this.#stack.at(-1));
  }

  /** Anything on the stack but a mark, which is no value. */
  #value(item: unknown): unknown {
    if (item === MARK) throw new PickleError("the pickle takes a mark for a value");
    return item;
  }

  #pop(): unknown {
    const value = this.#top();
    this.#stack.pop();
    return value;
  }

  #popMany(count: number): unknown[] {
    if (this.#stack.length < count) throw new PickleError("the pickle takes from an empty stack");
    return this.#stack.splice(this.#stack.length - count).map(this.#value);
  }

  #popMark(): unknown[] {
    const mark = this.#stack.lastIndexOf(MARK);
    if (mark < 0) throw new PickleError("the pickle looks for a mark that it has not set");
    return this.#stack.splice(mark).slice(1);
  }

  #setItems(pairs: unknown[]): void {
    const dict = this.#top();
    if (!(dict instanceof Map) || pairs.length % 2 !== 0) throw new PickleError("the pickle sets items of what is no dict");
    for (let i = 0; i < pairs.length; i += 2) dict.set(pairs[i], pairs[i + 1]);
  }

  #append(values: unknown[]): void {
    const list = this.#top();
    if (!Array.isArray(list)) throw new PickleError("the pickle appends to what is no list");
    for (const value of values) list.push(value);
  }

  #recall(key: number): void {
    if (!this.#memo.has(key)) throw new PickleError("the pickle recalls what it has not stored");
    this.#stack.push(this.#memo.get(key));
  }
}
