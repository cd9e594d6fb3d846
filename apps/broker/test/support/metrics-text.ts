/** One value of a text exposition. */
export interface ExposedValue {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const valueLine =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? ([+-]?Inf|N[aA][nN]|[-+0-9.eE]+)$/;
const commentLine =
  /^# (?:HELP [a-zA-Z_:][a-zA-Z0-9_:]* \S.*|TYPE [a-zA-Z_:][a-zA-Z0-9_:]* (?:counter|gauge|histogram|summary|untyped))$/;

/** Reads Prometheus's text format. @throws when a line is none of it */
export function parseMetrics(text: string): ExposedValue[] {
  const values: ExposedValue[] = [];
  for (const line of text.split("\n")) {
    if (line === "" || commentLine.test(line)) continue;
    const [, name, labels = "", value] = valueLine.exec(line) ?? [];
    if (name === undefined)
      throw new Error(`expected a line of a text exposition, got ${JSON.stringify(line)}`);
    const pairs = [...labels.matchAll(/([a-zA-Z0-9_]+)="((?:[^"\\]|\\.)*)"/g)];
    values.push({
      name,
      labels: Object.fromEntries(pairs.map(([, label, labelValue]) => [label, labelValue])),
      value: Number(value!.replace("Inf", "Infinity")),
    });
  }
  return values;
}

/** A value by name and labels; 0 when there is none. */
export function metricValue(
  text: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const found = parseMetrics(text).find(
    (value) =>
      value.name === name &&
      Object.entries(labels).every(([label, wanted]) => value.labels[label] === wanted),
  );
  return found?.value ?? 0;
}
