import type { Fragment, WriteFate } from "@mon/store";
import type { Ticket } from "./ticket.ts";

/** A fragment that is on its way, or stored. */
export interface Flight {
  readonly idHigh: number;
  readonly idLow: number;
  /** Known once the flight has landed in the store. */
  fate: WriteFate | undefined;
  /** Repeats that came meanwhile: they share its fate. */
  waiting: { readonly ticket: Ticket; readonly index: number }[] | undefined;
  /** Another fragment of the same host and instant. */
  next: Flight | undefined;
}

/** Flights by instant, of one host. */
type Instants = Map<number, Flight>;

/** What a flight takes in memory, roughly: itself, its map entries, its share of the host's maps. */
const flightBytes = 256;

/**
 * Remembers fragments by (host, instant, id), so that a repeat is answered without a second write (R9). It only saves
 * work: the store is correct without it. Bounded: when the younger of two generations is full the older is forgotten,
 * so at least half of the bound is remembered.
 */
export class Deduplicator {
  readonly #perGeneration: number;
  #young = new Map<string, Instants>();
  #old = new Map<string, Instants>();
  #youngCount = 0;

  /** @param bytesMax - memory that it may take, in bytes, roughly; 0 turns it off */
  constructor(bytesMax: number) {
    this.#perGeneration = Math.floor(bytesMax / flightBytes / 2);
  }

  /** The flight of a fragment seen before, or undefined. O(1), and one step for each program of the host. */
  find(fragment: Fragment): Flight | undefined {
    return findIn(this.#young, fragment) ?? findIn(this.#old, fragment);
  }

  /** Remembers a fragment that is on its way. */
  add(fragment: Fragment): Flight {
    const flight: Flight = {
      idHigh: fragment.idHigh,
      idLow: fragment.idLow,
      fate: undefined,
      waiting: undefined,
      next: undefined,
    };
    if (this.#perGeneration === 0) return flight;
    if (this.#youngCount >= this.#perGeneration) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngCount = 0;
    }
    let instants = this.#young.get(fragment.hostId);
    if (instants === undefined) {
      instants = new Map();
      this.#young.set(fragment.hostId, instants);
    }
    flight.next = instants.get(fragment.timestampMs);
    instants.set(fragment.timestampMs, flight);
    this.#youngCount++;
    return flight;
  }

  /** Tells a flight's fate to it and to the repeats that wait for it. One that did not land is forgotten. */
  land(fragment: Fragment, flight: Flight, fate: WriteFate): void {
    flight.fate = fate;
    const waiting = flight.waiting;
    flight.waiting = undefined;
    if (fate.status !== "stored") {
      forget(this.#young, fragment, flight);
      forget(this.#old, fragment, flight);
    }
    if (waiting !== undefined) for (const { ticket, index } of waiting) ticket.settle(index, fate);
  }

  /** Forgets everything: after a failover, a reconnect, or a change of the store's identity or of the ring (R9). */
  clear(): void {
    this.#young = new Map();
    this.#old = new Map();
    this.#youngCount = 0;
  }
}

function findIn(generation: Map<string, Instants>, fragment: Fragment): Flight | undefined {
  let flight = generation.get(fragment.hostId)?.get(fragment.timestampMs);
  while (flight !== undefined && (flight.idLow !== fragment.idLow || flight.idHigh !== fragment.idHigh)) {
    flight = flight.next;
  }
  return flight;
}

function forget(generation: Map<string, Instants>, fragment: Fragment, flight: Flight): void {
  const instants = generation.get(fragment.hostId);
  const first = instants?.get(fragment.timestampMs);
  if (instants === undefined || first === undefined) return;
  if (first === flight) {
    if (flight.next === undefined) instants.delete(fragment.timestampMs);
    else instants.set(fragment.timestampMs, flight.next);
    return;
  }
  for (let before = first; before.next !== undefined; before = before.next) {
    if (before.next !== flight) continue;
    before.next = flight.next;
    return;
  }
}
