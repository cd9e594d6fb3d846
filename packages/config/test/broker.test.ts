import { brokerSchema, describeSchema, isLoopback } from "@mon/config";
import { describe, expect, test } from "vitest";
import { configErrorOf, load, loadYaml } from "./broker-config.ts";

describe("the broker's configuration", () => {
  test("has the documented defaults", () => {
    expect(load().config).toEqual({
      nodeId: "test-node",
      dataDir: "./data",
      listen: { address: "127.0.0.1", grpcPort: 7400, httpPort: 7480 },
      insecure: false,
      tls: { certFile: undefined, keyFile: undefined },
      cluster: {
        bootstrap: false,
        join: undefined,
        listenAddress: "127.0.0.1",
        listenPort: 7401,
        advertisedHost: undefined,
        zone: undefined,
        weightPercent: 100,
        tls: { certFile: undefined, keyFile: undefined, caFile: undefined },
      },
      store: {
        kind: "level",
        retentionMs: 7 * 86_400_000,
        level: {
          generationBytes: 32 * 2 ** 20,
          generationAgeMs: 1_800_000,
          writeBufferBytes: 16 * 2 ** 20,
          cacheBytes: 64 * 2 ** 20,
          openCheckBytes: 64 * 2 ** 20,
          compression: true,
        },
      },
      intake: {
        batchReportsMax: 500,
        batchBytesMax: 2 ** 20,
        flushesInFlightMax: 2,
        lingerMs: 0,
        flushTimeoutMs: 5_000,
        bytesInFlightMax: 0,
        aheadMs: 600_000,
        names: "translate",
        nan: "reject",
        infinite: "reject",
        dedupBytesMax: 32 * 2 ** 20,
        ranges: [],
      },
      limits: {
        messageBytesMax: 4 * 2 ** 20,
        samplesPerMessageMax: 10_000,
        seriesPerHostMax: 50_000,
        labelsMax: 32,
        nameBytesMax: 1_024,
        labelValueBytesMax: 2_048,
        streamsPerConnectionMax: 64,
        connectionsPerAddressMax: 200,
        connectionsMax: 4_096,
        connectionBytesInFlightMax: 8 * 2 ** 20,
        httpBodyBytesMax: 256 * 2 ** 10,
      },
      query: { samplesMax: 50_000_000, concurrencyMax: 8, timeoutMs: 30_000 },
      log: { level: "info" },
      shutdown: { drainTimeoutMs: 10_000 },
      agents: { heartbeatIntervalMs: 30_000 },
    });
  });

  test("names the unit of each duration and size", () => {
    for (const { path, type } of describeSchema(brokerSchema)) {
      if (type === "duration") expect(path).toMatch(/Ms$/);
      if (type === "size") expect(path).toMatch(/Bytes(InFlight)?(Max)?$|bytesInFlightMax$/);
    }
  });

  test("can be changed live exactly where that is promised", () => {
    const live = describeSchema(brokerSchema).filter(({ restart }) => !restart);
    const expected =
      /^(limits|query|log)\.|^store\.retentionMs$|^intake\.(aheadMs|names|nan|infinite|ranges)$/;
    const paths = describeSchema(brokerSchema).map(({ path }) => path);
    expect(live.map(({ path }) => path)).toEqual(paths.filter((path) => expected.test(path)));
  });

  test.each([
    "0.0.0.0",
    "::",
    "192.168.1.2",
    "broker.example",
    "128.0.0.1",
    "localhost.example",
    "::ffff:127.0.0.1",
  ])("listens on %s only with TLS or insecure: true", (address) => {
    const set = [`listen.address=${address}`];
    expect(configErrorOf(() => load({ set })).message).toBe(
      `listen.address: expected a loopback address, or tls.certFile and tls.keyFile, or insecure: true to be open to the network, got "${address}" (--set listen.address)`,
    );
    expect(load({ set, flags: { insecure: true } }).config.listen.address).toBe(address);
    expect(load({ set: [...set, "tls.certFile=c.pem", "tls.keyFile=k.pem"] }).config.insecure).toBe(false);
  });

  test.each([
    "127.0.0.1",
    "127.1.2.3",
    "127.255.255.255",
    "::1",
    "0:0:0:0:0:0:0:1",
    "localhost",
    "LocalHost",
  ])("listens on %s, which is loopback, as it is", (address) => {
    expect(isLoopback(address)).toBe(true);
    expect(load({ flags: { listen: address } }).config.listen.address).toBe(address);
  });

  test.each([
    "127.1",
    "127.0.0.256",
    "2130706433",
    "127.0.0.1.",
    "[::1]",
    "127.0.0.1:80",
    "a b",
    "-a",
    "::1%lo",
    "a..b",
  ])("does not take %j for an address", (address) => {
    expect(isLoopback(address)).toBe(false);
    const error = configErrorOf(() => load({ flags: { listen: address } }));
    expect(error.message).toContain("listen.address: expected an IP address or host name");
  });

  test("needs a certificate and its key, both or neither", () => {
    expect(configErrorOf(() => loadYaml("tls: { certFile: c.pem }")).message).toBe(
      'tls.certFile: expected tls.keyFile beside it (TLS needs both), got "c.pem" (mon.yaml:1)',
    );
    expect(configErrorOf(() => load({ env: { MON_TLS_KEY_FILE: "k.pem" } })).message).toBe(
      'tls.keyFile: expected tls.certFile beside it (TLS needs both), got "k.pem" (MON_TLS_KEY_FILE)',
    );
  });

  test("forms a cluster or joins one, not both", () => {
    const flags = { bootstrap: true, join: "10.0.0.1:7401" };
    expect(configErrorOf(() => load({ flags })).message).toContain(
      "cluster.join: expected cluster.bootstrap for the first broker of a cluster or cluster.join for the others",
    );
    for (const join of ["mon-1:7401, mon-2:7401", "[::1]:7401"]) {
      expect(load({ flags: { join } }).config.cluster.join).toBe(join);
    }
    for (const join of ["mon-1", "mon-1:7401,", "http://mon-1:7401", ":7401", "a b:1"]) {
      expect(configErrorOf(() => load({ flags: { join } })).message).toContain("cluster.join: expected");
    }
  });

  test("speaks to other brokers in plain text on loopback only, whatever insecure says", () => {
    const files = ["certFile", "keyFile", "caFile"].map((name) => `cluster.tls.${name}=x.pem`);
    const flags = { insecure: true, peerListen: "0.0.0.0" };
    expect(configErrorOf(() => load({ flags })).message).toContain(
      "cluster.listenAddress: expected a loopback address, or cluster.tls",
    );
    expect(load({ flags, set: files }).config.cluster.listenAddress).toBe("0.0.0.0");
    expect(configErrorOf(() => load({ set: files.slice(1) })).message).toContain(
      "expected cluster.tls.certFile, cluster.tls.keyFile and cluster.tls.caFile together",
    );
  });

  test("has two ports that differ, unless both are any free port", () => {
    expect(configErrorOf(() => load({ flags: { grpcPort: "7480" } })).message).toBe(
      "listen.grpcPort: expected listen.grpcPort and listen.httpPort to differ, got 7480 (--grpc-port)",
    );
    expect(load({ flags: { grpcPort: "0", httpPort: "0" } }).config.listen).toMatchObject({
      grpcPort: 0,
      httpPort: 0,
    });
  });

  test("lets a message of the largest size pass", () => {
    expect(configErrorOf(() => load({ set: ["limits.connectionBytesInFlightMax=1MiB"] })).message).toBe(
      "limits.connectionBytesInFlightMax: expected limits.connectionBytesInFlightMax to be at least limits.messageBytesMax, or such a message never passes, got 1048576 (--set limits.connectionBytesInFlightMax)",
    );
    expect(configErrorOf(() => load({ set: ["intake.bytesInFlightMax=1MiB"] })).message).toContain(
      "expected intake.bytesInFlightMax to be 0 or at least limits.messageBytesMax",
    );
  });

  test("does not check a rule over keys that are wrong by themselves", () => {
    const error = configErrorOf(() => load({ flags: { listen: "0.0.0.0", insecure: "perhaps" } }));
    expect(error.problems.map(({ path }) => path)).toEqual(["insecure"]);
  });

  test.each(["insecure: [", "insecure: true\n---\n", "- insecure: true", "tls: null"])(
    "does not check a rule over keys that %j may have been meant to give",
    (text) => {
      const file = { path: "mon.yaml", text };
      expect(configErrorOf(() => load({ flags: { listen: "0.0.0.0" }, file })).problems).toHaveLength(1);
    },
  );

  test("names the item and the line of a bad range rule", () => {
    const text = `
intake:
  ranges:
    - { metric: node_*, min: 0, action: drop }
    - metric: 9lives
      max: .nan
    - { metric: a, action: drop }
    - { metric: a, min: 2, max: 1, action: mark }
    - { metric: a, min: 1, action: drop, severity: high }
`;
    expect(
      configErrorOf(() => loadYaml(text))
        .message.split("\n")
        .slice(1),
    ).toEqual([
      'intake.ranges[1].metric: expected a metric name of at most 1024 characters, with * and ? as wildcards, got "9lives" (mon.yaml:5)',
      "intake.ranges[1].max: expected a finite number, got NaN (mon.yaml:6)",
      'intake.ranges[1].action: expected "drop" or "mark", got nothing (mon.yaml:5)',
      "intake.ranges[2]: expected a rule with min, max or both, got a mapping (mon.yaml:7)",
      "intake.ranges[3].min: expected a bound that is not above max, got 2 (mon.yaml:8)",
      "intake.ranges[4].severity: expected a rule of metric, min, max and action, got an unknown key (mon.yaml:9)",
    ]);
  });

  test("takes range rules from the environment as JSON", () => {
    const rule = { metric: "temp_*", min: -40, max: 125, action: "mark" };
    expect(load({ env: { MON_INTAKE_RANGES: JSON.stringify([rule]) } }).config.intake.ranges).toEqual([rule]);
  });
});
