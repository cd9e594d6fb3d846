import { hash } from "node:crypto";
import type { Entry, FSM, FsmSnapshot } from "@mon/raft";
import { type HostRecord, recordOfRow, rowOf } from "./host-record.ts";
import { decodeHostsCommand, hostsCommandVersion } from "./hosts-command.ts";

/** What became of a command. */
export type HostsOutcome =
  | {
      readonly ok: true;
      readonly changed: number;
      /** Words on hosts that a later one was there before. */
      readonly stale: number;
      /** Hosts that there was no room for. */
      readonly full: number;
    }
  | { readonly ok: false; readonly reason: string };

/** A host, as it is agreed on. */
interface Agreed {
  readonly record: HostRecord;
  /** When that was said. */
  readonly atMs: number;
  /** The first 64 bits of SHA-256 of its line in the image. */
  readonly fingerprint: bigint;
}

/** The version of images that this code writes. */
const imageVersion = 1;
/** Lines a chunk of an image. */
const linesPerChunk = 500;
/** Hosts that are agreed on at most. Not an option: members that differed in it would differ in their state. */
const hostsMax = 100_000;

/**
 * The hosts that brokers agree on, as a state machine for `@mon/raft`. Applying is O(hosts in the command), the hash O(1): a sum
 * over the hosts that changes with each of them. An image is lines of JSON, in order of keys.
 */
export class HostsFsm implements FSM<HostsOutcome> {
  #hosts = new Map<string, Agreed>();
  #sum = 0n;
  readonly #changed: (keys: readonly string[] | undefined) => void;

  /** @param changed - called with the keys that an `apply` has changed, or undefined when all may have; must not throw */
  constructor(changed: (keys: readonly string[] | undefined) => void = () => {}) {
    this.#changed = changed;
  }

  get size(): number {
    return this.#hosts.size;
  }

  /** What this member knows of a host; others may be ahead. */
  record(key: string): HostRecord | undefined {
    return this.#hosts.get(key)?.record;
  }

  /** All records, in no order. */
  *records(): Generator<HostRecord, void> {
    for (const { record } of this.#hosts.values()) yield record;
  }

  /** @throws {Error} for a command of a newer version: this member must be upgraded before it can go on */
  apply(entries: readonly Entry[]): readonly HostsOutcome[] {
    const keys: string[] = [];
    const outcomes = entries.map(({ data }) => this.#applyOne(data, keys));
    if (keys.length > 0) this.#changed(keys);
    return outcomes;
  }

  snapshot(): FsmSnapshot {
    const hosts = [...this.#hosts.values()];
    return { chunks: () => imageOf(hosts) };
  }

  /** @throws {RangeError} when the image is of a newer version, or nothing of the kind; then nothing has changed */
  async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    const [head = "", ...lines] = Buffer.concat(parts).toString().trimEnd().split("\n");
    const { version } = JSON.parse(head) as { version: number };
    if (!(version <= imageVersion))
      throw new RangeError(`expected hosts of version ${imageVersion} at most, got ${version}`);
    const hosts = new Map<string, Agreed>();
    let sum = 0n;
    for (const line of lines) {
      const [atMs, row] = JSON.parse(line) as [number, unknown];
      const record = recordOfRow(row);
      if (record === undefined)
        throw new RangeError(`expected a record of a host, got ${line.slice(0, 100)}`);
      const agreed = agreedOf(record, atMs);
      hosts.set(record.key, agreed);
      sum += agreed.fingerprint;
    }
    this.#hosts = hosts;
    this.#sum = BigInt.asUintN(64, sum);
    this.#changed(undefined);
  }

  /** 16 hexadecimal digits: the sum of the hosts' fingerprints, modulo 2⁶⁴. */
  hash(): string {
    return this.#sum.toString(16).padStart(16, "0");
  }

  #applyOne(data: Uint8Array, keys: string[]): HostsOutcome {
    const decoded = decodeHostsCommand(data);
    switch (decoded.is) {
      case "newer":
        throw new Error(
          `expected a command of version ${hostsCommandVersion} at most, got ${decoded.version}: a newer broker wrote it, upgrade this one`,
        );
      case "malformed":
        return { ok: false, reason: decoded.reason };
      case "command": {
        const { atMs, put, forget } = decoded.command;
        const done = { changed: 0, stale: 0, full: 0 };
        const say = (key: string, record: HostRecord | undefined): void => {
          const became = this.#say(key, record, atMs);
          done[became]++;
          if (became === "changed") keys.push(key);
        };
        for (const record of put) say(record.key, record);
        for (const key of forget) say(key, undefined);
        return { ok: true, ...done };
      }
      default:
        return decoded satisfies never;
    }
  }

  #say(key: string, record: HostRecord | undefined, atMs: number): "changed" | "stale" | "full" {
    const before = this.#hosts.get(key);
    if (before !== undefined && before.atMs > atMs) return "stale";
    if (before === undefined && record !== undefined && this.#hosts.size >= hostsMax) return "full";
    const after = record && agreedOf(record, atMs);
    if (after === undefined) this.#hosts.delete(key);
    else this.#hosts.set(key, after);
    this.#sum = BigInt.asUintN(64, this.#sum - (before?.fingerprint ?? 0n) + (after?.fingerprint ?? 0n));
    return "changed";
  }
}

function agreedOf(record: HostRecord, atMs: number): Agreed {
  const fingerprint = BigInt(`0x${hash("sha256", lineOf(record, atMs)).slice(0, 16)}`);
  return { record, atMs, fingerprint };
}

function lineOf(record: HostRecord, atMs: number): string {
  return JSON.stringify([atMs, rowOf(record)]);
}

function* imageOf(hosts: readonly Agreed[]): Generator<Uint8Array, void> {
  const sorted = [...hosts].sort((a, b) => (a.record.key < b.record.key ? -1 : 1));
  yield Buffer.from(`${JSON.stringify({ version: imageVersion })}\n`);
  for (let at = 0; at < sorted.length; at += linesPerChunk) {
    const lines = sorted.slice(at, at + linesPerChunk).map(({ record, atMs }) => lineOf(record, atMs));
    yield Buffer.from(`${lines.join("\n")}\n`);
  }
}
