/**
 * Makes text from elsewhere safe for a terminal: control characters, which could move the cursor or recolour the
 * screen, become visible escapes (`\u001b`). O(length).
 */
export function printable(text: string): string {
  return text.replace(controls, escapeUnit);
}

/**
 * Quotes text as a selector string: double quotes, `\"`, `\\`, `\n`, `\t`, `\r`, and `\uXXXX` for other control
 * characters and for halves of surrogate pairs. {@link parseSelector} reads it back unchanged.
 */
export function quote(text: string): string {
  return `"${text.replace(quoted, (unit) => escapes.get(unit) ?? escapeUnit(unit))}"`;
}

/**
 * Columns that text takes in a terminal: two for East Asian wide characters and emoji, none for combining marks.
 * Ambiguous characters count as one. O(length).
 */
export function displayWidth(text: string): number {
  let width = 0;
  for (const char of text) {
    if (wide.test(char)) width += 2;
    else if (!combining.test(char)) width += 1;
  }
  return width;
}

const controls = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const quoted = /["\\\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const escapes: ReadonlyMap<string, string> = new Map([
  ['"', '\\"'],
  ["\\", "\\\\"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);
const combining = /\p{Mn}|\p{Me}|\u200b|\u200d|\ufe0f/u;
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u;

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
