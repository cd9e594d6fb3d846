import { MonctlError } from "./errors.ts";
import { quote } from "./text.ts";

/** How a matcher compares, as Prometheus writes it. */
export type MatchOperator = "=" | "!=" | "=~" | "!~";

/** A condition on one label. */
interface SelectorMatcher {
  label: string;
  operator: MatchOperator;
  value: string;
}

/** Which series are meant: a metric's name, empty for any, and conditions that must all hold. */
export interface Selector {
  name: string;
  matchers: SelectorMatcher[];
}

/** A label and its value. */
interface LabelPair {
  name: string;
  value: string;
}

/**
 * Reads a selector in Prometheus's syntax: `name`, `name{label="value",other=~"regexp"}` or `{…}` alone. Strings are
 * in double quotes, single quotes (both with `\n`, `\t`, `\r`, `\\`, quotes, `\uXXXX`, `\UXXXXXXXX`) or backticks
 * (nothing escaped). O(length).
 *
 * @throws {MonctlError} MONCTL_USAGE, naming the column (from 1) and what was expected there
 */
export function parseSelector(text: string): Selector {
  const reader = new SelectorReader(text, `a selector looks like ${exampleSelector}`);
  const selector = reader.selector();
  reader.end();
  return selector;
}

/** Writes a selector so that {@link parseSelector} reads the same back. */
export function formatSelector(selector: Selector): string {
  if (selector.matchers.length === 0) return selector.name === "" ? "{}" : selector.name;
  const matchers = selector.matchers.map(({ label, operator, value }) => label + operator + quote(value));
  return `${selector.name}{${matchers.join(",")}}`;
}

/** Writes a series as the selector that picks it: `name{label="value"}`. */
export function formatSeries(name: string, labels: readonly LabelPair[]): string {
  return formatSelector({
    name,
    matchers: labels.map((label) => ({ label: label.name, operator: "=", value: label.value })),
  });
}

/** Writes a series of a host as the selector that picks it and no other. */
export function formatHostSeries(host: string, name: string, labels: readonly LabelPair[]): string {
  return formatSeries(name, [...labels, { name: "__host__", value: host }]);
}

/**
 * Reads `name=value` or `name{label="value"}=value`, a sample as `push` takes it.
 *
 * @throws {MonctlError} MONCTL_USAGE when it is no series with a number
 */
export function parseAssignment(text: string): { name: string; labels: LabelPair[]; value: number } {
  const reader = new SelectorReader(text, `a sample looks like ${exampleAssignment}`);
  const selector = reader.selector();
  if (selector.name === "") throw reader.expected("a metric name", 0);
  const labels = selector.matchers.map(({ label, operator, value }) => {
    if (operator === "=") return { name: label, value };
    throw new MonctlError("MONCTL_USAGE", `expected label ${label} set with "=", got "${operator}"`);
  });
  return { name: selector.name, labels, value: reader.assignedNumber() };
}

const namePattern = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const labelPattern = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const operatorPattern = /!~|!=|=~|=/y;
const numberPattern = /[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|Inf|NaN)/y;
const simpleEscapes: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["t", "\t"],
  ["r", "\r"],
  ["\\", "\\"],
  ['"', '"'],
  ["'", "'"],
]);

class SelectorReader {
  readonly #text: string;
  readonly #hint: string;
  #at = 0;

  /** @param hint - goes with every error */
  constructor(text: string, hint: string) {
    this.#text = text;
    this.#hint = hint;
  }

  selector(): Selector {
    this.#skipSpace();
    const name = this.#match(namePattern) ?? "";
    this.#skipSpace();
    if (this.#text[this.#at] === "{") return { name, matchers: this.#matchers() };
    if (name === "") throw this.expected('a metric name or "{"');
    return { name, matchers: [] };
  }

  end(): void {
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.expected("the end of the selector");
  }

  assignedNumber(): number {
    this.#skipSpace();
    if (this.#text[this.#at] !== "=") throw this.expected('"=" and a number');
    this.#at++;
    this.#skipSpace();
    const start = this.#at;
    const digits = this.#match(numberPattern);
    this.#skipSpace();
    if (digits === undefined || this.#at < this.#text.length) throw this.expected("a number", start);
    return Number(digits.replace("Inf", "Infinity"));
  }

  /** The error for what stands at a place, the current one unless told. */
  expected(what: string, at: number = this.#at): MonctlError {
    const rest = this.#text.slice(at);
    const got = rest === "" ? "the end" : quote(String.fromCodePoint(rest.codePointAt(0)!));
    return new MonctlError(
      "MONCTL_USAGE",
      `expected ${what} at column ${at + 1} of ${quote(this.#text)}, got ${got}`,
      {
        hint: this.#hint,
      },
    );
  }

  #matchers(): SelectorMatcher[] {
    const matchers: SelectorMatcher[] = [];
    this.#at++;
    for (;;) {
      this.#skipSpace();
      if (this.#text[this.#at] === "}") break;
      matchers.push(this.#matcher());
      this.#skipSpace();
      if (this.#text[this.#at] === "}") break;
      if (this.#text[this.#at] !== ",") throw this.expected('"," or "}"');
      this.#at++;
    }
    this.#at++;
    return matchers;
  }

  #matcher(): SelectorMatcher {
    const label = this.#match(labelPattern);
    if (label === undefined) throw this.expected("a label name");
    this.#skipSpace();
    const operator = this.#match(operatorPattern);
    if (operator === undefined) throw this.expected('"=", "!=", "=~" or "!~"');
    this.#skipSpace();
    // The pattern matches nothing but the four operators.
    return { label, operator: operator as MatchOperator, value: this.#string() };
  }

  #string(): string {
    const start = this.#at;
    const delimiter = this.#text[this.#at];
    if (delimiter !== '"' && delimiter !== "'" && delimiter !== "`") throw this.expected("a quoted value");
    this.#at++;
    let value = "";
    for (;;) {
      const unit = this.#text[this.#at];
      if (unit === undefined) {
        throw this.expected(`a closing ${delimiter} for the value that starts at column ${start + 1}`);
      }
      if (unit === "\\" && delimiter !== "`") {
        value += this.#escape();
        continue;
      }
      this.#at++;
      if (unit === delimiter) return value;
      value += unit;
    }
  }

  #escape(): string {
    const start = this.#at;
    const kind = this.#text[start + 1] ?? "";
    const simple = simpleEscapes.get(kind);
    if (simple !== undefined) {
      this.#at += 2;
      return simple;
    }
    const digits = kind === "u" ? 4 : kind === "U" ? 8 : 0;
    const hex = this.#text.slice(start + 2, start + 2 + digits);
    const codePoint = Number.parseInt(hex, 16);
    if (digits === 0 || !/^[0-9a-fA-F]+$/.test(hex) || hex.length < digits || codePoint > 0x10ffff) {
      throw this.expected(
        'an escape (\\n, \\t, \\r, \\\\, \\", \\u00e9 or \\U0001f600; or `…` for none)',
        start,
      );
    }
    this.#at += 2 + digits;
    return String.fromCodePoint(codePoint);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #skipSpace(): void {
    while (/\s/.test(this.#text[this.#at] ?? "")) this.#at++;
  }
}

const exampleSelector = `system_cpu_utilization_ratio{cpu_mode="user",__host__=~"web-.*"}`;
const exampleAssignment = `room_temperature_celsius{sensor="window"}=21.5`;
