import { RE2JS } from "re2js";

/**
 * A regular expression of RE2 that must match the whole of a text, taken apart as far as that saves running it: most
 * expressions on labels list names, or give a name's beginning.
 */
export interface Expression {
  /** All texts that match, when they can be listed. */
  readonly literals: ReadonlySet<string> | undefined;
  /** Whether {@link Expression.matches} runs the expression; else it compares texts. */
  readonly runs: boolean;
  matches(text: string): boolean;
}

/** @throws whatever RE2 does not take is an error of `re2js` */
export function compileExpression(expression: string): Expression {
  const branches = branchesOf(expression);
  if (branches === undefined) return compiled(expression);
  const literals = new Set(branches.filter(({ rest }) => rest === "").map(({ start }) => start));
  const beginnings = branches.filter(({ rest }) => rest !== "");
  if (beginnings.length === 0) return { literals, runs: false, matches: (text) => literals.has(text) };
  return {
    literals: undefined,
    runs: false,
    matches: (text) => literals.has(text) || beginnings.some((branch) => beginsWith(text, branch)),
  };
}

function compiled(expression: string): Expression {
  const pattern = RE2JS.compile(expression, RE2JS.DOTALL);
  const beginning = beginningOf(expression);
  return {
    literals: undefined,
    runs: true,
    matches: (text) => text.startsWith(beginning) && pattern.matches(text),
  };
}

/** One alternative: a text, and what may follow it: nothing, anything, or anything but nothing. */
interface Branch {
  readonly start: string;
  readonly rest: "" | ".*" | ".+";
}

function beginsWith(text: string, { start, rest }: Branch): boolean {
  return text.startsWith(start) && (rest === ".*" || text.length > start.length);
}

const metacharacters = new Set("\\.+*?()|[]{}^$");

function unescaped(character: string): string | undefined {
  return metacharacters.has(character) ? undefined : character;
}

/** What a backslash makes of the character after it; undefined when that is more than the character itself. */
function escaped(character: string | undefined): string | undefined {
  return character !== undefined && /[!-/:-@[-^`{-~]/.test(character) ? character : undefined;
}

/** The alternatives of an expression such as `a|b.*`, `(a|b)` or `^a.+$`; undefined for any other. */
function branchesOf(expression: string): Branch[] | undefined {
  const text = withoutGroup(withoutAnchors(expression));
  const branches: Branch[] = [];
  let start = "";
  let rest: Branch["rest"] = "";
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (character === "|") {
      branches.push({ start, rest });
      start = "";
      rest = "";
    } else if (rest !== "") return undefined;
    else if (character === "." && text[i + 1] === "*") rest = ".*";
    else if (character === "." && text[i + 1] === "+") rest = ".+";
    else {
      const plain = character === "\\" ? escaped(text[++i]) : unescaped(character);
      if (plain === undefined) return undefined;
      start += plain;
    }
    if (rest !== "") i++;
  }
  return [...branches, { start, rest }];
}

/** Anchors at both ends say nothing where the whole text must match. */
function withoutAnchors(expression: string): string {
  const end = /(?<!\\)\$$/.test(expression) ? expression.length - 1 : expression.length;
  return expression.slice(expression.startsWith("^") ? 1 : 0, end);
}

function withoutGroup(expression: string): string {
  if (!expression.startsWith("(") || !expression.endsWith(")")) return expression;
  return expression.slice(expression.startsWith("(?:") ? 3 : 1, -1);
}

/** What every text that matches begins with, as far as it is plain to see. */
function beginningOf(expression: string): string {
  // A bar may part alternatives that begin otherwise. Inside of a group it does not; brackets and escapes hide groups.
  if (expression.includes("|") && (/[[\\]/.test(expression) || hasBarOutside(expression))) return "";
  const characters = [...expression.replace(/^\^/, "")];
  const end = characters.findIndex((character) => metacharacters.has(character));
  if (end < 0) return characters.join("");
  // What a quantifier follows may not be there.
  return characters.slice(0, "*?{+".includes(characters[end]!) ? Math.max(0, end - 1) : end).join("");
}

function hasBarOutside(expression: string): boolean {
  let depth = 0;
  for (const character of expression) {
    if (character === "(") depth++;
    else if (character === ")") depth--;
    else if (character === "|" && depth === 0) return true;
  }
  return false;
}
