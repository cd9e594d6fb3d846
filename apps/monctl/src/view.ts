import type { Style } from "./output.ts";
import type { Settings } from "./settings.ts";

/** One answer in every form in which it can be shown. */
export interface View {
  /** For `--json`. */
  document: unknown;
  /** For `--output jsonl`, a line each. */
  rows: readonly unknown[];
  /** For `-q`, a line each. */
  ids: readonly string[];
  /** For people. */
  table(options: { headers: boolean; style: Style }): string;
  /** For `--output csv`, where a command has it. */
  csv?(headers: boolean): string;
  /** For standard error: what is missing from the answer, or that it is empty. */
  notes: readonly string[];
}

/** Renders a view as the settings ask; the text ends with a newline unless it is empty. */
export function renderView(view: View, settings: Settings, style: Style): string {
  if (settings.quiet) return view.ids.map((id) => `${id}\n`).join("");
  if (settings.format === "json") return `${prettyJson(view.document)}\n`;
  if (settings.format === "jsonl") return view.rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  if (settings.format === "csv" && view.csv !== undefined) return view.csv(settings.headers);
  return view.table({ headers: settings.headers, style });
}

/** Indents by two, but keeps a pair of plain values, as points are, on one line. No string holds a raw line end. */
function prettyJson(document: unknown): string {
  return JSON.stringify(document, undefined, 2).replace(
    /\[\n +([^[\]{}\n]+),\n +([^[\]{}\n]+)\n +\]/g,
    "[$1, $2]",
  );
}
