import type { ProblemList } from "./errors.ts";
import type { Given } from "./given.ts";
import { isEntry, type Schema, type SchemaGroup } from "./schema.ts";
import { oneLine, shownKind } from "./shown-value.ts";
import { unknownPath } from "./unknown-key.ts";
import { joined, nearestNode, plainValue, readYaml, type YamlNode } from "./yaml-document.ts";

/** A configuration file that the caller has read. */
export interface ConfigFile {
  /** What problems and origins call it. */
  readonly path: string;
  /** YAML 1.2. */
  readonly text: string;
}

/** What the file gives, key by key. */
export function givenByFile<C>(schema: Schema<C>, file: ConfigFile, problems: ProblemList): Given[] {
  const given: Given[] = [];
  const name = oneLine(file.path);
  const place = (line: number) => ({ origin: "file", source: `${name}:${line}` }) as const;

  const takeGroup = (group: SchemaGroup, node: YamlNode): void => {
    if (!(node.content instanceof Map)) {
      const expected = `a mapping of ${[...group.children.keys()].join(", ")}`;
      const value = shownKind(node.content);
      problems.add({ path: group.path || name, value, expected, ...place(node.line) }, group.path);
      return;
    }
    for (const [childName, childNode] of node.content as ReadonlyMap<string, YamlNode>) {
      const child = group.children.get(childName);
      if (child === undefined) {
        problems.add(unknownPath(schema, joined(group.path, childName), place(childNode.line)));
      } else if (isEntry(child)) {
        const sourceAt = (path: readonly PropertyKey[]) => place(nearestNode(childNode, path).line).source;
        given.push({ entry: child, raw: plainValue(childNode), origin: "file", sourceAt });
      } else {
        takeGroup(child, childNode);
      }
    }
  };

  const { root, faults } = readYaml(file.text);
  for (const fault of faults) {
    const { expected, value } = fault;
    problems.add({ path: fault.path || name, value, expected, ...place(fault.line) }, fault.path);
  }
  if (root !== undefined) takeGroup(schema.root, root);
  return given;
}
