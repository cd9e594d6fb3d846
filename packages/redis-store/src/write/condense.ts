import { compareSamples, decodeSamples, fragmentFromSamples, type Sample, seriesKey } from "@mon/store";
import { putInstant } from "../keys/fragment-field.ts";
import type { KeySpace } from "../keys/key-space.ts";
import { ask, bytesOf } from "../read/ask.ts";
import { readHostRecord, type Statement } from "../read/host-record.ts";
import type { Servers } from "../servers/servers.ts";
import { slotOf } from "../servers/slot.ts";
import { CommandWriter } from "../wire/command-writer.ts";
import type { KnownShapes } from "./known-shapes.ts";
import { condenseScript } from "./scripts.ts";

/** What condensing needs. */
export interface CondenseDeps {
  readonly servers: Servers;
  readonly keys: KeySpace;
  readonly shapes: KnownShapes;
}

/**
 * Leaves of a host's statements what readers would keep of them: each series once, in a statement of its newest instant.
 * What was read is replaced only if it is still there, so writers are not in the way.
 *
 * @returns how many statements there are now, or undefined when they changed meanwhile
 * @throws {StoreError} STORE_UNAVAILABLE
 */
export async function condense(
  { servers, keys, shapes }: CondenseDeps,
  hostId: string,
): Promise<number | undefined> {
  const slot = slotOf(hostId);
  const key = keys.host(hostId);
  const replies = await ask(servers, [
    { slot, encode: (commands) => commands.begin(2).text("HGETALL").text(key) },
  ]);
  const { statements } = readHostRecord(bytesOf(replies[0]![0]));
  const { kept, made, gone } = condensed(statements);
  if (gone.length === 0) return statements.length;
  const commands = new CommandWriter();
  commands.begin(5 + 2 * gone.length + 3 * made.length);
  commands.text("EVALSHA").text(condenseScript.sha).text("1").text(key).integer(gone.length);
  for (const { field, timestampMs } of gone) commands.bytes(field).bytes(instantBytes(timestampMs));
  for (const { timestampMs, samples } of made) {
    const fragment = fragmentFromSamples(hostId, timestampMs, samples);
    const id = Buffer.allocUnsafe(8);
    id.writeUInt32BE(fragment.idHigh, 0);
    id.writeUInt32BE(fragment.idLow, 4);
    commands
      .bytes(Buffer.concat([shapes.ofSeries(samples).field, id]))
      .bytes(instantBytes(timestampMs))
      .bytes(fragment.bytes);
  }
  const [outcome] = await servers.send([{ slot, commands: commands.take(), count: 1 }]);
  if (outcome!.error !== undefined) throw outcome!.error;
  return outcome!.replies[0] === 1 ? kept + made.length : undefined;
}

function instantBytes(timestampMs: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  putInstant(bytes, 0, timestampMs);
  return bytes;
}

/** What of statements is to stay, to come and to go. */
interface Condensed {
  readonly kept: number;
  readonly made: readonly { readonly timestampMs: number; readonly samples: readonly Sample[] }[];
  readonly gone: readonly Statement[];
}

/** Statements all of whose samples are the newest of their series stay; of the others, what is newest is put together. */
function condensed(statements: readonly Statement[]): Condensed {
  const decoded = statements.map((statement) => ({ statement, samples: decodeSamples(statement.bytes) }));
  const newest = new Map<string, { timestampMs: number; sample: Sample; of: Statement }>();
  for (const { statement, samples } of decoded) {
    for (const sample of samples) {
      const key = seriesKey(sample);
      const known = newest.get(key);
      const difference =
        known === undefined
          ? 1
          : statement.timestampMs - known.timestampMs || compareSamples(sample, known.sample);
      if (difference > 0) newest.set(key, { timestampMs: statement.timestampMs, sample, of: statement });
    }
  }
  const gone: Statement[] = [];
  const left = new Map<number, Sample[]>();
  for (const { statement, samples } of decoded) {
    const own = samples.filter((sample) => newest.get(seriesKey(sample))!.of === statement);
    if (own.length === samples.length && own.length > 0) continue;
    gone.push(statement);
    const together = left.get(statement.timestampMs) ?? [];
    left.set(statement.timestampMs, together);
    together.push(...own);
  }
  const made = [...left]
    .filter(([, samples]) => samples.length > 0)
    .map(([timestampMs, samples]) => ({ timestampMs, samples }));
  return { kept: statements.length - gone.length, made, gone };
}
