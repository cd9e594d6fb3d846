import { setTimeout as delay } from "node:timers/promises";
import type { Broker } from "./broker.ts";
import { MonctlError } from "./errors.ts";
import { createStyle, type Output } from "./output.ts";
import type { Format, Settings } from "./settings.ts";
import { parseDuration } from "./time.ts";
import { renderView, type View } from "./view.ts";

/** What a command works with. */
export interface Context {
  readonly settings: Settings;
  readonly output: Output;
  /** Whether standard output is a terminal. */
  readonly terminal: boolean;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Aborts at Ctrl-C and at SIGTERM. */
  readonly stop: AbortSignal;
  /** What is piped in. */
  readonly stdin: AsyncIterable<Uint8Array>;
  /** The connection, opened at the first call and closed by the program. */
  broker(): Promise<Broker>;
  /** A connection to another broker of the cluster, by `host:port` of its agent door. Close it after use. */
  brokerAt(address: string): Promise<Broker>;
}

/** A command's own work, after options are resolved. Resolves with the exit code. */
export type Action = (context: Context) => Promise<number>;

/** How a command tells the program that it was chosen. */
export type Choose = (formats: readonly Format[], action: Action) => void;

/** The formats of every command but those that add CSV. */
export const commonFormats: readonly Format[] = ["table", "json", "jsonl"];

/** Shows an answer once. */
export async function showOnce(context: Context, fetch: () => Promise<View>): Promise<number> {
  const view = await fetch();
  await context.output.write(renderView(view, context.settings, createStyle(context.settings.color)));
  for (const note of view.notes) context.output.note(note);
  return 0;
}

/**
 * Shows an answer again and again until the program is stopped: repainted on a terminal, otherwise one JSON line each
 * time unless a format was asked for. A failure after the first answer is shown in its place, and the next try follows.
 *
 * @param watch - the value of `--watch`
 * @throws whatever the first fetch throws
 */
export async function showRepeatedly(
  context: Context,
  watch: string,
  fetch: () => Promise<View>,
): Promise<number> {
  const intervalMs = parseInterval(watch);
  const { settings, output, stop } = context;
  const style = createStyle(settings.color);
  const asLines = settings.format !== "table" || (!context.terminal && !settings.formatChosen);
  const repaint = context.terminal && settings.format === "table";
  let view = await fetch();
  if (repaint) await output.write(clearScreen);
  for (;;) {
    const text = asLines && !settings.quiet ? jsonLine(view.document) : renderView(view, settings, style);
    await output.write(
      repaint ? home + text.replaceAll("\n", `${clearToLineEnd}\n`) + clearToScreenEnd : text,
    );
    for (;;) {
      try {
        await delay(intervalMs, undefined, { signal: stop });
        view = await fetch();
        break;
      } catch (reason) {
        if (stop.aborted) return 0;
        const error = MonctlError.from(reason);
        if (asLines) await output.write(jsonLine(error));
        output.note(error.message);
      }
    }
  }
}

const intervalMsMin = 100;
const intervalMsMax = 86_400_000;

function parseInterval(watch: string): number {
  const intervalMs = parseDuration(watch, "--watch");
  if (intervalMs >= intervalMsMin && intervalMs <= intervalMsMax) return intervalMs;
  throw new MonctlError("MONCTL_USAGE", `expected --watch from 100ms to 1d, got "${watch}"`);
}

const clearScreen = "\u001b[2J";
const home = "\u001b[H";
const clearToLineEnd = "\u001b[K";
const clearToScreenEnd = "\u001b[J";

function jsonLine(document: unknown): string {
  return `${JSON.stringify(document)}\n`;
}
