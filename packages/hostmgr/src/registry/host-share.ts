/** Says who watches a host: the owner of its id on the ring, whatever the time. */
export type OwnerOf = (hostKey: string) => string | undefined;

/** What a change of the ring, or of the hosts, has changed. */
export interface ShareChange {
  /** Hosts that are watched here from now on. */
  readonly gained: readonly string[];
  /** Hosts that somebody else watches now: what is known of their checks is to be handed over. */
  readonly lost: readonly { readonly hostKey: string; readonly to: string | undefined }[];
}

/** The hosts that one broker watches. Each is watched by the owner of its id alone, so that brokers agree without asking. */
export class HostShare {
  readonly #self: string;
  #ownerOf: OwnerOf;
  readonly #mine = new Set<string>();

  /** @param self - this broker's id on the ring */
  constructor(self: string, ownerOf: OwnerOf) {
    this.#self = self;
    this.#ownerOf = ownerOf;
  }

  /** Whether a host is watched here. */
  isMine(hostKey: string): boolean {
    return this.#mine.has(hostKey);
  }

  /** Whether a host would be watched here, if there were one of this key. */
  owns(hostKey: string): boolean {
    return this.#ownerOf(hostKey) === this.#self;
  }

  /** Who watches a host of this key, or would. */
  ownerOf(hostKey: string): string | undefined {
    return this.#ownerOf(hostKey);
  }

  get hostKeys(): ReadonlySet<string> {
    return this.#mine;
  }

  /** A host came. @returns whether it is to be watched here and was not */
  add(hostKey: string): boolean {
    if (this.#mine.has(hostKey) || this.#ownerOf(hostKey) !== this.#self) return false;
    this.#mine.add(hostKey);
    return true;
  }

  /** A host went. */
  delete(hostKey: string): void {
    this.#mine.delete(hostKey);
  }

  /** The ring has changed. O(hosts). */
  reshare(hostKeys: Iterable<string>, ownerOf: OwnerOf): ShareChange {
    this.#ownerOf = ownerOf;
    const gained: string[] = [];
    const lost: { hostKey: string; to: string | undefined }[] = [];
    for (const hostKey of hostKeys) {
      const to = ownerOf(hostKey);
      if (to === this.#self && !this.#mine.has(hostKey)) {
        this.#mine.add(hostKey);
        gained.push(hostKey);
      } else if (to !== this.#self && this.#mine.delete(hostKey)) {
        lost.push({ hostKey, to });
      }
    }
    return { gained, lost };
  }
}
