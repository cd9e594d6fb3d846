import type { FrameLine } from "./frame.ts";

/** What a line is called among others: its host where there are several, and what sets it apart on that host. */
export function lineTitle(line: Pick<FrameLine, "hostId" | "name">, hosts: readonly string[]): string {
  if (hosts.length < 2) return line.name === "" ? line.hostId : line.name;
  return line.name === "" ? line.hostId : `${line.hostId} · ${line.name}`;
}
