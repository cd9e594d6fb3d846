/** What stands for a secret wherever a value is shown. */
export const redacted = "<redacted>";

const shownCharactersMax = 64;

// Controls, line and paragraph separators, and invisible format characters such as bidirectional overrides could
// break a line or rewrite what a terminal shows.
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** `text` with all that could break a line or drive a terminal written as `\u{XXXX}`. */
export function oneLine(text: string): string {
  return text.replace(unprintable, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

/** `text` as {@link oneLine} and cut to a readable length; for names that others chose. */
export function shownName(text: string): string {
  if (text.length <= shownCharactersMax) return oneLine(text);
  return `${oneLine(text.slice(0, shownCharactersMax))}…`;
}

/** A value as one bounded line: scalars themselves, the kind of anything else. */
export function shownValue(value: unknown): string {
  switch (typeof value) {
    case "string":
      return value.length <= shownCharactersMax
        ? `"${oneLine(value)}"`
        : `"${oneLine(value.slice(0, shownCharactersMax))}…" (${value.length} characters)`;
    case "number":
    case "boolean":
      return String(value);
    default:
      return shownKind(value);
  }
}

/** The kind of a value without its content. */
export function shownKind(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
  if (typeof value === "object") return "a mapping";
  return `a ${typeof value}`;
}
