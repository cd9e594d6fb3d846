import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  type ParsedNode,
  parseDocument,
} from "yaml";
import { reservedNames } from "./reserved-names.ts";
import { shownName } from "./shown-value.ts";

/** A value in a YAML text and the line it stands on. */
export interface YamlNode {
  readonly line: number;
  readonly content: string | number | boolean | null | readonly YamlNode[] | ReadonlyMap<string, YamlNode>;
}

/** Something in a YAML text that no configuration may have. */
export interface YamlFault {
  /** Where, from the root of the text; empty for the text as a whole. */
  readonly path: string;
  readonly line: number;
  readonly expected: string;
  readonly value: string;
}

/** What {@link readYaml} found. */
export interface YamlReading {
  /** Undefined when the text is empty, is only comments or cannot be read. */
  readonly root: YamlNode | undefined;
  readonly faults: readonly YamlFault[];
}

/** Longer texts are refused unread. A configuration by hand is a thousandth of this. */
const charactersMax = 4 * 2 ** 20;

/**
 * Reads one YAML 1.2 document and keeps the line of each value. Duplicate names, names that mean something to every
 * object, aliases and tags are faults: each has surprised operators, and aliases let a small text stand for a huge
 * one. Never throws.
 */
export function readYaml(text: string): YamlReading {
  if (text.length > charactersMax) {
    const expected = `at most ${charactersMax} characters of YAML`;
    return { root: undefined, faults: [{ path: "", line: 1, expected, value: `${text.length}` }] };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    // Not "silent", which would let a second document pass unread.
    logLevel: "error",
  });
  const broken = document.errors[0] ?? document.warnings[0];
  if (broken !== undefined) {
    const { line } = lines.linePos(broken.pos[0]);
    // What follows a colon may quote the text, and with it a secret.
    const message = shownName(broken.message.split(":")[0] ?? "");
    const value = broken.code === "RESOURCE_EXHAUSTION" ? "too deep a nesting" : `"${message}"`;
    return { root: undefined, faults: [{ path: "", line, expected: "one document of YAML", value }] };
  }
  const { contents } = document;
  // Nothing, or nothing but comments, parses as an empty scalar. A `null` that is written has a source.
  const isEmpty = contents === null || (isScalar(contents) && contents.source === "");
  if (isEmpty) return { root: undefined, faults: [] };
  const walk = new Walk(lines);
  return { root: walk.node(contents, ""), faults: walk.faults };
}

/** The plain value of a node. Names are safe: {@link readYaml} has refused the reserved ones. */
export function plainValue(node: YamlNode): unknown {
  if (isList(node.content)) return node.content.map(plainValue);
  if (node.content instanceof Map) {
    return Object.fromEntries([...node.content].map(([name, member]) => [name, plainValue(member)]));
  }
  return node.content;
}

/** The node at `path` below `node`, or the nearest one above it. */
export function nearestNode(node: YamlNode, path: readonly PropertyKey[]): YamlNode {
  let nearest = node;
  for (const step of path) {
    const { content } = nearest;
    const next =
      content instanceof Map
        ? content.get(String(step))
        : isList(content)
          ? content[Number(step)]
          : undefined;
    if (next === undefined) return nearest;
    nearest = next;
  }
  return nearest;
}

function isList(content: YamlNode["content"]): content is readonly YamlNode[] {
  return Array.isArray(content);
}

/** Turns parsed YAML into {@link YamlNode}s. What has a fault is left out, with all of the list it is in. */
class Walk {
  readonly faults: YamlFault[] = [];
  readonly #lines: LineCounter;

  constructor(lines: LineCounter) {
    this.#lines = lines;
  }

  node(node: ParsedNode, path: string, line: number = this.#line(node)): YamlNode | undefined {
    if (isAlias(node)) return this.#fault(path, line, "a value", "an alias");
    if (isMap(node)) return { line, content: this.#members(node.items as ParsedPair[], path) };
    if (isSeq(node)) {
      const faultsBefore = this.faults.length;
      const items = node.items.map((item, index) => this.node(item as ParsedNode, `${path}[${index}]`));
      const sound = items.filter((item) => item !== undefined);
      return this.faults.length === faultsBefore ? { line, content: sound } : undefined;
    }
    const { value } = node;
    if (isPlain(value)) return { line, content: value };
    return this.#fault(path, line, "a value without a tag", "a tag");
  }

  #members(pairs: readonly ParsedPair[], path: string): Map<string, YamlNode> {
    const members = new Map<string, YamlNode>();
    for (const pair of pairs) {
      const line = this.#line(pair.key);
      if (!isScalar(pair.key)) {
        this.#fault(path, line, "plain names as keys", "a list or mapping as one");
        continue;
      }
      const name = String(pair.key.value ?? "");
      const memberPath = joined(path, shownName(name));
      const first = members.get(name);
      if (reservedNames.has(name)) {
        this.#fault(memberPath, line, "a known key", "a reserved name");
      } else if (first !== undefined) {
        this.#fault(memberPath, line, `the key once, and it is on line ${first.line}`, "it again");
      } else {
        // A block below a name begins on a later line; the name's line is where a reader looks.
        const member =
          pair.value === null ? { line, content: null } : this.node(pair.value, memberPath, line);
        if (member !== undefined) members.set(name, member);
      }
    }
    return members;
  }

  #line(node: ParsedNode): number {
    return this.#lines.linePos(node.range[0]).line;
  }

  #fault(path: string, line: number, expected: string, value: string): undefined {
    this.faults.push({ path, line, expected, value });
  }
}

type ParsedPair = Pair<ParsedNode, ParsedNode | null>;

function isPlain(value: unknown): value is string | number | boolean | null {
  return value === null || ["string", "number", "boolean"].includes(typeof value);
}

/** `path` and a name below it. */
export function joined(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}
