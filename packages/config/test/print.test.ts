import {
  brokerSchema,
  defineSchema,
  describeSchema,
  key,
  list,
  listFlags,
  loadConfig,
  printConfig,
  text,
} from "@mon/config";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { load, loadYaml } from "./broker-config.ts";
import { fc } from "./seeded.ts";

const word = fc
  .stringMatching(/^[A-Za-z0-9_:*?][A-Za-z0-9_:*?]{0,20}$/)
  .filter((text) => /^[a-zA-Z_:*?]/.test(text));
const printable = fc
  .string({ minLength: 1, maxLength: 40, unit: "grapheme" })
  .filter((text) => !/\p{Cc}/u.test(text));
const tricky = fc.constantFrom(
  "yes",
  "null",
  "~",
  "1",
  "1e3",
  "# a",
  "a # b",
  "a: b",
  "'",
  '"',
  "- a",
  "{}",
  "0x1",
  " a ",
);
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value));
const rule = fc.record({ metric: word, max: number, action: fc.constantFrom("drop", "mark") });

describe("printing", () => {
  test("says where each value came from", () => {
    const loaded = load({
      flags: { insecure: true },
      env: { MON_STORE_RETENTION_MS: "1d" },
      file: { path: "mon.yaml", text: "intake:\n  ranges:\n    - { metric: a*, min: 0, action: drop }" },
    });
    const printed = printConfig(loaded, { origins: true });
    expect(printed).toContain("\ninsecure: true # --insecure\n");
    expect(printed).toContain("\n  retentionMs: 1d # MON_STORE_RETENTION_MS\n");
    expect(printed).toContain("\n  ranges: # mon.yaml:2\n    - { metric: a*, min: 0, action: drop }\n");
    expect(printed).toContain("\n  grpcPort: 7400 # default\n");
    expect(printed).toContain("\n# tls: not set\n");
    expect(printConfig(loaded)).not.toContain("# mon.yaml");
  });

  test("loads back to the same configuration", () => {
    fc.assert(
      fc.property(
        fc.oneof(printable, tricky),
        fc.boolean(),
        fc.integer({ min: 3_600_000, max: 3_650 * 86_400_000 }),
        fc.integer({ min: 0, max: 2 ** 40 }).filter((bytes) => bytes === 0 || bytes >= 2 ** 22),
        fc.array(rule, { maxLength: 4 }),
        (dataDir, origins, retentionMs, bytesInFlightMax, ranges) => {
          const json = JSON.stringify({
            dataDir,
            store: { retentionMs },
            intake: { bytesInFlightMax, ranges },
          });
          const loaded = loadYaml(json);
          expect(loaded.config).toMatchObject({
            dataDir,
            store: { retentionMs },
            intake: { bytesInFlightMax, ranges },
          });
          expect(loadYaml(printConfig(loaded, { origins })).config).toEqual(loaded.config);
        },
      ),
    );
  });

  test("keeps a text of several lines, and items of them, on a line each", () => {
    interface Lines {
      readonly one: string;
      readonly many: readonly string[];
    }
    const options = { description: "Lines.", restart: true };
    const lines = { ...text({ what: "lines", lengthMax: 99 }), check: z.string() };
    const schema = defineSchema<Lines>({
      environmentPrefix: "T_",
      keys: {
        one: key(lines, { ...options, default: "a\n  b\n" }),
        many: key(list(z.string(), { of: "lines", itemsMax: 9 }), {
          ...options,
          default: ["c\nd", "e: #\n"],
        }),
      },
    });
    const loaded = loadConfig(schema);
    const printed = printConfig(loaded, { origins: true });
    expect(printed.split("\n")[0]).toBe('one: "a\\n  b\\n" # default');
    expect(loadConfig(schema, { file: { path: "t.yaml", text: printed } }).config).toEqual(loaded.config);
  });

  test("keeps a file name that would break the line within its comment", () => {
    const loaded = load({ file: { path: "a\ninsecure: true", text: "dataDir: x" } });
    expect(loadYaml(printConfig(loaded, { origins: true })).config).toEqual(loaded.config);
  });
});

describe("describing", () => {
  test("has every key once, with its variable and a description", () => {
    const described = describeSchema(brokerSchema);
    expect(described.map(({ path }) => path)).toEqual([...load().settings.keys()]);
    expect(new Set(described.map(({ variable }) => variable)).size).toBe(described.length);
    for (const { description } of described) expect(description).toMatch(/^[A-Z].*\.$/);
  });

  test("lists the flags as a command line takes them", () => {
    expect(listFlags(brokerSchema).map(({ flag, attribute, path }) => [flag, attribute, path])).toEqual([
      ["--node-id <name>", "nodeId", "nodeId"],
      ["--data-dir <path>", "dataDir", "dataDir"],
      ["--listen <address>", "listen", "listen.address"],
      ["--grpc-port <port>", "grpcPort", "listen.grpcPort"],
      ["--http-port <port>", "httpPort", "listen.httpPort"],
      ["--insecure", "insecure", "insecure"],
      ["--bootstrap", "bootstrap", "cluster.bootstrap"],
      ["--join <peers>", "join", "cluster.join"],
      ["--peer-listen <address>", "peerListen", "cluster.listenAddress"],
      ["--peer-port <port>", "peerPort", "cluster.listenPort"],
      ["--zone <name>", "zone", "cluster.zone"],
      ["--log-level <level>", "logLevel", "log.level"],
    ]);
  });
});
