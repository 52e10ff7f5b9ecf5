/**
 * @file A restricted unpickler: it builds dicts, lists, tuples, numbers, text and bytes, and calls nothing.
 *
 * A pickle is a program for a stack machine that may call any function by name. This one knows the opcodes of protocols 0 to 5, but
 * for those that need a registry or buffers from outside. Names and arguments of calls go to the caller, who knows some of them; any
 * other becomes a placeholder that keeps what the pickle puts into it. Time and memory are linear in the pickle's size: a step looks
 * at no more than its own bytes and what it takes from the stack. Opcodes: https://docs.python.org/3/library/pickletools.html.
 */

import { Operands } from "./pickle_operands.ts";
import { Global, Opaque, PickleError } from "./pickle_values.ts";

/** What a pickle may call and refer to. Each must take no more time than its arguments have parts, since arguments may be shared. */
export interface PickleHost {
  /** The result of a call that is known; undefined for any other. */
  call(name: string, values: readonly unknown[]): unknown;
  /** What a persistent id stands for. */
  persistent(id: unknown): unknown;
  /** Takes note of the state that a pickle gives to something that a call made. */
  build(target: unknown, state: unknown): void;
}

const STOP = 0x2e;

/**
 * Builds the value of a pickle: dicts as Map, lists and tuples as arrays, bytes as Uint8Array, sets and whole numbers of more than
 * 64 bits as placeholders.
 *
 * @throws {PickleError} if the pickle is cut, or holds an opcode that no plain data needs
 */
export function unpickle(bytes: Uint8Array, host: PickleHost): unknown {
  return new Machine(new Operands(bytes), host).run();
}

class Machine {
  readonly #in: Operands;
  readonly #host: PickleHost;
  readonly #stack: unknown[] = [];
  /** Heights of the stack at which marks were set. */
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, unknown>();

  constructor(operands: Operands, host: PickleHost) {
    this.#in = operands;
    this.#host = host;
  }

  run(): unknown {
    for (;;) {
      const at = this.#in.at, code = this.#in.u8();
      if (code === STOP) return this.#pop();
      const step = Machine.#steps[code];
      if (!step) throw new PickleError(`byte ${at} of the pickle is opcode 0x${code.toString(16)}, which plain data does not need`);
      step(this);
    }
  }

  static readonly #steps: Readonly<Record<number, (m: Machine) => unknown>> = {
    // PROTO, FRAME
    0x80: (m) => m.#in.skip(1),
    0x95: (m) => m.#in.skip(8),
    // MARK, POP, POP_MARK, DUP
    0x28: (m) => m.#marks.push(m.#stack.length),
    0x30: (m) => m.#stack.length === m.#marks.at(-1) ? m.#marks.pop() : m.#pop(),
    0x31: (m) => m.#popMark(),
    0x32: (m) => m.#push(m.#top()),
    // NONE, NEWTRUE, NEWFALSE
    0x4e: (m) => m.#push(null),
    0x88: (m) => m.#push(true),
    0x89: (m) => m.#push(false),
    // INT, LONG, FLOAT, BININT, BININT1, BININT2, LONG1, LONG4, BINFLOAT
    0x49: (m) => m.#pushNumber(m.#in.decimal()),
    0x4c: (m) => m.#pushNumber(m.#in.decimal()),
    0x46: (m) => m.#pushNumber(m.#in.decimal()),
    0x4a: (m) => m.#push(m.#in.i32()),
    0x4b: (m) => m.#push(m.#in.u8()),
    0x4d: (m) => m.#push(m.#in.u16()),
    0x8a: (m) => m.#pushNumber(m.#in.long(m.#in.u8())),
    0x8b: (m) => m.#pushNumber(m.#in.long(m.#in.u32())),
    0x47: (m) => m.#push(m.#in.f64()),
    // STRING, BINSTRING, SHORT_BINSTRING, UNICODE, BINUNICODE, SHORT_BINUNICODE, BINUNICODE8
    0x53: (m) => m.#push(m.#in.quotedLine()),
    0x54: (m) => m.#push(m.#in.latin1(m.#in.u32())),
    0x55: (m) => m.#push(m.#in.latin1(m.#in.u8())),
    0x56: (m) => m.#push(m.#in.escapedLine()),
    0x58: (m) => m.#push(m.#in.text(m.#in.u32())),
    0x8c: (m) => m.#push(m.#in.text(m.#in.u8())),
    0x8d: (m) => m.#push(m.#in.text(m.#in.u64())),
    // BINBYTES, SHORT_BINBYTES, BINBYTES8, BYTEARRAY8
    0x42: (m) => m.#push(m.#in.bytes(m.#in.u32())),
    0x43: (m) => m.#push(m.#in.bytes(m.#in.u8())),
    0x8e: (m) => m.#push(m.#in.bytes(m.#in.u64())),
    0x96: (m) => m.#push(m.#in.bytes(m.#in.u64())),
    // EMPTY_DICT, DICT, EMPTY_LIST, LIST, EMPTY_TUPLE, TUPLE, TUPLE1, TUPLE2, TUPLE3, EMPTY_SET, FROZENSET
    0x7d: (m) => m.#push(new Map()),
    0x64: (m) => m.#setItems(m.#popMark(), m.#push(new Map())),
    0x5d: (m) => m.#push([]),
    0x6c: (m) => m.#push(m.#popMark()),
    0x29: (m) => m.#push([]),
    0x74: (m) => m.#push(m.#popMark()),
    0x85: (m) => m.#push(m.#popMany(1)),
    0x86: (m) => m.#push(m.#popMany(2)),
    0x87: (m) => m.#push(m.#popMany(3)),
    0x8f: (m) => m.#push(new Opaque("builtins.set")),
    0x91: (m) => [m.#popMark(), m.#push(new Opaque("builtins.frozenset"))],
    // SETITEM, SETITEMS, APPEND, APPENDS, ADDITEMS
    0x73: (m) => m.#setItems(m.#popMany(2), m.#top()),
    0x75: (m) => m.#setItems(m.#popMark(), m.#top()),
    0x61: (m) => m.#append(m.#popMany(1)),
    0x65: (m) => m.#append(m.#popMark()),
    0x90: (m) => m.#append(m.#popMark()),
    // PUT, BINPUT, LONG_BINPUT, MEMOIZE, GET, BINGET, LONG_BINGET
    0x70: (m) => m.#memo.set(Number(m.#in.line()), m.#top()),
    0x71: (m) => m.#memo.set(m.#in.u8(), m.#top()),
    0x72: (m) => m.#memo.set(m.#in.u32(), m.#top()),
    0x94: (m) => m.#memo.set(m.#memo.size, m.#top()),
    0x67: (m) => m.#recall(Number(m.#in.line())),
    0x68: (m) => m.#recall(m.#in.u8()),
    0x6a: (m) => m.#recall(m.#in.u32()),
    // GLOBAL, STACK_GLOBAL, PERSID, BINPERSID
    0x63: (m) => m.#push(m.#global()),
    0x93: (m) => m.#push(global(m.#popMany(2))),
    0x50: (m) => m.#push(m.#host.persistent(m.#in.line())),
    0x51: (m) => m.#push(m.#host.persistent(m.#pop())),
    // REDUCE, NEWOBJ, NEWOBJ_EX, INST, OBJ
    0x52: (m) => m.#call(m.#popMany(2)),
    0x81: (m) => m.#call(m.#popMany(2)),
    0x92: (m) => m.#call(m.#popMany(3)),
    0x69: (m) => m.#call([m.#global(), m.#popMark()]),
    0x6f: (m) => m.#call(headAndTail(m.#popMark())),
    // BUILD
    0x62: (m) => m.#build(m.#pop(), m.#top()),
  };

  #push<Value>(value: Value): Value {
    this.#stack.push(value);
    return value;
  }

  #pushNumber(value: number | boolean | undefined): void {
    this.#push(value ?? new Opaque("builtins.int"));
  }

  /** Checks that so many values lie above the last mark. */
  #need(count: number): void {
    if (this.#stack.length - (this.#marks.at(-1) ?? 0) < count) {
      throw new PickleError(
        this.#marks.length > 0 ? "the pickle takes a mark for a value" : "the pickle takes from an empty stack",
      );
    }
  }

  #top(): unknown {
    this.#need(1);
    return this.#stack.at(-1);
  }

  #pop(): unknown {
    this.#need(1);
    return this.#stack.pop();
  }

  #popMany(count: number): unknown[] {
    this.#need(count);
    return this.#stack.splice(this.#stack.length - count);
  }

  #popMark(): unknown[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw new PickleError("the pickle looks for a mark that it has not set");
    return this.#stack.splice(mark);
  }

  #recall(key: number): void {
    if (!this.#memo.has(key)) throw new PickleError("the pickle recalls what it has not stored");
    this.#push(this.#memo.get(key));
  }

  #setItems(pairs: unknown[], target: unknown): void {
    const items = target instanceof Opaque ? target.items : target;
    if (!(items instanceof Map) || pairs.length % 2 !== 0) throw new PickleError("the pickle sets items of what is no dict");
    for (let i = 0; i < pairs.length; i += 2) items.set(pairs[i], pairs[i + 1]);
  }

  /** A placeholder's list or set is not kept. */
  #append(values: unknown[]): void {
    const list = this.#top();
    if (list instanceof Opaque) return;
    if (!Array.isArray(list)) throw new PickleError("the pickle appends to what is no list");
    for (const value of values) list.push(value);
  }

  #global(): Global {
    return global([this.#in.line(), this.#in.line()]);
  }

  #call([callee, values, keywords]: unknown[]): void {
    if (!(callee instanceof Global || callee instanceof Opaque)) throw new PickleError("the pickle calls what is no function");
    const known = callee instanceof Global && Array.isArray(values) && keywords === undefined;
    this.#push((known ? this.#host.call(callee.name, values) : undefined) ?? new Opaque(callee.name));
  }

  /** A dict's and a list's attributes, such as PyTorch's _metadata, are left out. */
  #build(state: unknown, target: unknown): void {
    if (target instanceof Opaque) target.state = state;
    else if (!(target instanceof Map || Array.isArray(target))) this.#host.build(target, state);
  }
}

function global([module, name]: unknown[]): Global {
  if (typeof module !== "string" || typeof name !== "string") throw new PickleError("the pickle imports what has no name");
  return new Global(module, name);
}

function headAndTail([head, ...tail]: unknown[]): unknown[] {
  return [head, tail];
}
