import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KnownHosts } from "../src/known-hosts.ts";
import { check } from "./support/check.ts";
import { hostIdPattern } from "./support/patterns.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("known hosts", () => {
  it("are those of their bytes, also when hashes collide, when bytes change and when there are too many", () => {
    // FNV-1a gives both of a pair the same 32 bits.
    const colliding = ["costarring", "liquid", "declinate", "macallums", "altarage", "zinke"];
    const hosts = new KnownHosts(4);
    check(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom(...colliding), fc.stringMatching(/^[-a-z]{0,2}$/))),
        (ids) => {
          const buffer = new Uint8Array(20);
          for (const id of ids) {
            buffer.set(bytesOf(id), 3);
            const expected = hostIdPattern.test(id) ? id : undefined;
            expect(hosts.find(buffer, 3, 3 + id.length)?.hostId).toBe(expected);
          }
        },
      ),
    );
  });

  it("are made once, and keep what is noted on them", () => {
    const hosts = new KnownHosts(100);
    const bytes = bytesOf("web-1 web-1");
    const host = hosts.find(bytes, 0, 5)!;
    host.slot = 7;
    bytes.fill(0x20, 0, 5);
    expect(hosts.find(bytes, 6, 11)).toBe(host);
  });
});
