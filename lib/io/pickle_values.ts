/** @file What a pickle makes beside plain values: names, and placeholders for what nobody called. */

/** A pickle that is damaged, or wants more than data. */
export class PickleError extends Error {
  /** Name of the error class. */
  override readonly name = "PickleError";
}

const LONGEST_NAME = 128;

/** A class or function that a pickle names; nothing is looked up. */
export class Global {
  /** Module and name, such as "collections.OrderedDict". */
  readonly name: string;

  /** Names a global; of names longer than any that is known, the beginning. */
  constructor(module: string, name: string) {
    this.name = `${module.slice(0, LONGEST_NAME)}.${name.slice(0, LONGEST_NAME)}`;
  }
}

/** What a call of something unknown would have made; it was not called. */
export class Opaque {
  /** What was to be called, such as "pathlib.PosixPath". */
  readonly name: string;
  /** Items that the pickle sets, as in a dict. */
  readonly items: Map<unknown, unknown> = new Map();
  /** State that the pickle gives, mostly a dict of attributes. */
  state: unknown;

  /** Stands for the result of a call. */
  constructor(name: string) {
    this.name = name;
  }
}
