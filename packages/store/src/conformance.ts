/**
 * What every {@link MetricStore} must do, as a Vitest suite. Call {@link storeConformance} in a test file of the store.
 *
 * @packageDocumentation
 */
import { afterEach, beforeEach, describe } from "vitest";
import { catalogueClaims } from "./conformance/catalogue-claims.ts";
import { modelClaims } from "./conformance/model-claims.ts";
import { readClaims } from "./conformance/read-claims.ts";
import { type SetupOptions, type StoreFixture, Subject } from "./conformance/subject.ts";
import { upkeepClaims } from "./conformance/upkeep-claims.ts";
import { writeClaims } from "./conformance/write-claims.ts";

export type { SetupOptions, StoreFixture };

/**
 * Defines the suite for one store: a test for each claim, and one that compares random histories with
 * {@link MemoryStore}.
 */
export function storeConformance(name: string, fixture: StoreFixture): void {
  describe(`${name} keeps the contract of MetricStore`, () => {
    const subject = new Subject(fixture);
    beforeEach(() => subject.begin());
    afterEach(() => subject.end());
    writeClaims(subject);
    readClaims(subject);
    catalogueClaims(subject);
    upkeepClaims(subject);
    modelClaims(subject);
  });
}
