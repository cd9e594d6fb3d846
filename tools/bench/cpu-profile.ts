/** The part of V8's `.cpuprofile` that is read here. Times are on the machine's monotonic clock, in microseconds. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      /** From 0. */
      readonly lineNumber: number;
    };
  }[];
  readonly startTime: number;
  /** The node that was running at each sampling. */
  readonly samples: readonly number[];
  /** Time since the sampling before. */
  readonly timeDeltas: readonly number[];
}

/** Time that a function spent itself, not in what it called. */
export interface SelfTime {
  readonly packageName: string;
  /** `name file:line`. */
  readonly functionName: string;
  readonly us: number;
}

/** Self time by function between two instants, most first. The time in which nothing ran is left out. */
export function selfTimes(profile: CpuProfile, startUs: number, endUs: number): SelfTime[] {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const times = new Map<string, { packageName: string; functionName: string; us: number }>();
  let atUs = profile.startTime;
  for (const [index, id] of profile.samples.entries()) {
    atUs += profile.timeDeltas[index] ?? 0;
    const frame = frames.get(id);
    if (frame === undefined || frame.functionName === "(idle)" || atUs < startUs || atUs > endUs) continue;
    // A sample stands for the time until the next one.
    const us = profile.timeDeltas[index + 1] ?? 0;
    const functionName = nameOf(frame);
    const known = times.get(functionName);
    if (known === undefined) times.set(functionName, { packageName: packageOf(frame.url), functionName, us });
    else known.us += us;
  }
  return [...times.values()].sort((a, b) => b.us - a.us);
}

/** Sums self times up by package, most first. */
export function byPackage(
  times: readonly SelfTime[],
): { readonly packageName: string; readonly us: number }[] {
  const sums = new Map<string, number>();
  for (const { packageName, us } of times) sums.set(packageName, (sums.get(packageName) ?? 0) + us);
  return [...sums].map(([packageName, us]) => ({ packageName, us })).sort((a, b) => b.us - a.us);
}

/** The package that a file belongs to; what has no file is V8's: garbage collection, and code behind JavaScript. */
export function packageOf(url: string): string {
  if (url === "") return "(V8 and native code)";
  if (url.startsWith("node:")) return "node";
  const installed = url.split("/node_modules/").at(-1)!;
  if (installed !== url) {
    const [first = "", second = ""] = installed.split("/");
    return first.startsWith("@") ? `${first}/${second}` : first;
  }
  const own = /\/(?:packages|apps)\/([^/]+)\//.exec(url)?.[1];
  return own === undefined ? "(other)" : `@mon/${own}`;
}

function nameOf({ functionName, url, lineNumber }: CpuProfile["nodes"][number]["callFrame"]): string {
  const name = functionName === "" ? "(anonymous)" : functionName;
  if (url === "") return name;
  const file = url.startsWith("node:") ? url : (url.split("/").at(-1) ?? url);
  return `${name} ${file}:${lineNumber + 1}`;
}
