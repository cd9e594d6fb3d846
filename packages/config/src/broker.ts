import { z } from "zod";
import { key } from "./key.ts";
import { isListenable, isLoopback } from "./loopback.ts";
import { defineSchema, type Rule, type Schema } from "./schema.ts";
import { boolean, bytes, duration, integer, list, oneOf, text } from "./value-type.ts";

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const KiB = 2 ** 10;
const MiB = 2 ** 20;
const GiB = 2 ** 30;

/** A range that the values of some metrics must be in. At least one of `min` and `max` is set, and min ≤ max. */
export interface RangeRule {
  /** A metric name in which `*` stands for any characters and `?` for one. */
  readonly metric: string;
  /** Inclusive; undefined: no lower bound. */
  readonly min?: number | undefined;
  /** Inclusive; undefined: no upper bound. */
  readonly max?: number | undefined;
  /** `drop`: the sample is rejected by name. `mark`: it is stored with the outlier flag. */
  readonly action: "drop" | "mark";
}

/**
 * The broker's configuration. {@link brokerSchema} has the defaults, ranges and descriptions, and
 * `docs/configuration.md` shows them as a table.
 */
export interface BrokerConfig {
  readonly nodeId: string;
  readonly dataDir: string;
  readonly listen: {
    readonly address: string;
    /** 0: any free port. */
    readonly grpcPort: number;
    /** 0: any free port. */
    readonly httpPort: number;
  };
  readonly insecure: boolean;
  /** Both or neither. */
  readonly tls: {
    readonly certFile: string | undefined;
    readonly keyFile: string | undefined;
  };
  /** A broker without `bootstrap` and `join`, and with a `dataDir` that was never in a cluster, is alone. */
  readonly cluster: {
    readonly bootstrap: boolean;
    /** Peer doors, `host:port`, separated by commas. */
    readonly join: string | undefined;
    readonly listenAddress: string;
    /** 0: any free port. */
    readonly listenPort: number;
    readonly advertisedHost: string | undefined;
    readonly zone: string | undefined;
    readonly weightPercent: number;
    /** All or none. */
    readonly tls: {
      readonly certFile: string | undefined;
      readonly keyFile: string | undefined;
      readonly caFile: string | undefined;
    };
  };
  readonly store: {
    readonly kind: "level" | "memory";
    readonly retentionMs: number;
    readonly level: {
      readonly generationBytes: number;
      readonly generationAgeMs: number;
      readonly writeBufferBytes: number;
      readonly cacheBytes: number;
      readonly openCheckBytes: number;
      readonly compression: boolean;
    };
  };
  readonly intake: {
    readonly batchReportsMax: number;
    readonly batchBytesMax: number;
    readonly flushesInFlightMax: number;
    readonly lingerMs: number;
    readonly flushTimeoutMs: number;
    /** 0: a quarter of the heap. */
    readonly bytesInFlightMax: number;
    readonly aheadMs: number;
    readonly names: "translate" | "reject";
    readonly nan: "reject" | "keep";
    readonly infinite: "reject" | "keep";
    readonly dedupBytesMax: number;
    readonly ranges: readonly RangeRule[];
  };
  readonly limits: {
    readonly messageBytesMax: number;
    readonly samplesPerMessageMax: number;
    readonly seriesPerHostMax: number;
    readonly labelsMax: number;
    readonly nameBytesMax: number;
    readonly labelValueBytesMax: number;
    readonly streamsPerConnectionMax: number;
    readonly connectionsPerAddressMax: number;
    readonly connectionsMax: number;
    readonly connectionBytesInFlightMax: number;
    readonly httpBodyBytesMax: number;
  };
  readonly query: {
    readonly samplesMax: number;
    readonly concurrencyMax: number;
    readonly timeoutMs: number;
  };
  readonly log: {
    readonly level: "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";
  };
  readonly shutdown: {
    readonly drainTimeoutMs: number;
  };
  readonly agents: {
    readonly heartbeatIntervalMs: number;
  };
}

const path = text({ what: "a path", lengthMax: 4_096 });
const port = integer({ min: 0, max: 65_535 });
const policy = oneOf("reject", "keep");

/** One peer door, as `cluster.join` has them. */
const peerAddress = /^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}$/;

const metricPattern = "a metric name of at most 1024 characters, with * and ? as wildcards";
const bound = { error: "a finite number" };
const rangeRule: z.ZodType<RangeRule> = z
  .strictObject(
    {
      metric: z
        .string({ error: metricPattern })
        .max(1_024, { error: metricPattern, abort: true })
        .regex(/^[a-zA-Z_:*?][a-zA-Z0-9_:*?]*$/, { error: metricPattern }),
      min: z.number(bound).optional(),
      max: z.number(bound).optional(),
      action: z.enum(["drop", "mark"], { error: '"drop" or "mark"' }),
    },
    { error: "a rule of metric, min, max and action" },
  )
  .refine(({ min, max }) => min !== undefined || max !== undefined, { error: "a rule with min, max or both" })
  .refine(({ min, max }) => min === undefined || max === undefined || min <= max, {
    path: ["min"],
    error: "a bound that is not above max",
  });

const rules: readonly Rule<BrokerConfig>[] = [
  {
    paths: ["tls.certFile", "tls.keyFile"],
    check({ tls }) {
      if ((tls.certFile === undefined) === (tls.keyFile === undefined)) return undefined;
      return `${tls.certFile === undefined ? "tls.certFile" : "tls.keyFile"} beside it (TLS needs both)`;
    },
  },
  {
    paths: ["listen.address", "tls.certFile", "tls.keyFile", "insecure"],
    check({ listen, tls, insecure }) {
      if (isLoopback(listen.address) || tls.certFile !== undefined || insecure) return undefined;
      return "a loopback address, or tls.certFile and tls.keyFile, or insecure: true to be open to the network";
    },
  },
  {
    paths: ["listen.httpPort", "listen.grpcPort"],
    check({ listen }) {
      if (listen.grpcPort !== listen.httpPort || listen.grpcPort === 0) return undefined;
      return "listen.grpcPort and listen.httpPort to differ";
    },
  },
  {
    paths: ["cluster.join", "cluster.bootstrap"],
    check({ cluster }) {
      if (!cluster.bootstrap || cluster.join === undefined) return undefined;
      return "cluster.bootstrap for the first broker of a cluster or cluster.join for the others, not both";
    },
  },
  {
    paths: ["cluster.tls.certFile", "cluster.tls.keyFile", "cluster.tls.caFile"],
    check({ cluster: { tls } }) {
      const given = [tls.certFile, tls.keyFile, tls.caFile].filter((file) => file !== undefined).length;
      if (given === 0 || given === 3) return undefined;
      return "cluster.tls.certFile, cluster.tls.keyFile and cluster.tls.caFile together";
    },
  },
  {
    paths: ["cluster.listenAddress", "cluster.tls.certFile"],
    check({ cluster: { listenAddress, tls } }) {
      if (isLoopback(listenAddress) || tls.certFile !== undefined) return undefined;
      return "a loopback address, or cluster.tls: brokers show each other certificates beyond this machine";
    },
  },
  {
    paths: ["limits.connectionBytesInFlightMax", "limits.messageBytesMax"],
    check({ limits }) {
      if (limits.connectionBytesInFlightMax >= limits.messageBytesMax) return undefined;
      return "limits.connectionBytesInFlightMax to be at least limits.messageBytesMax, or such a message never passes";
    },
  },
  {
    paths: ["intake.bytesInFlightMax", "limits.messageBytesMax"],
    check({ intake, limits }) {
      if (intake.bytesInFlightMax === 0 || intake.bytesInFlightMax >= limits.messageBytesMax)
        return undefined;
      return "intake.bytesInFlightMax to be 0 or at least limits.messageBytesMax, or such a message never passes";
    },
  },
];

/**
 * Variables of the same prefix that are read elsewhere: by the broker's command line, `monctl`, the agent and the
 * repository's tools, any of which may share an environment with a broker.
 */
const othersVariable = /^MON_(CONFIG|BROKER|TIMEOUT|(AGENT|TOOLS)_[A-Z_]+)$/;

/**
 * The names that Kubernetes gives every pod for a service called `mon` or `mon-…`: `MON_PORT_7400_TCP_ADDR`. They are
 * no settings.
 */
const serviceLink = /_(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;

/** The schema of {@link BrokerConfig}. */
export const brokerSchema: Schema<BrokerConfig> = defineSchema<BrokerConfig>({
  environmentPrefix: "MON_",
  environmentIgnored: (name) => othersVariable.test(name) || serviceLink.test(name),
  rules,
  keys: {
    nodeId: key(
      text({
        what: "letters, digits, dots, dashes and underscores, the first a letter or digit,",
        lengthMax: 128,
        accepts: (id) => /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(id),
      }),
      {
        supplied: "the machine's host name",
        flag: "--node-id <name>",
        restart: true,
        description: "This broker's name in the cluster; never given to two brokers at once.",
      },
    ),
    dataDir: key(path, {
      default: "./data",
      flag: "--data-dir <path>",
      restart: true,
      description: "Directory of everything this broker keeps; one broker owns it at a time.",
    }),
    listen: {
      address: key(text({ what: "an IP address or host name", lengthMax: 253, accepts: isListenable }), {
        default: "127.0.0.1",
        flag: "--listen <address>",
        restart: true,
        description: "Address the doors listen on. Beyond loopback it needs `tls` or `insecure: true`.",
      }),
      grpcPort: key(port, {
        default: 7_400,
        flag: "--grpc-port <port>",
        restart: true,
        description: "Port of the gRPC door, for agents and queries; 0 takes any free port.",
      }),
      httpPort: key(port, {
        default: 7_480,
        flag: "--http-port <port>",
        restart: true,
        description: "Port of the HTTP door, for the page, health and metrics; 0 takes any free port.",
      }),
    },
    insecure: key(boolean(), {
      default: false,
      flag: "--insecure",
      restart: true,
      description:
        "Allows listening beyond loopback without TLS: whoever reaches the ports reads and writes.",
    }),
    tls: {
      certFile: key(path, {
        optional: "no TLS",
        restart: true,
        description: "PEM file with the certificate chain of the doors; needs `tls.keyFile`.",
      }),
      keyFile: key(path, {
        optional: "no TLS",
        restart: true,
        description: "PEM file with the private key of `tls.certFile`.",
      }),
    },
    cluster: {
      bootstrap: key(boolean(), {
        default: false,
        flag: "--bootstrap",
        restart: true,
        description:
          "Forms a new cluster of this one broker. Once: a `dataDir` that is in a cluster refuses it, so take it away afterwards.",
      }),
      join: key(
        text({
          what: "peer doors as host:port, separated by commas,",
          lengthMax: 4_096,
          accepts: (peers) => peers.split(",").every((peer) => peerAddress.test(peer.trim())),
        }),
        {
          optional: "no cluster is joined",
          flag: "--join <peers>",
          restart: true,
          description:
            "Peer doors of brokers of the cluster to join, asked in turn. A broker that is a member already may keep it.",
        },
      ),
      listenAddress: key(
        text({ what: "an IP address or host name", lengthMax: 253, accepts: isListenable }),
        {
          default: "127.0.0.1",
          flag: "--peer-listen <address>",
          restart: true,
          description:
            "Address the door to other brokers listens on. Beyond loopback it needs `cluster.tls`.",
        },
      ),
      listenPort: key(port, {
        default: 7_401,
        flag: "--peer-port <port>",
        restart: true,
        description: "Port of the door to other brokers, opened only in a cluster; 0 takes any free port.",
      }),
      advertisedHost: key(
        text({ what: "an IP address or host name", lengthMax: 253, accepts: isListenable }),
        {
          optional:
            "the address that each door listens on, or the machine's host name where that is all addresses",
          restart: true,
          description: "Where other brokers and clients reach this one.",
        },
      ),
      zone: key(text({ what: "a zone", lengthMax: 128 }), {
        optional: "a zone of its own",
        flag: "--zone <name>",
        restart: true,
        description: "What this broker would fail together with; copies and votes are spread over zones.",
      }),
      weightPercent: key(integer({ min: 1, max: 10_000 }), {
        default: 100,
        restart: true,
        description: "This broker's share of the ring, against brokers of 100.",
      }),
      tls: {
        certFile: key(path, {
          optional: "no TLS between brokers",
          restart: true,
          description:
            "PEM file with this broker's certificate for other brokers. It names `URI:spiffe://mon/broker/<nodeId>`, and the host that others connect to.",
        }),
        keyFile: key(path, {
          optional: "no TLS between brokers",
          restart: true,
          description: "PEM file with the private key of `cluster.tls.certFile`.",
        }),
        caFile: key(path, {
          optional: "no TLS between brokers",
          restart: true,
          description:
            "PEM file with the authorities that sign the certificates of brokers, and of nobody else.",
        }),
      },
    },
    store: {
      kind: key(oneOf("level", "memory"), {
        default: "level",
        restart: true,
        description: "Where samples are kept: in `dataDir` on disk, or in memory until the broker stops.",
      }),
      retentionMs: key(duration({ min: hour, max: 3_650 * day }), {
        default: 7 * day,
        restart: false,
        description:
          "Age at which samples are deleted; also the oldest a report may be. Shortening it deletes.",
      }),
      level: {
        generationBytes: key(bytes({ min: MiB, max: 256 * MiB }), {
          default: 32 * MiB,
          restart: true,
          description:
            "Reports kept in the journal and in memory before they are packed into chunks, up to twice; a start reads them again.",
        }),
        generationAgeMs: key(duration({ min: second, max: day }), {
          default: 30 * minute,
          restart: true,
          description: "Age at which reports are packed into chunks though they are few.",
        }),
        writeBufferBytes: key(bytes({ min: MiB, max: 32 * MiB }), {
          default: 16 * MiB,
          restart: true,
          description: "Bytes written before a table file is made; more writes faster and recovers slower.",
        }),
        cacheBytes: key(bytes({ min: MiB, max: GiB }), {
          default: 64 * MiB,
          restart: true,
          description: "Bytes of blocks kept in memory for reads, outside of the JavaScript heap.",
        }),
        openCheckBytes: key(bytes({ min: 0, max: 1_024 * GiB }), {
          default: 64 * MiB,
          restart: true,
          description:
            "Bytes of packed samples whose checksums a start verifies; the rest is verified in the background, a minute later.",
        }),
        compression: key(boolean(), {
          default: true,
          restart: true,
          description: "Compresses blocks on disk; off trades disk for a little CPU.",
        }),
      },
    },
    intake: {
      batchReportsMax: key(integer({ min: 1, max: 100_000 }), {
        default: 500,
        restart: true,
        description: "Most reports in one flush to the store.",
      }),
      batchBytesMax: key(bytes({ min: 4 * KiB, max: 64 * MiB }), {
        default: MiB,
        restart: true,
        description: "Most bytes in one flush; a larger single report is flushed alone.",
      }),
      flushesInFlightMax: key(integer({ min: 1, max: 64 }), {
        default: 2,
        restart: true,
        description: "Most flushes under way at once; what arrives meanwhile makes the next batch.",
      }),
      lingerMs: key(duration({ min: 0, max: minute }), {
        default: 0,
        restart: true,
        description:
          "How long a batch waits to fill; every acknowledgement waits as long. 0 flushes at once.",
      }),
      flushTimeoutMs: key(duration({ min: 100, max: 5 * minute }), {
        default: 5 * second,
        restart: true,
        description: "How long a flush may take before its reports are refused as retryable.",
      }),
      bytesInFlightMax: key(bytes({ min: 0, max: 1_024 * GiB }), {
        default: 0,
        restart: true,
        description:
          "Most bytes received and not yet stored, over all connections; 0 is a quarter of the heap.",
      }),
      aheadMs: key(duration({ min: 0, max: day }), {
        default: 10 * minute,
        restart: false,
        description: "How far ahead of this broker's clock a report may be.",
      }),
      names: key(oneOf("translate", "reject"), {
        default: "translate",
        restart: false,
        description:
          "What becomes of OpenTelemetry's names: `system.cpu.time` is translated to `system_cpu_time`, or rejected.",
      }),
      nan: key(policy, {
        default: "reject",
        restart: false,
        description: "What becomes of samples that are NaN.",
      }),
      infinite: key(policy, {
        default: "reject",
        restart: false,
        description: "What becomes of samples that are infinite.",
      }),
      dedupBytesMax: key(bytes({ min: 64 * KiB, max: 16 * GiB }), {
        default: 32 * MiB,
        restart: true,
        description: "Memory for recognising repeated reports; with less, more repeats reach the store.",
      }),
      ranges: key(list(rangeRule, { of: "range rules", itemsMax: 1_000 }), {
        default: [],
        restart: false,
        description:
          "Ranges outside of which samples are outliers: `{ metric, min, max, action }`, where `metric` takes `*` and `?`, and `action` is `drop` or `mark`.",
      }),
    },
    limits: {
      messageBytesMax: key(bytes({ min: KiB, max: 64 * MiB }), {
        default: 4 * MiB,
        restart: false,
        description: "Largest message, after decompression.",
      }),
      samplesPerMessageMax: key(integer({ min: 1, max: 1_000_000 }), {
        default: 10_000,
        restart: false,
        description: "Most samples in one message.",
      }),
      seriesPerHostMax: key(integer({ min: 1, max: 10_000_000 }), {
        default: 50_000,
        restart: false,
        description: "Most series of a host; samples of further ones are rejected, those it has go on.",
      }),
      labelsMax: key(integer({ min: 1, max: 256 }), {
        default: 32,
        restart: false,
        description: "Most labels of a series.",
      }),
      nameBytesMax: key(bytes({ min: 16, max: 64 * KiB }), {
        default: KiB,
        restart: false,
        description: "Longest name of a metric or label, in UTF-8.",
      }),
      labelValueBytesMax: key(bytes({ min: 16, max: 64 * KiB }), {
        default: 2 * KiB,
        restart: false,
        description: "Longest value of a label, in UTF-8.",
      }),
      streamsPerConnectionMax: key(integer({ min: 1, max: 10_000 }), {
        default: 64,
        restart: false,
        description: "Most concurrent streams on one connection.",
      }),
      connectionsPerAddressMax: key(integer({ min: 1, max: 100_000 }), {
        default: 200,
        restart: false,
        description: "Most connections from one address.",
      }),
      connectionsMax: key(integer({ min: 1, max: 1_000_000 }), {
        default: 4_096,
        restart: false,
        description: "Most connections in all.",
      }),
      connectionBytesInFlightMax: key(bytes({ min: 64 * KiB, max: GiB }), {
        default: 8 * MiB,
        restart: false,
        description:
          "Most bytes received from one connection and not yet stored; beyond, it is not read from.",
      }),
      httpBodyBytesMax: key(bytes({ min: KiB, max: 32 * MiB }), {
        default: 256 * KiB,
        restart: false,
        description: "Largest body of a request at the HTTP door.",
      }),
    },
    query: {
      samplesMax: key(integer({ min: 1_000, max: 10_000_000_000 }), {
        default: 50_000_000,
        restart: false,
        description: "Most samples one query may read.",
      }),
      concurrencyMax: key(integer({ min: 1, max: 256 }), {
        default: 8,
        restart: false,
        description: "Most queries under way at once.",
      }),
      timeoutMs: key(duration({ min: 100, max: 10 * minute }), {
        default: 30 * second,
        restart: false,
        description: "How long a query may take.",
      }),
    },
    log: {
      level: key(oneOf("trace", "debug", "info", "warn", "error", "fatal", "silent"), {
        default: "info",
        flag: "--log-level <level>",
        restart: false,
        description: "The least severe lines that are logged.",
      }),
    },
    shutdown: {
      drainTimeoutMs: key(duration({ min: 0, max: 10 * minute }), {
        default: 10 * second,
        restart: true,
        description: "How long a stop waits for what was received to be stored and acknowledged.",
      }),
    },
    agents: {
      heartbeatIntervalMs: key(duration({ min: second, max: hour }), {
        default: 30 * second,
        restart: true,
        description: "How often agents are asked to say that they are alive.",
      }),
    },
  },
});
