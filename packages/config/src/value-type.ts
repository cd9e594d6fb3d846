import { z } from "zod";
import { formatBytes, parseBytes } from "./bytes.ts";
import { formatDuration, parseDuration } from "./duration.ts";

/** What a key's values may be, how they are read and how they are written. */
export interface ValueType<T> {
  /** The kind, for documentation: `integer`, `duration`, `list of range rules`. */
  readonly name: string;
  /** The allowed range, for documentation: `0 to 65535`, `"level" or "memory"`; empty when there is none. */
  readonly range: string;
  /** What a problem says was expected: `an integer from 0 to 65535`. */
  readonly expected: string;
  /** Validates a raw value. The message of each of its issues is what was expected there. */
  readonly check: z.ZodType<T>;
  /** Whether text from a flag or the environment is YAML (or JSON, which is YAML). */
  readonly structured: boolean;
  /** The raw value that text from a flag or the environment stands for; the text itself when it stands for none. */
  fromText(text: string): unknown;
  /** The value as it is written in a file. */
  toFile(value: T): unknown;
}

/** Inclusive bounds. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** A whole number within `bounds`. */
export function integer(bounds: Bounds): ValueType<number> {
  const range = `${bounds.min} to ${bounds.max}`;
  const expected = `an integer from ${range}`;
  return {
    name: "integer",
    range,
    expected,
    check: boundedInteger(bounds, expected),
    structured: false,
    fromText: (text) => (/^[+-]?\d{1,20}$/.test(text) ? Number(text) : text),
    toFile: (value) => value,
  };
}

/** A duration within `bounds`, which are milliseconds, as is the value: `7d`, `500ms`, or whole milliseconds. */
export function duration(bounds: Bounds): ValueType<number> {
  return quantity("duration", bounds, { parse: parseDuration, format: formatDuration });
}

/** A size within `bounds`, which are bytes, as is the value: `4MiB`, `512B`, or whole bytes. */
export function bytes(bounds: Bounds): ValueType<number> {
  return quantity("size", bounds, { parse: parseBytes, format: formatBytes });
}

/** `true` or `false`. */
export function boolean(): ValueType<boolean> {
  return {
    name: "boolean",
    range: "",
    expected: "true or false",
    check: z.boolean({ error: "true or false" }),
    structured: false,
    fromText: (text) => (text === "true" ? true : text === "false" ? false : text),
    toFile: (value) => value,
  };
}

/** One of the given words. */
export function oneOf<const T extends string>(...words: readonly T[]): ValueType<T> {
  const quoted = words.map((word) => `"${word}"`);
  const range = [quoted.slice(0, -1).join(", "), quoted.at(-1)].filter(Boolean).join(" or ");
  return {
    name: "word",
    range,
    expected: range,
    check: z.enum(words, { error: range }),
    structured: false,
    fromText: (text) => text,
    toFile: (value) => value,
  };
}

/** What {@link text} takes. */
export interface TextOptions {
  /** What it is, with its article: `a path`, `a host name`. */
  readonly what: string;
  /** The most UTF-16 code units. The fewest is one: an empty text is always refused. */
  readonly lengthMax: number;
  /** A further test; the length and the absence of control characters are checked before it. */
  readonly accepts?: (text: string) => boolean;
}

/** A text without control characters, neither empty nor longer than `lengthMax`. */
export function text(options: TextOptions): ValueType<string> {
  const expected = `${options.what} of 1 to ${options.lengthMax} characters`;
  const error = { error: expected };
  const accepts = options.accepts ?? (() => true);
  return {
    name: "text",
    range: expected,
    expected,
    check: z
      .string(error)
      .min(1, error)
      .max(options.lengthMax, { ...error, abort: true })
      .regex(/^\P{Cc}*$/u, error)
      .refine(accepts, error),
    structured: false,
    fromText: (text) => text,
    toFile: (value) => value,
  };
}

/** What {@link list} takes. */
export interface ListOptions {
  /** What the items are, in the plural: `range rules`. */
  readonly of: string;
  readonly itemsMax: number;
}

/**
 * A list of items. In a flag or the environment it is YAML or JSON text.
 *
 * @param item - validates an item; the message of each of its issues must be what was expected there
 */
export function list<T>(item: z.ZodType<T>, options: ListOptions): ValueType<readonly T[]> {
  const range = `0 to ${options.itemsMax} items`;
  const expected = `a list of ${range}, ${options.of}`;
  return {
    name: `list of ${options.of}`,
    range,
    expected,
    check: z.array(item, { error: expected }).max(options.itemsMax, { error: expected }),
    structured: true,
    fromText: (text) => text,
    toFile: (value) => value,
  };
}

function boundedInteger(bounds: Bounds, expected: string): z.ZodType<number> {
  const error = { error: expected };
  return z.int(error).min(bounds.min, error).max(bounds.max, error);
}

interface QuantityText {
  parse(text: string): number | undefined;
  format(value: number): string;
}

function quantity(name: string, bounds: Bounds, { parse, format }: QuantityText): ValueType<number> {
  const range = `${format(bounds.min)} to ${format(bounds.max)}`;
  const expected = `a ${name} from ${range}`;
  const fromRaw = (raw: unknown) => (typeof raw === "string" ? (parse(raw) ?? raw) : raw);
  return {
    name,
    range,
    expected,
    check: z.preprocess(fromRaw, boundedInteger(bounds, expected)),
    structured: false,
    fromText: (text) => text,
    toFile: (value) => (value === 0 ? 0 : format(value)),
  };
}
