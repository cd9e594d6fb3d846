import type { Fragment, WriteFate } from "@mon/store";

/** A write that waits for the test. */
export interface GatedWrite {
  readonly fragments: readonly Fragment[];
  /** Lets it end: all stored, or each as told. */
  finish(fates?: readonly WriteFate[]): void;
  fail(error: Error): void;
}

/** A store whose writes end when the test says so. */
export class GatedStore {
  readonly writes: GatedWrite[] = [];

  write(fragments: readonly Fragment[]): Promise<readonly WriteFate[]> {
    return new Promise((resolve, reject) => {
      this.writes.push({
        fragments,
        finish: (fates = fragments.map(() => stored)) => resolve(fates),
        fail: reject,
      });
    });
  }
}

/** What a store says of what it has. */
export const stored: WriteFate = { status: "stored", durability: "fsync", copies: 1 };
