const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Milliseconds of a duration such as "500ms", "15s", "1m" or "1h"; undefined when it is none. */
export function durationMs(text: string): number | undefined {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  if (number === undefined || unit === undefined) return undefined;
  return Math.round(Number(number) * (unitMs[unit] ?? Number.NaN));
}
