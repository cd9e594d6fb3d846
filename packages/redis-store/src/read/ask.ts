import { StoreError } from "@mon/store";
import type { ReadBatch, Servers } from "../servers/servers.ts";
import { CommandWriter } from "../wire/command-writer.ts";
import { type Reply, ReplyError } from "../wire/reply.ts";

/** A question to the server of one slot: commands that change nothing. */
export interface Question {
  readonly slot: number;
  /** Encodes the commands. */
  readonly encode: (commands: CommandWriter) => void;
}

/** How questions are asked. */
export interface AskOptions {
  readonly from?: "primary" | "replica";
  readonly signal?: AbortSignal | undefined;
}

/** Commands of one batch, where questions of several hosts may share one. */
const batchCommandsMax = 512;

/** What became of one question. */
export type Answer =
  | { readonly replies: readonly Reply[]; readonly error?: undefined }
  | { readonly replies?: undefined; readonly error: StoreError };

/**
 * Asks all questions in one round trip to each server.
 *
 * @throws {StoreError} what stood in the way of the first question that was not answered
 * @throws the signal's reason when it aborts
 */
export async function ask(
  servers: Servers,
  questions: readonly Question[],
  options: AskOptions = {},
): Promise<readonly (readonly Reply[])[]> {
  const answers = await askEach(servers, questions, options);
  return answers.map((answer) => {
    if (answer.error === undefined) return answer.replies;
    options.signal?.throwIfAborted();
    throw answer.error;
  });
}

/**
 * As {@link ask}, with what became of each question: some servers may answer where others do not.
 *
 * @throws the signal's reason when it has aborted before
 */
export async function askEach(
  servers: Servers,
  questions: readonly Question[],
  { from = "primary", signal }: AskOptions = {},
): Promise<readonly Answer[]> {
  signal?.throwIfAborted();
  const isCluster = servers.deployment === "cluster";
  const commands = new CommandWriter();
  const batches: { slot: number; begin: number; end: number; count: number; questions: number[] }[] = [];
  for (const { slot, encode } of questions) {
    const begin = commands.length;
    const before = commands.commands;
    encode(commands);
    const count = commands.commands - before;
    const last = batches.at(-1);
    if (last !== undefined && last.count < batchCommandsMax && (!isCluster || last.slot === slot)) {
      last.count += count;
      last.end = commands.length;
      last.questions.push(count);
    } else batches.push({ slot, begin, end: commands.length, count, questions: [count] });
  }
  if (batches.length === 0) return [];
  const bytes = commands.take();
  const outcomes = await servers.read(
    batches.map(
      ({ slot, begin, end, count }): ReadBatch => ({ slot, count, commands: bytes.subarray(begin, end) }),
    ),
    signal === undefined ? { from } : { from, signal },
  );
  return outcomes.flatMap((outcome, i): Answer[] => {
    const counts = batches[i]!.questions;
    if (outcome.error !== undefined) return counts.map(() => ({ error: outcome.error }));
    let position = 0;
    return counts.map((count) => {
      const begin = position;
      position += count;
      return answerOf(outcome.replies.slice(begin, position));
    });
  });
}

function answerOf(replies: readonly Reply[]): Answer {
  const refusal = replies.find((reply) => reply instanceof ReplyError);
  if (refusal === undefined) return { replies };
  return { error: new StoreError("STORE_UNAVAILABLE", `expected an answer, got: ${refusal.message}`) };
}

/** A reply that is an array of bytes, as lists, hashes and sets of members come. */
export function bytesOf(reply: Reply | undefined): readonly Uint8Array[] {
  if (!Array.isArray(reply) || !reply.every((item) => item instanceof Uint8Array))
    throw new StoreError("STORE_CORRUPT", "expected an array of bulk strings, got another reply");
  return reply;
}

/** A reply that is a bulk string, as Latin-1; undefined when there is none. */
export function textOf(reply: Reply | undefined): string | undefined {
  return reply instanceof Uint8Array
    ? Buffer.from(reply.buffer, reply.byteOffset, reply.length).toString("latin1")
    : undefined;
}

/** A reply that is an integer. */
export function numberOf(reply: Reply | undefined): number {
  if (typeof reply === "number") return reply;
  throw new StoreError("STORE_CORRUPT", `expected an integer, got ${String(reply)}`);
}
