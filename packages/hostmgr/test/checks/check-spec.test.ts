import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CapturedOutput, type CheckInput, resolveCheck } from "../../src/index.ts";

describe("a check that somebody wrote", () => {
  it("is filled in", () => {
    expect(resolveCheck({ checkId: "web", kind: "http", url: "http://10.0.0.1/" })).toEqual({
      checkId: "web",
      kind: "http",
      url: "http://10.0.0.1/",
      intervalMs: 30_000,
      timeoutMs: 5_000,
      statuses: [[200, 399]],
    });
    expect(resolveCheck({ checkId: "g", kind: "grpc", host: "::1", port: 1 })).toMatchObject({
      service: "",
      isTls: false,
    });
    const folders = { scriptFolders: ["/etc/mon/checks/"] };
    const script: CheckInput = { checkId: "s", kind: "script", path: "/etc/mon/checks/disk" };
    expect(resolveCheck(script, folders)).toMatchObject({ timeoutMs: 10_000, args: [] });
  });

  it.each<[string, CheckInput]>([
    ["checkId to be", { checkId: "a b", kind: "tcp", host: "a", port: 1 }],
    ["port from 1 to 65535, got 0", { checkId: "a", kind: "tcp", host: "a", port: 0 }],
    ["host to be a name", { checkId: "a", kind: "tcp", host: ";rm -rf", port: 1 }],
    ["intervalMs from 1000", { checkId: "a", kind: "tcp", host: "a", port: 1, intervalMs: 10 }],
    [
      "timeoutMs to be less than intervalMs",
      { checkId: "a", kind: "tcp", host: "a", port: 1, timeoutMs: 30_000 },
    ],
    ["url to be http or https", { checkId: "a", kind: "http", url: "file:///etc/passwd" }],
    ["url to be http or https", { checkId: "a", kind: "http", url: "http://user:secret@a/" }],
    ["url to be http or https", { checkId: "a", kind: "http", url: "gopher://a/" }],
    ["statuses to be 1 to 16", { checkId: "a", kind: "http", url: "http://a/", statuses: [] }],
    [
      "statuses from 300 to 599, got 200",
      { checkId: "a", kind: "http", url: "http://a/", statuses: [[300, 200]] },
    ],
    ["bodyMatch to be an expression", { checkId: "a", kind: "http", url: "http://a/", bodyMatch: "(" }],
    ["bodyMatch to be an expression", { checkId: "a", kind: "http", url: "http://a/", bodyMatch: "(a)\\1" }],
    ["no script, which only a local file", { checkId: "a", kind: "script", path: "/etc/mon/checks/disk" }],
  ])("is refused: %s", (expected, input) => {
    expect(() => resolveCheck(input)).toThrow(expected);
  });

  it.each([
    "/bin/sh",
    "/etc/mon/checks",
    "/etc/mon/checks-2/x",
    "/etc/mon/checks/../../../bin/sh",
    "checks/disk",
    "/etc/mon/checks/./x",
    "/etc/mon/checks/x\0",
  ])("that runs %j is refused", (path) => {
    const origin = { scriptFolders: ["/etc/mon/checks"] };
    expect(() => resolveCheck({ checkId: "s", kind: "script", path }, origin)).toThrow(/expected path/);
  });
});

it("of what is printed the last 4 KB are kept, however it comes", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 3_000 }), { maxLength: 8 }), (chunks) => {
      const output = new CapturedOutput();
      for (const chunk of chunks) output.add(chunk);
      const all = Buffer.concat(chunks.map((chunk) => chunk.map((byte) => 97 + (byte % 26))));
      const plain = new CapturedOutput();
      for (const chunk of chunks) plain.add(chunk.map((byte) => 97 + (byte % 26)));
      expect(Buffer.byteLength(output.text())).toBeLessThanOrEqual(4_096);
      if (all.length <= 4_096) expect(plain.text()).toBe(all.toString());
      else {
        const [kept, note] = plain.text().split("\n");
        expect(note).toBe(`captured ${kept!.length} of ${all.length} bytes`);
        expect(all.toString().endsWith(kept!)).toBe(true);
        expect(kept!.length).toBeGreaterThan(4_000);
      }
    }),
  );
});
