/**
 * @file The only thing that happens to a kernel's text between the file a reviewer reads and the adapter.
 *
 * A `.wgsl` file compiles as it stands, with its libraries. {@linkcode specialise} changes these things in it, all marked
 * in the file itself:
 *
 * - `const NAME: type = value;` takes another value, so that sizes and tile shapes are constants for
 *   the compiler (the declaration keeps its type, an unknown name is an error);
 * - `alias Number = f32;` becomes `vec4<f32>` for kernels that work on one number or four alike;
 * - a `for` loop under a line `// unroll` is repeated in the text, because neither naga nor the
 *   drivers below it unroll: each loop keeps a hidden counter and each dynamic index a clamp, which
 *   costs more than the arithmetic of an inner loop.
 *
 * A local array whose every index has become a constant is replaced by one variable an element: the same program,
 * which naga checks several times faster. Each is given its zero in words: naga does not clear a variable declared
 * without a value in a loop when the loop comes round again.
 *
 * A block `if (NAME) { ... }` or `if (NAME) { ... } else { ... }` on a `const NAME: bool` is resolved as well,
 * since an entry point must bind every buffer that its text mentions, in a dead branch too.
 */

/** Values for the `const` declarations of a kernel (sizes, tile shapes, switches), and types for its `alias` declarations. */
export type Constants = Readonly<Record<string, number | boolean | NumberType>>;

/** What an `alias` of a kernel may stand for: one number, or four side by side. */
export type NumberType = "f32" | "vec4<f32>";

/** What a kernel may do with a storage or uniform buffer; texels are read from a texture, with a sampler. */
export type Access = "read" | "read_write" | "uniform" | "texels" | "sampler";

/** One `@group(0) @binding(n) var` declaration of a kernel. */
export interface Binding {
  /** The number in `@binding(n)`. */
  readonly index: number;
  /** How the kernel uses what is bound. */
  readonly access: Access;
}

/**
 * Returns the kernel with its constants set and its marked loops unrolled.
 *
 * @param source the text of a `.wgsl` file
 * @param constants new values for `const` declarations of that file
 * @param entry the entry point that is wanted: others are left out, and what it does not use
 * @returns WGSL that computes the same with those constants
 * @throws {Error} if a constant is not declared in the source, or a marked loop cannot be unrolled
 */
export function specialise(source: string, constants: Constants, entry?: string): string {
  const text = select(source, constants, entry);
  const numbers = integerConstants(text);
  return scalarise(unroll(text, numbers), numbers);
}

/**
 * The part of a kernel that an entry point uses: constants are set, branches that they leave out and functions that nobody calls are
 * gone, and so are comments but those that mark loops.
 *
 * @throws {Error} if a constant is not declared in the source
 */
export function select(source: string, constants: Constants, entry?: string): string {
  let text = source.replaceAll(/^[ \t]*\/\/(?! unroll\b).*\n|[ \t]+\/\/(?! unroll\b).*$/gm, "");
  for (const [name, value] of Object.entries(constants)) {
    if (typeof value === "string") {
      const alias = new RegExp(`^alias ${name} = [^;]+;`, "m");
      if (!alias.test(text)) throw new Error(`Cannot specialise kernel: it declares no alias "${name}"`);
      text = text.replace(alias, `alias ${name} = ${value};`);
      continue;
    }
    const declaration = new RegExp(`^const ${name}: (u32|i32|f32|bool) = [^;]+;`, "m");
    const type = declaration.exec(text)?.[1];
    if (type === undefined) throw new Error(`Cannot specialise kernel: it declares no constant "${name}"`);
    text = text.replace(declaration, `const ${name}: ${type} = ${literal(value, type, name)};`);
  }
  return entry === undefined ? prune(text) : reachable(prune(text), entry);
}

/**
 * The bindings that a kernel declares, by name.
 *
 * @param source the text of a `.wgsl` file
 * @returns index and access of every binding of group 0
 */
export function bindingsOf(source: string): Map<string, Binding> {
  const pattern = /^@group\(0\) @binding\((\d+)\) var(?:<(?:storage, )?(uniform|read|read_write)>)? (\w+): (\w+)/gm;
  const found = new Map<string, Binding>();
  for (const [, index, access, name, type] of source.matchAll(pattern)) {
    found.set(name!, { index: Number(index), access: access as Access | undefined ?? (type === "sampler" ? "sampler" : "texels") });
  }
  return found;
}

/** Names of the entry points that a kernel has. */
export function entriesOf(source: string): string[] {
  return Array.from(source.matchAll(/^@compute @workgroup_size\([^)]*\)\s*fn (\w+)\(/gm), ([, name]) => name!);
}

function literal(value: number | boolean, type: string, name: string): string {
  if (type === "bool") return value ? "true" : "false";
  const number = Number(value);
  if (!Number.isFinite(number)) throw new Error(`Cannot specialise kernel: constant "${name}" is ${value}`);
  // 1e+30 is a float as it stands
  if (type === "f32") return /^-?\d+$/.test(`${number}`) ? `${number}.0` : `${number}`;
  if (!Number.isInteger(number) || (type === "u32" && number < 0)) {
    throw new Error(`Cannot specialise kernel: constant "${name}" must be of type ${type}: current value is ${value}`);
  }
  return type === "u32" ? `${number}u` : `${number}`;
}

/** All whole-number constants, those given by an expression of earlier ones included. */
function integerConstants(text: string): Map<string, number> {
  const values = new Map<string, number>();
  for (const [, name, expression] of text.matchAll(/^const (\w+): (?:u32|i32) = ([^;]+);/gm)) {
    const value = evaluate(expression!, values);
    if (value !== undefined) values.set(name!, value);
  }
  return values;
}

/** Value of a sum, difference, product or quotient of whole numbers and constants, left to right by precedence. */
function evaluate(expression: string, values: Map<string, number>): number | undefined {
  const tokens = expression.replaceAll(/\b(\d+)[ui]\b/g, "$1").match(/\w+|[-+*/%()]/g) ?? [];
  let at = 0;
  const atom = (): number | undefined => {
    const token = tokens[at++];
    if (token === "(") {
      const value = sum();
      at++;
      return value;
    }
    return token !== undefined && /^\d+$/.test(token) ? Number(token) : values.get(token ?? "");
  };
  const chain = (next: () => number | undefined, operators: string) => (): number | undefined => {
    let left = next();
    while (at < tokens.length && operators.includes(tokens[at]!)) {
      const operator = tokens[at++];
      const right = next();
      if (left === undefined || right === undefined) return undefined;
      left = operator === "+"
        ? left + right
        : operator === "-"
        ? left - right
        : operator === "*"
        ? left * right
        : operator === "%"
        ? left % right
        : Math.trunc(left / right);
    }
    return left;
  };
  const product = chain(atom, "*/%");
  const sum: () => number | undefined = chain(product, "+-");
  const value = sum();
  return at === tokens.length ? value : undefined;
}

/** Replaces local arrays by single variables in every function where all uses have a constant index. */
function scalarise(text: string, constants: Map<string, number>): string {
  const code = text.replaceAll(/[ \t]*\/\/.*$/gm, "");
  const pieces: string[] = [];
  let done = 0;
  for (const { index } of code.matchAll(/^fn \w+\(/gm)) {
    const end = closingBrace(code, code.indexOf("{", index) + 1);
    pieces.push(code.slice(done, index), scalariseFunction(code.slice(index, end), constants));
    done = end;
  }
  return pieces.join("") + code.slice(done);
}

const LOCAL_ARRAY = /\bvar (\w+): array<(.+), ([^,<>]+)>;/g;

function scalariseFunction(text: string, constants: Map<string, number>): string {
  for (const name of new Set([...text.matchAll(LOCAL_ARRAY)].map(([, name]) => name!))) {
    let constant = true;
    const index = (expression: string | undefined) => {
      const value = expression === undefined ? undefined : evaluate(expression, constants);
      constant &&= value !== undefined;
      return value;
    };
    const declared = text.replaceAll(LOCAL_ARRAY, (whole, variable, type, length) => {
      if (variable !== name) return whole;
      // "#" keeps the new names out of the search for uses
      return Array.from({ length: index(length) ?? 0 }, (_, i) => `var ${name}#${i} = ${type}();`).join(" ");
    });
    const use = new RegExp(`\\b${name}\\b(?!#)(?:\\[([^\\[\\]]+)\\])?`, "g");
    const used = declared.replaceAll(use, (_, expression) => `${name}#${index(expression)}`);
    if (constant) text = used.replaceAll(`${name}#`, `${name}_`);
  }
  return text;
}

/** Removes all functions but an entry point and those that it calls, itself or by way of others. */
function reachable(text: string, entry: string): string {
  const functions = Array.from(
    text.matchAll(/^(?:@compute @workgroup_size\([^)]*\)\s*)?fn (\w+)\(/gm),
    ({ 0: head, 1: name, index }) => {
      const end = closingBrace(text, text.indexOf("{", index + head.length) + 1) + 1;
      return { name: name!, index, end, calls: new Set(text.slice(index + head.length, end).match(/\b\w+(?=\()/g)) };
    },
  );
  const called = new Set([entry]);
  // a set that grows while it is gone through is gone through to its end
  for (const name of called) {
    for (const call of functions.find((f) => f.name === name)?.calls ?? []) called.add(call);
  }
  return functions.filter(({ name }) => !called.has(name)).toReversed()
    .reduce((left, { index, end }) => left.slice(0, index) + left.slice(end + 1), text);
}

/** Replaces `if` blocks on a boolean constant by the branch that is taken. */
function prune(text: string): string {
  for (const [, name, value] of text.matchAll(/^const (\w+): bool = (true|false);/gm)) {
    const head = new RegExp(`\\bif \\((!?)${name}\\) \\{`);
    let match: RegExpExecArray | null;
    while ((match = head.exec(text))) {
      const open = match.index + match[0].length;
      const close = closingBrace(text, open);
      const otherwise = /^ else \{/.exec(text.slice(close + 1));
      const end = otherwise ? closingBrace(text, close + 1 + otherwise[0].length) : close;
      const taken = (value === "true") !== (match[1] === "!");
      const body = taken ? text.slice(open, close) : otherwise ? text.slice(close + 1 + otherwise[0].length, end) : "";
      text = `${text.slice(0, match.index)}{${body}}${text.slice(end + 1)}`;
    }
  }
  return text;
}

const MARK = /[ \t]*\/\/ unroll\s*\n[ \t]*for \(var (\w+) = (\w+); \1 < ([^;]+); \1\+\+\) \{/g;

/** Repeats the body of every marked loop, innermost first; the loop variable becomes a literal. */
function unroll(text: string, constants: Map<string, number>): string {
  const pieces: string[] = [];
  let done = 0;
  // a search per call: the pattern is used again for the bodies
  const mark = new RegExp(MARK);
  for (let match = mark.exec(text); match; match = mark.exec(text)) {
    const [head, variable, first, limit] = match;
    const open = match.index + head.length;
    const close = closingBrace(text, open);
    const from = evaluate(first!, constants);
    const to = evaluate(limit!, constants);
    if (from === undefined || to === undefined) {
      throw new Error(`Cannot unroll "for (var ${variable} ...)": "${first}" or "${limit}" is no constant`);
    }
    const parts = unroll(text.slice(open, close), constants).split(new RegExp(`\\b${variable}\\b`));
    const suffix = first!.endsWith("u") ? "u" : "";
    pieces.push(text.slice(done, match.index));
    for (let value = from; value < to; value++) pieces.push("{", parts.join(`${value}${suffix}`), "}\n");
    done = mark.lastIndex = close + 1;
  }
  const result = pieces.join("") + text.slice(done);
  if (/^[ \t]*\/\/ unroll\b/m.test(result)) {
    throw new Error("Cannot unroll: a line '// unroll' must stand above 'for (var i = 0u; i < LIMIT; i++) {'");
  }
  return result;
}

function closingBrace(text: string, from: number): number {
  let depth = 1;
  for (let i = from; i < text.length; i++) {
    if (text[i] === "{") depth++;
    else if (text[i] === "}" && --depth === 0) return i;
  }
  throw new Error("Cannot unroll: a marked loop has no closing brace");
}
