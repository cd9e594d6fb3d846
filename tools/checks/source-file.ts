import { parseSync } from "oxc-parser";

/** One `import`, `export … from` or `import()` of a module, type-only ones included. */
export interface ModuleImport {
  readonly specifier: string;
  /** Imported names; `*` stands for the whole module, nothing for an import of its side effects. */
  readonly names: readonly string[];
}

/** What the checks need to know of one TypeScript file. */
export interface SourceFile {
  /** Path from the repository's folder, with `/`. */
  readonly path: string;
  readonly imports: readonly ModuleImport[];
  /** Uses of clock, timers, randomness and I/O that are in scope without an import, such as `Date.now`. */
  readonly ambient: readonly string[];
}

/** Globals that reach a clock, a timer, randomness or the outside world in any use. */
const ambientGlobals: ReadonlySet<string> = new Set([
  "BroadcastChannel",
  "EventSource",
  "WebSocket",
  "XMLHttpRequest",
  "console",
  "crypto",
  "fetch",
  "globalThis",
  "performance",
  "process",
  "setImmediate",
  "setInterval",
  "setTimeout",
]);

/** Members that do, of globals that are otherwise pure. */
const ambientMembers: ReadonlySet<string> = new Set(["AbortSignal.timeout", "Date.now", "Math.random"]);

/** An ESTree node as the parser gives it: a kind, and fields that may hold further nodes. */
interface Node {
  readonly type: string;
  readonly [field: string]: unknown;
}

/**
 * Parses one file.
 *
 * A global counts as shadowed in the whole file when anything in the file declares its name: precise enough for files
 * that are one noun, and no scope analysis.
 *
 * @throws {Error} when the file has a syntax error
 */
export function parseSource(path: string, text: string): SourceFile {
  const { program, module, errors } = parseSync(path, text);
  if (errors[0] !== undefined) throw new Error(`${path}: ${errors[0].message}`);

  const imports: ModuleImport[] = module.staticImports.map(({ moduleRequest, entries }) => ({
    specifier: moduleRequest.value,
    names: entries.map(
      ({ importName }) => importName.name ?? (importName.kind === "Default" ? "default" : "*"),
    ),
  }));
  for (const { entries } of module.staticExports) {
    for (const { moduleRequest, importName } of entries) {
      if (moduleRequest !== null)
        imports.push({ specifier: moduleRequest.value, names: [importName.name ?? "*"] });
    }
  }
  for (const { moduleRequest } of module.dynamicImports) {
    const literal = /^["'`]([^"'`$]*)["'`]$/.exec(text.slice(moduleRequest.start, moduleRequest.end));
    imports.push({ specifier: literal?.[1] ?? "(computed)", names: ["*"] });
  }

  const declared = new Set<string>();
  const used: { readonly name: string; readonly use: string }[] = [];
  // The parser's own node types are closed unions; a walk over all of them is easier on the open shape.
  visit(program as unknown as Node, declared, used);
  const ambient = used.filter(({ name }) => !declared.has(name)).map(({ use }) => use);
  return { path, imports, ambient: [...new Set(ambient)].sort() };
}

type Use = { readonly name: string; readonly use: string };

function visit(node: Node, declared: Set<string>, used: Use[]): void {
  switch (node.type) {
    case "ImportDeclaration":
      for (const specifier of nodes(node.specifiers)) declare(specifier.local, declared);
      return;
    case "VariableDeclarator":
      declare(node.id, declared);
      break;
    case "FunctionDeclaration":
    case "FunctionExpression":
    case "ArrowFunctionExpression":
      declare(node.id, declared);
      for (const parameter of nodes(node.params)) declare(parameter, declared);
      break;
    case "ClassDeclaration":
      declare(node.id, declared);
      break;
    case "CatchClause":
      declare(node.param, declared);
      break;
    case "Identifier":
      if (ambientGlobals.has(String(node.name)))
        used.push({ name: String(node.name), use: String(node.name) });
      return;
    case "MemberExpression": {
      const use = `${identifierName(node.object)}.${identifierName(node.property)}`;
      if (ambientMembers.has(use)) used.push({ name: String(identifierName(node.object)), use });
      visitField(node.object, declared, used);
      if (node.computed === true) visitField(node.property, declared, used);
      return;
    }
    case "NewExpression":
    case "CallExpression": {
      const isClockRead = node.type === "CallExpression" || nodes(node.arguments).length === 0;
      if (identifierName(node.callee) === "Date" && isClockRead)
        used.push({ name: "Date", use: "new Date()" });
      break;
    }
    case "Property":
    case "MethodDefinition":
    case "PropertyDefinition":
      if (node.computed === true) visitField(node.key, declared, used);
      visitField(node.value, declared, used);
      return;
  }
  // Types are erased. What wraps an expression in one is not.
  if (node.type.startsWith("TS") && node.expression === undefined) return;
  for (const field of Object.values(node)) visitField(field, declared, used);
}

function visitField(field: unknown, declared: Set<string>, used: Use[]): void {
  for (const child of Array.isArray(field) ? field : [field]) if (isNode(child)) visit(child, declared, used);
}

/** Takes in every name that a binding pattern declares. */
function declare(pattern: unknown, declared: Set<string>): void {
  if (!isNode(pattern)) return;
  switch (pattern.type) {
    case "Identifier":
      declared.add(String(pattern.name));
      return;
    case "ObjectPattern":
      for (const property of nodes(pattern.properties))
        declare(property.value ?? property.argument, declared);
      return;
    case "ArrayPattern":
      for (const element of nodes(pattern.elements)) declare(element, declared);
      return;
    case "AssignmentPattern":
      declare(pattern.left, declared);
      return;
    case "RestElement":
      declare(pattern.argument, declared);
      return;
  }
}

function identifierName(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  if (node.type === "Identifier") return String(node.name);
  return node.type === "Literal" ? String(node.value) : undefined;
}

function nodes(field: unknown): Node[] {
  return Array.isArray(field) ? field.filter(isNode) : [];
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as Node).type === "string";
}
