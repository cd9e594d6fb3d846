import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { SetupError } from "../setup.mjs";

const command = "victoria-metrics";
/** Says the name and the version of its package, with a tab in between. */
const versionQuery = ["dpkg-query", "--show", command] as const;
/** Beyond what samples may be dated ahead by. */
const hourSeconds = 3_600;

/**
 * Where VictoriaMetrics is. It is not installed along the way: Debian's package starts it as a service of the machine.
 *
 * @throws {SetupError} one line that says what to install, when it is not on PATH
 */
export function findVictoriaMetrics(): string {
  const folders = (process.env.PATH ?? "").split(path.delimiter).filter((folder) => folder !== "");
  const found = folders.map((folder) => path.join(folder, command)).find((file) => fs.existsSync(file));
  if (found !== undefined) return found;
  throw new SetupError(
    `install ${command} first, for example: sudo apt-get install ${command} (its service may stay disabled), or leave it out by --only`,
  );
}

/** Its name and version, as Debian counts: the program itself does not know. */
export function describeVictoriaMetrics(): string {
  try {
    const [query, ...args] = versionQuery;
    const shown = execFileSync(query, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return shown.trim().replace("\t", " ");
  } catch {
    return `${command} of unknown version`; // Not from Debian's package.
  }
}

/** Counts the samples that a VictoriaMetrics holds and finds by a query, all series and the last day. */
export async function countSamples(port: number): Promise<number> {
  const base = `http://127.0.0.1:${port}`;
  // The newest samples are not to be found before.
  await text(`${base}/internal/force_flush`);
  const url = new URL("/api/v1/query", base);
  url.searchParams.set("query", `sum(count_over_time({__name__!=""}[1d]))`);
  url.searchParams.set("time", String(Math.floor(Date.now() / 1_000) + hourSeconds));
  url.searchParams.set("nocache", "1");
  const { data } = JSON.parse(await text(url));
  return Number(data.result[0]?.value[1] ?? 0);
}

async function text(url: URL | string): Promise<string> {
  const response = await fetch(url);
  const body = await response.text();
  if (response.ok) return body;
  throw new Error(`expected ${url} to be answered, got ${response.status} ${body}`);
}
