/** @file Tables as text with commas, quoted as RFC 4180 says: any program that reads CSV finds the cells that were written. */

/** What a cell holds. */
export type CsvCell = string | number;

/** One row, with its line feed. A cell that holds a comma, a quote or a line break is put in quotes, and its quotes are doubled. */
export function csvLine(cells: readonly CsvCell[]): string {
  return cells.map((cell) => {
    const text = String(cell);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }).join(",") + "\n";
}
