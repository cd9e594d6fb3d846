/** Parts that the registry of hosts has. A constant of the key space: brokers must agree. */
export const registryPartitions = 16;

/** How long a day of chunks is. */
export const dayMs = 86_400_000;

/** What a host's id may be; nothing that matches can leave its hash tag or collide with another host's keys. */
const hostIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Whether keys can be made of an id. */
export function isHostId(text: string): boolean {
  return hostIdPattern.test(text);
}

/**
 * The names of all keys. The braces are literal: all keys of one host share the hash tag `{hostId}` and so a slot, all
 * of one partition of the registry `{p}`.
 */
export class KeySpace {
  readonly prefix: string;

  /** @throws {RangeError} when the prefix is empty, or holds a brace, a space or anything but printable ASCII */
  constructor(prefix: string) {
    if (!/^[!-z|~]{1,64}$/.test(prefix))
      throw new RangeError(
        `expected a key prefix of 1 to 64 printable characters without braces and spaces, got ${JSON.stringify(prefix)}`,
      );
    this.prefix = prefix;
  }

  /** String: the mark of a primary, under a tag of one of its slots. */
  mark(tag: string): string {
    return `${this.prefix}:meta:{${tag}}`;
  }

  /** Hash: fragments of one bucket. */
  metrics(hostId: string, bucketStartMs: number): string {
    return `${this.prefix}:metrics:{${hostId}}:${bucketStartMs}`;
  }

  /** Sorted set: buckets that have data in any form, by start. */
  index(hostId: string): string {
    return `${this.prefix}:index:metrics:{${hostId}}`;
  }

  /** Sorted set: blocks that may have fragments in them, by start. */
  unpacked(hostId: string): string {
    return `${this.prefix}:unpacked:{${hostId}}`;
  }

  /** Hash: headers of the chunks whose blocks begin on one day. */
  chunks(hostId: string, dayStartMs: number): string {
    return `${this.prefix}:chunks:{${hostId}}:${dayStartMs}`;
  }

  /** Hash: columns of the same chunks. */
  columns(hostId: string, dayStartMs: number): string {
    return `${this.prefix}:columns:{${hostId}}:${dayStartMs}`;
  }

  /** Hash: the series of a host. */
  series(hostId: string): string {
    return `${this.prefix}:series:{${hostId}}`;
  }

  /** Hash: the version of a host, when it was last seen, its newest fragments, its metadata. */
  host(hostId: string): string {
    return `${this.prefix}:hosts:{${hostId}}`;
  }

  /** Sorted set: hosts of one partition, by the number of the last change of their series or metadata. */
  registry(partition: number): string {
    return `${this.prefix}:hosts:index:{${partition}}`;
  }

  /** Hash: how many changes one partition of the registry has had, and which count it is. */
  registryLog(partition: number): string {
    return `${this.prefix}:hosts:log:{${partition}}`;
  }
}

/** The day on which a block begins, in UTC. */
export function dayStart(blockStartMs: number): number {
  return Math.floor(blockStartMs / dayMs) * dayMs;
}
