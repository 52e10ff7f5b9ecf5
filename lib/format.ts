/** @file Numbers with units, and text from files that others wrote, for messages. */

/** A size as "1.23 GB" or "4.5 MB". */
export function formatBytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Text with no more than 80 characters, for a message of one line. */
export function shorten(text: string): string {
  const line = text.replaceAll(/\p{Cc}+/gu, " ");
  return line.length > 80 ? `${line.slice(0, 80)}...` : line;
}

/** What stands in tables for a number that is not defined, such as an AUC of one class. */
export const NOT_DEFINED = "not defined";

/** How many digits a number has after the point; "significant" for the first four that are not 0, of numbers of any size. */
export type Digits = number | "significant";

/** A number with so many digits, fewer where it is huge; {@linkcode NOT_DEFINED} for none. */
export function formatReal(value: number | null | undefined, digits: Digits): string {
  if (value === null || value === undefined) return NOT_DEFINED;
  if (!Number.isFinite(value)) return String(value).replace("Infinity", "\u221e");
  if (digits === "significant") return formatSignificant(value);
  return Math.abs(value) < 1e9 ? value.toFixed(digits) : value.toPrecision(6);
}

function formatSignificant(value: number): string {
  const size = Math.abs(value);
  if (value === 0) return "0";
  return size >= 1000 && size < 1e9 ? value.toFixed(0) : value.toPrecision(4);
}

/** A whole number as "1,234,567". */
export function formatCount(count: number): string {
  return count.toLocaleString("en");
}

/** A speed in three digits, such as "0.123" or "1,230". */
export function formatSpeed(perSecond: number): string {
  const rounded = Number(perSecond.toPrecision(3));
  return rounded < 1000 ? perSecond.toPrecision(3) : formatCount(rounded);
}

const LISTED = 8;

/** The first few of many names, and how many more there are. */
export function listed(names: readonly string[]): string {
  const shown = names.slice(0, LISTED).map(shorten).join(", ");
  return names.length > LISTED ? `${shown} and ${formatCount(names.length - LISTED)} more` : shown;
}
