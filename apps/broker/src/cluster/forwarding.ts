import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  Durability,
  type ForwardedFate,
  type ForwardedFateSchema,
  type ForwardedFragment,
  type ForwardedFragmentSchema,
} from "@mon/proto";
import type { Fragment, Durability as StoreDurability, WriteFate } from "@mon/store";
import { durabilityMessage } from "../services/outcome-message.ts";

/** A fragment, for another broker. */
export function fragmentMessage(fragment: Fragment): MessageInitShape<typeof ForwardedFragmentSchema> {
  const { hostId, timestampMs, idHigh, idLow, bytes } = fragment;
  return { hostId, timestampMs: BigInt(timestampMs), idHigh, idLow, samples: bytes };
}

/** A fragment of another broker, which has read and cleaned it. */
export function fragmentFromMessage(message: ForwardedFragment): Fragment {
  const { hostId, timestampMs, idHigh, idLow, samples } = message;
  return { hostId, timestampMs: Number(timestampMs), idHigh, idLow, bytes: samples };
}

/** Fates, for the broker that sent the fragments: one for all when it is the same. */
export function fateMessages(fates: readonly WriteFate[]): MessageInitShape<typeof ForwardedFateSchema>[] {
  const [first] = fates;
  const isSame =
    first?.status === "stored" &&
    fates.every(
      (fate) =>
        fate.status === "stored" &&
        fate.durability === first.durability &&
        fate.copies === first.copies &&
        fate.refusedSamples === undefined,
    );
  return (isSame ? [first] : fates).map(fateMessage);
}

function fateMessage(fate: WriteFate): MessageInitShape<typeof ForwardedFateSchema> {
  switch (fate.status) {
    case "stored": {
      const { durability, copies, refusedSamples = [] } = fate;
      return { durability: durabilityMessage(durability), copies, refusedSamples: [...refusedSamples] };
    }
    case "retry":
      return { reason: fate.reason, retryDelayMs: BigInt(Math.max(1, Math.ceil(fate.retryDelayMs))) };
    case "rejected":
      return { reason: fate.reason, refusedSamples: [...(fate.refusedSamples ?? [])] };
    default:
      return fate satisfies never;
  }
}

/** The fates of `count` fragments that another broker was sent. @throws {RangeError} when it told of more or fewer */
export function fatesFromMessages(messages: readonly ForwardedFate[], count: number): WriteFate[] {
  if (messages.length !== count && messages.length !== 1)
    throw new RangeError(`expected ${count} fates, got ${messages.length}`);
  return Array.from({ length: count }, (_, i) => fateFromMessage(messages[messages.length === 1 ? 0 : i]!));
}

const durabilities: Partial<Record<Durability, StoreDurability>> = {
  [Durability.MEMORY]: "memory",
  [Durability.PROCESS]: "process",
  [Durability.FSYNC]: "fsync",
};

function fateFromMessage({
  durability: named,
  copies,
  refusedSamples,
  reason,
  retryDelayMs,
}: ForwardedFate): WriteFate {
  const durability = durabilities[named];
  const refused = refusedSamples.length === 0 ? {} : { refusedSamples };
  if (durability !== undefined) return { status: "stored", durability, copies, ...refused };
  if (retryDelayMs > 0n) return { status: "retry", reason, retryDelayMs: Number(retryDelayMs) };
  return { status: "rejected", reason, ...refused };
}
