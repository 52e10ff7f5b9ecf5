/**
 * @file JSON with what JSON.stringify drops or changes without a word: the order of names, infinities, NaN.
 *
 * A Map is written as an object in the order of its entries: a plain object puts names such as "10" and "9" in an order of its own,
 * and knows "__proto__" as something else. An infinity is the text "Infinity" or "-Infinity". NaN is an error: what is not defined
 * is null.
 */

/**
 * A value as JSON, two spaces for each level.
 *
 * @param value null, a boolean, a number, text, or a list, a Map or a record of such values
 * @throws {RangeError} naming a part that is NaN, or nothing of this kind
 */
export function formatJson(value: unknown): string {
  return format(value, "", "the value") + "\n";
}

function format(value: unknown, indent: string, path: string): string {
  if (typeof value === "number" && !Number.isNaN(value)) return Number.isFinite(value) ? String(value) : `"${value}"`;
  if (value === null || typeof value === "string" || typeof value === "boolean") return JSON.stringify(value);
  const inner = `${indent}  `;
  const lines = (open: string, parts: readonly string[], close: string) =>
    parts.length === 0 ? open + close : `${open}\n${parts.map((part) => inner + part).join(",\n")}\n${indent}${close}`;
  if (Array.isArray(value)) return lines("[", value.map((item, i) => format(item, inner, `${path}[${i}]`)), "]");
  if (typeof value !== "object") throw new RangeError(`${path} is ${String(value)}, which JSON has no form for`);
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return lines("{", entries.map(([name, item]) => `${JSON.stringify(name)}: ${format(item, inner, `${path}.${name}`)}`), "}");
}

/** True for values by name. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
