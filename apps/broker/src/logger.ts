import type { BrokerConfig } from "@mon/config";
import { destination, type Logger as PinoLogger, pino } from "pino";

/** JSON lines to standard output. */
export type Logger = Pick<PinoLogger, "debug" | "info" | "warn" | "error" | "fatal">;

/** @param name - the broker's id, in every line */
export function createLogger(name: string, level: BrokerConfig["log"]["level"]): PinoLogger {
  return pino({ name, level, base: { pid: process.pid } }, destination({ dest: 1, sync: true }));
}
