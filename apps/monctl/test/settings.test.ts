import { describe, expect, it } from "vitest";
import { resolveSettings } from "../src/settings.ts";

const usage = expect.objectContaining({ code: "MONCTL_USAGE" });

describe("settings", () => {
  it("come from flags before the environment before defaults", () => {
    const env = { MON_BROKER: "http://env:1", MON_TIMEOUT: "2s" };
    expect(resolveSettings({ broker: "flag:1", timeout: "3s" }, env, false)).toMatchObject({
      brokerUrl: "http://flag:1",
      timeoutMs: 3_000,
    });
    expect(resolveSettings({}, env, false)).toMatchObject({ brokerUrl: "http://env:1", timeoutMs: 2_000 });
    expect(resolveSettings({}, { MON_BROKER: "" }, false)).toMatchObject({
      brokerUrl: "http://127.0.0.1:7400",
      timeoutMs: 10_000,
    });
  });

  it("name the flag or the variable that is wrong", () => {
    expect(() => resolveSettings({ broker: "ftp://x" }, {}, false)).toThrow(
      '--broker to be an address, got "ftp://x"',
    );
    expect(() => resolveSettings({}, { MON_TIMEOUT: "5" }, false)).toThrow("MON_TIMEOUT");
    expect(() => resolveSettings({ timeout: "5w" }, {}, false)).toThrow(usage);
    expect(() => resolveSettings({ output: "xml" }, {}, false)).toThrow(usage);
    expect(() => resolveSettings({ json: true, output: "table" }, {}, false)).toThrow(usage);
  });

  it("take addresses with TLS and a path, without a slash at the end", () => {
    expect(resolveSettings({ broker: "https://mon.example:8443/door/" }, {}, false).brokerUrl).toBe(
      "https://mon.example:8443/door",
    );
  });

  it("have colours on a terminal only, and not when asked for none", () => {
    expect(resolveSettings({}, {}, true).color).toBe(true);
    expect(resolveSettings({}, {}, false).color).toBe(false);
    expect(resolveSettings({ color: false }, {}, true).color).toBe(false);
    expect(resolveSettings({}, { NO_COLOR: "1" }, true).color).toBe(false);
    expect(resolveSettings({}, { TERM: "dumb" }, true).color).toBe(false);
  });
});
