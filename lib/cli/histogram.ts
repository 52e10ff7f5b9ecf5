/** @file Histograms of text, for the terminal. */

const WIDTH = 40;
/** Eighths of a character cell. */
const PARTS = ["", "\u258f", "\u258e", "\u258d", "\u258c", "\u258b", "\u258a", "\u2589"];

/**
 * A histogram, one line a bin, its bars scaled to the fullest bin.
 *
 * @param values what to count; those out of range are counted in the outermost bins
 * @param low start of the first bin
 * @param high end of the last bin
 */
export function histogram(values: ArrayLike<number>, low: number, high: number, bins: number): string {
  const counts = new Array<number>(bins).fill(0);
  let open = false;
  for (let i = 0; i < values.length; i++) {
    // beside values so large that a bin has no width, all are in the first
    const bin = Math.floor(bins * (values[i]! - low) / (high - low)) || 0;
    counts[Math.min(bins - 1, Math.max(0, bin))]!++;
    open ||= values[i]! >= high;
  }
  const most = counts.reduce((a, b) => Math.max(a, b), 1);
  const edges = counts.map((_, i) => `${Math.round(low + i * (high - low) / bins)}${open ? (i === bins - 1 ? "+" : " ") : ""}`);
  const width = edges.reduce((longest, edge) => Math.max(longest, edge.length), 0);
  const digits = String(most).length;
  return counts.map((count, i) => {
    const eighths = Math.round(8 * WIDTH * count / most);
    const bar = "\u2588".repeat(eighths >> 3) + PARTS[eighths & 7];
    return `  ${edges[i]!.padStart(width)}  ${String(count).padStart(digits)}  ${bar}`;
  }).join("\n");
}
