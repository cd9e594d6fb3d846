import { displayWidth } from "./text.ts";

/** A column of a table. */
export interface Column {
  title: string;
  /** Numbers stand on the right; default left. */
  align?: "left" | "right";
}

/**
 * Lays rows out under their titles, two spaces between columns, no trailing spaces, a newline after each line; nothing for no rows.
 * Cells are taken as they are: see {@link printable} for text from elsewhere. O(cells).
 *
 * @param rows - as many cells each as there are columns
 * @param options - `headers: false` leaves the titles out; `styleHeader` changes the title line after it is laid out
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: { headers?: boolean; styleHeader?: (line: string) => string } = {},
): string {
  if (rows.length === 0) return "";
  const headers = options.headers ?? true;
  const titles = columns.map((column) => column.title);
  const widths = columns.map((column, index) =>
    rows.reduce(
      (widest, row) => Math.max(widest, displayWidth(row[index]!)),
      headers ? displayWidth(column.title) : 0,
    ),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => pad(cell, widths[index]!, columns[index]!.align ?? "left"))
      .join("  ")
      .trimEnd();
  const styleHeader = options.styleHeader ?? ((text) => text);
  const lines = rows.map(line);
  if (headers) lines.unshift(styleHeader(line(titles)));
  return lines.map((text) => `${text}\n`).join("");
}

function pad(cell: string, width: number, align: "left" | "right"): string {
  const space = " ".repeat(Math.max(0, width - displayWidth(cell)));
  return align === "left" ? cell + space : space + cell;
}
