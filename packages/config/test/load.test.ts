import { brokerSchema, loadConfig } from "@mon/config";
import { describe, expect, test } from "vitest";
import { configErrorOf, load, loadYaml } from "./broker-config.ts";

describe("loading", () => {
  test("takes an empty file, one of comments, and none alike", () => {
    const { config } = load();
    expect(loadYaml("").config).toEqual(config);
    expect(loadYaml("# nothing yet\n\n").config).toEqual(config);
  });

  test("takes a byte-order mark and CRLF line ends, and counts their lines", () => {
    const { settings } = loadYaml("\ufefflisten:\r\n  grpcPort: 1\r\n  httpPort: 2\r\n");
    expect(settings.get("listen.httpPort")?.source).toBe("mon.yaml:3");
  });

  test("gives a configuration that cannot be changed", () => {
    const { config } = loadYaml("intake:\n  ranges: [{ metric: a, min: 1, action: mark }]");
    expect(() => Object.assign(config.listen, { grpcPort: 1 })).toThrow(TypeError);
    expect(() => Object.assign(config.intake.ranges[0]!, { min: 0 })).toThrow(TypeError);
  });

  test("collects every problem and says each on a line of its own", () => {
    const error = configErrorOf(() =>
      load({
        env: { MON_INSECURE: "yes" },
        set: ["query.samplesMax=0"],
        file: { path: "mon.yaml", text: "listen:\n  grpcPort: 70000\n  adress: x" },
      }),
    );
    expect(error.message.split("\n")).toEqual([
      "4 problems:",
      "listen.adress: expected a known key, got an unknown key; did you mean listen.address? (mon.yaml:3)",
      "listen.grpcPort: expected an integer from 0 to 65535, got 70000 (mon.yaml:2)",
      'insecure: expected true or false, got "yes" (MON_INSECURE)',
      "query.samplesMax: expected an integer from 1000 to 10000000000, got 0 (--set query.samplesMax)",
    ]);
  });

  test("keeps at most 100 problems and counts the others", () => {
    const text = Array.from({ length: 250 }, (_, index) => `unknown${index}: 1`).join("\n");
    const error = configErrorOf(() => loadYaml(text));
    expect(error.problems).toHaveLength(100);
    expect(error.omitted).toBe(150);
    expect(error.message).toMatch(/^250 problems:\n(.*\n){100}and 150 more$/);
  });

  test.each([
    ["grpcport: 1", "listen.grpcPort"],
    ["listen: { grpc_port: 1 }", "listen.grpcPort"],
    ["listen: { grcpPort: 1 }", "listen.grpcPort"],
    ["strore: { kind: level }", "store"],
    ["store: { retention: 7d }", "store.retentionMs"],
    ["zebra: 1", undefined],
    ["logLevel: info", "log.level"],
    ["intake: { sampleMax: 5 }", "query.samplesMax"],
  ])("for the unknown key of %j suggests %s", (text, suggested) => {
    const [problem] = configErrorOf(() => loadYaml(text)).problems;
    expect(problem?.hint).toBe(suggested && `did you mean ${suggested}?`);
  });

  test("suggests the variable that was meant", () => {
    const error = configErrorOf(() => load({ env: { MON_LISTEN_GRPCPORT: "1" } }));
    expect(error.message).toBe(
      "MON_LISTEN_GRPCPORT: expected a known key, got an unknown key; did you mean MON_LISTEN_GRPC_PORT? (MON_LISTEN_GRPCPORT)",
    );
  });

  test("leaves variables of other programs alone, and those that Kubernetes makes for a service", () => {
    const env = {
      PATH: "/bin",
      MONITOR: "1",
      MON_CONFIG: "/etc/mon.yaml",
      MON_BROKER: "http://127.0.0.1:7400",
      MON_TIMEOUT: "5s",
      MON_AGENT_BROKER: "http://127.0.0.1:7400",
      MON_TOOLS_NODE: "/usr/bin/node",
      MON_SERVICE_HOST: "10.0.0.1",
      MON_SERVICE_PORT_GRPC: "7400",
      MON_PORT: "tcp://10.0.0.1:7400",
      MON_PORT_7400_TCP_ADDR: "10.0.0.1",
    };
    expect(load({ env }).config).toEqual(load().config);
  });

  test("never shows the value of an unknown key, which may be a mistyped secret", () => {
    const input = {
      env: { MON_TOKN: "hunter2" },
      set: ["tokn=hunter2"],
      file: { path: "mon.yaml", text: "tokn: hunter2\nlisten: hunter2" },
    };
    expect(configErrorOf(() => load(input)).message).not.toContain("hunter2");
  });

  test.each([
    ["null", "null"],
    ["- 1", "a list of 1"],
    ["just text", "a string"],
  ])("refuses a file that is %j", (text, kind) => {
    expect(configErrorOf(() => loadYaml(text)).message).toMatch(
      new RegExp(`^mon.yaml: expected a mapping of nodeId, .*, got ${kind} \\(mon.yaml:1\\)$`),
    );
  });

  test.each([
    ["listen: [", 1],
    ["listen:\n\tgrpcPort: 1", 2],
    ["insecure: true\n---\ninsecure: false", 2],
    ["insecure: !secret hunter2", 1],
    ["insecure: !hunter2 1", 1],
    ["listen:\n  address: |hunter2", 2],
    ["a: {".repeat(5_000), 1],
    ["[".repeat(5_000), 1],
  ])("refuses YAML that cannot be read, on one line and without quoting it: %j", (text, line) => {
    const { message, problems } = configErrorOf(() => loadYaml(text));
    expect(problems).toHaveLength(1);
    expect(message).toMatch(/^mon\.yaml: expected one document of YAML, got \P{Cc}{1,200}$/u);
    expect(message).not.toContain("hunter2");
    expect(problems[0]?.source).toBe(`mon.yaml:${line}`);
  });

  test("refuses a tagged value, an alias and a list as a key where they stand", () => {
    const text = "dataDir: !!binary aGk=\nlisten: &a { grpcPort: 1 }\ntls: *a\n? [a]\n: 1";
    expect(
      configErrorOf(() => loadYaml(text))
        .message.split("\n")
        .slice(1),
    ).toEqual([
      "dataDir: expected a value without a tag, got a tag (mon.yaml:1)",
      "tls: expected a value, got an alias (mon.yaml:3)",
      "mon.yaml: expected plain names as keys, got a list or mapping as one (mon.yaml:4)",
    ]);
  });

  test("refuses a file of more than 4 Mi characters unread", () => {
    const error = configErrorOf(() => loadYaml("#".repeat(4_194_305)));
    expect(error.message).toBe(
      "mon.yaml: expected at most 4194304 characters of YAML, got 4194305 (mon.yaml:1)",
    );
  });

  test("does not let a file touch the prototype of objects", () => {
    const text = "__proto__: { polluted: 1 }\nintake:\n  ranges: [{ __proto__: { polluted: 1 } }]";
    expect(configErrorOf(() => loadYaml(text)).problems).toHaveLength(2);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test("validates what the caller supplies, and asks for it when it is missing", () => {
    const expected =
      "nodeId: expected letters, digits, dots, dashes and underscores, the first a letter or digit, of 1 to 128 characters";
    const missing = configErrorOf(() => loadConfig(brokerSchema));
    expect(missing.message).toBe(`${expected}, got nothing (default)`);
    const bad = configErrorOf(() => loadConfig(brokerSchema, { defaults: { nodeId: "_gateway" } }));
    expect(bad.message).toBe(`${expected}, got "_gateway" (default)`);
  });

  test("takes no defaults for keys that have their own", () => {
    expect(() => load({ defaults: { nodeId: "a", dataDir: "b" } })).toThrow(
      new TypeError("expected defaults for keys that the caller supplies, got dataDir"),
    );
  });

  test.each(["listen.grpcPort", "=1", ""])("refuses --set %j", (assignment) => {
    const error = configErrorOf(() => load({ set: [assignment] }));
    expect(error.message).toBe(`--set: expected path=value, got "${assignment}" (--set)`);
  });

  test("keeps what follows the first = of --set", () => {
    expect(load({ set: ["dataDir=a=b"] }).config.dataDir).toBe("a=b");
  });
});
