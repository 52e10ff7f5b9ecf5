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

/**
 * Reads rows that {@linkcode csvLine} has written.
 *
 * @throws {SyntaxError} if a quote has no end
 */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [], cell = /"((?:[^"]|"")*)"(,|\r?\n|$)|([^",\r\n]*)(,|\r?\n|$)/y;
  let row: string[] = [];
  while (cell.lastIndex < text.length) {
    const found = cell.exec(text);
    if (!found) throw new SyntaxError(`row ${rows.length + 1} is no row of a CSV file`);
    const [, quoted, afterQuoted, plain, afterPlain] = found;
    row.push(quoted === undefined ? plain! : quoted.replaceAll('""', '"'));
    if ((afterQuoted ?? afterPlain) === ",") continue;
    rows.push(row);
    row = [];
  }
  return rows;
}
