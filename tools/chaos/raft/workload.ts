import { setTimeout as sleep } from "node:timers/promises";
import type { SeededRandom } from "@mon/raft/testing";
import { KeyValueClient } from "../../raft-service/client.ts";
import type { Answer } from "../../raft-service/wire.ts";
import type { History, RegisterInput, RegisterOutput } from "./history.ts";
import type { MemberProcess } from "./member-process.ts";

/** How long a client waits for an answer; later the outcome counts as unknown. */
const callTimeoutMs = 3_000;
/** Operations until clients turn to new keys: histories stay short enough to be searched. */
const operationsPerGeneration = 400;
const keysPerGeneration = 5;
/** What an unknown outcome counts as, among them: it is what makes the search long. */
const unknownWeight = 30;
const retryDelayMs = 50;
/** Refusals after which it is certain that nothing happened or will. All else may have happened. */
const nothingHappened: ReadonlySet<string> = new Set([
  "RAFT_NOT_LEADER",
  "RAFT_NOT_MEMBER",
  "RAFT_OVERLOADED",
  "RAFT_PROPOSAL_LOST",
  "RAFT_STOPPED",
  "RAFT_TRANSFER_IN_PROGRESS",
]);

/** What clients counted. */
export interface WorkloadCounts {
  /** Operations with an outcome. */
  done: number;
  /** Writes without. */
  unknown: number;
  /** Operations that certainly did not happen, and gets without an answer. */
  refused: number;
  /** Longest time between two operations with an outcome. */
  stallMsMax: number;
}

/** Clients that put, get and compare-and-set a few keys at a time, each through one member, whatever becomes of it. */
export class Workload {
  readonly counts: WorkloadCounts = { done: 0, unknown: 0, refused: 0, stallMsMax: 0 };
  readonly #history: History;
  readonly #clients: Promise<void>[] = [];
  #started = 0;
  #doneAt: number | undefined;
  #stopped = false;

  constructor(history: History) {
    this.#history = history;
  }

  /** Adds a client that speaks to a member. */
  add(member: MemberProcess, random: SeededRandom, name: string): void {
    this.#clients.push(this.#run(member, random, name));
  }

  /** Lets clients finish what they began. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
  }

  async #run(member: MemberProcess, random: SeededRandom, name: string): Promise<void> {
    let client: KeyValueClient | undefined;
    const lastSeen = new Map<string, string | null>();
    for (let at = 0; !this.#stopped; at++) {
      if (client?.isOpen !== true) {
        await client?.close();
        await sleep(retryDelayMs);
        if (!member.isUp) continue;
        client = new KeyValueClient(member.authority);
      }
      const generation = Math.floor(this.#started++ / operationsPerGeneration);
      const key = `${generation}-${random.below(keysPerGeneration)}`;
      const input = drawInput(random, `${name}.${at}`, lastSeen.get(key) ?? null);
      const seen = await this.#operate(client, key, input);
      if (seen === undefined) await sleep(retryDelayMs);
      else lastSeen.set(key, seen);
      // Which of several clients comes first must not follow from how fast the runner is alone.
      await sleep(random.below(8));
    }
    await client?.close();
  }

  /** @returns the value that the key was seen to have; undefined when there was no outcome */
  async #operate(
    client: KeyValueClient,
    key: string,
    input: RegisterInput,
  ): Promise<string | null | undefined> {
    const calledAt = performance.now();
    let answer: Answer | undefined;
    try {
      answer = await within(callTimeoutMs, client.call(callOf(key, input)));
    } catch {
      // The connection broke, or time ran out.
    }
    const returnedAt = performance.now();
    if (answer === undefined || answer.error !== undefined) {
      if (input.kind === "get" || nothingHappened.has(answer?.error ?? "")) {
        this.counts.refused++;
      } else {
        this.counts.unknown++;
        this.#started += unknownWeight;
        this.#history.add(key, { input, output: undefined, calledAt, returnedAt });
      }
      return undefined;
    }
    const output = outputOf(input, answer);
    // A get comes after all the writes that the member had applied, and before the next.
    const revision = input.kind === "get" ? answer.revision + 0.5 : answer.revision;
    this.#history.add(key, { input, output, calledAt, returnedAt, ...(revision === 0 ? {} : { revision }) });
    this.counts.done++;
    this.counts.stallMsMax = Math.max(
      this.counts.stallMsMax,
      Math.round(returnedAt - (this.#doneAt ?? calledAt)),
    );
    this.#doneAt = returnedAt;
    return typeof output === "boolean" ? input.value! : output;
  }
}

function drawInput(random: SeededRandom, value: string, lastSeen: string | null): RegisterInput {
  const draw = random.next();
  if (draw < 0.5) return { kind: "get" };
  if (draw < 0.8) return { kind: "put", value };
  return { kind: "compareAndSet", value, expected: lastSeen };
}

function callOf(key: string, { expected, kind, value }: RegisterInput) {
  return {
    kind,
    key: Buffer.from(key),
    value: value === undefined ? undefined : Buffer.from(value),
    expected: typeof expected === "string" ? Buffer.from(expected) : undefined,
  };
}

function outputOf({ kind }: RegisterInput, { refused, value }: Answer): RegisterOutput {
  if (kind === "get") return value === undefined ? null : Buffer.from(value).toString();
  return !refused;
}

async function within<Value>(ms: number, promise: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`expected an answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
