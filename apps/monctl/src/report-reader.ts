import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { type Report, ReportSchema } from "@mon/proto";
import { MonctlError } from "./errors.ts";

/** A report that was read, or why it could not be. */
export type ReadReport = { place: string; report: Report } | { place: string; message: string };

/** The largest JSON document, and the longest line of NDJSON, in characters. */
const documentCharsMax = 64 * 1024 * 1024;

/**
 * Reads reports in protobuf's JSON form: NDJSON with one a line, or one document that is a report, an array of them or
 * `{"reports": […]}`. Which it is shows in the first line: NDJSON when that parses. NDJSON is taken line by line, so
 * any length is fine; a document may have 64 Mi characters.
 *
 * A report that cannot be read is handed over with its place and the reason, and the next one follows.
 *
 * @throws {MonctlError} MONCTL_FAILURE when the input is no JSON at all or too large
 */
export async function* readReports(input: AsyncIterable<Uint8Array>): AsyncGenerator<ReadReport> {
  const lines = readLines(input);
  let number = 0;
  let first = true;
  for await (const line of lines) {
    number++;
    if (line.trim() === "") continue;
    const value = parseJson(line);
    if (value !== undefined) yield* reportsIn(value, `line ${number}`);
    else if (first) return yield* reportsInDocument(await restOf(line, lines));
    else yield { place: `line ${number}`, message: "expected a report in JSON, got a line that is none" };
    first = false;
  }
}

function* reportsInDocument(text: string): Generator<ReadReport> {
  try {
    yield* reportsIn(JSON.parse(text) as JsonValue, "document");
  } catch (error) {
    throw new MonctlError(
      "MONCTL_FAILURE",
      `expected reports in JSON or NDJSON, got ${(error as Error).message}`,
      {
        hint: `a line looks like {"hostId":"web-1","time":"2026-11-23T17:26:00Z","samples":[{"name":"up","value":1}]}`,
        cause: error,
      },
    );
  }
}

function* reportsIn(value: JsonValue, place: string): Generator<ReadReport> {
  const list = reportList(value);
  if (list === undefined) yield readReport(value, place);
  else for (const [index, item] of list.entries()) yield readReport(item, `${place}, reports[${index}]`);
}

function reportList(value: JsonValue): JsonValue[] | undefined {
  if (Array.isArray(value)) return value;
  const isObject = typeof value === "object" && value !== null;
  return isObject && Array.isArray(value.reports) ? value.reports : undefined;
}

function readReport(value: JsonValue, place: string): ReadReport {
  try {
    return { place, report: fromJson(ReportSchema, value) };
  } catch (error) {
    return { place, message: error instanceof Error ? error.message : String(error) };
  }
}

function parseJson(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    // Not JSON by itself: the caller says what that means at this place.
    return undefined;
  }
}

async function* readLines(input: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of input) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    assertSize(rest.length);
    yield* lines;
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
}

async function restOf(first: string, lines: AsyncGenerator<string>): Promise<string> {
  const parts = [first];
  let size = first.length;
  for await (const line of lines) {
    size += line.length + 1;
    assertSize(size);
    parts.push(line);
  }
  return parts.join("\n");
}

function assertSize(chars: number): void {
  if (chars <= documentCharsMax) return;
  throw new MonctlError(
    "MONCTL_FAILURE",
    `expected a document of at most ${documentCharsMax} characters, got more`,
    {
      hint: "write NDJSON, one report a line",
    },
  );
}
