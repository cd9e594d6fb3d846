import { type BrokerConfig, brokerSchema, describeSchema, type Origin } from "@mon/config";
import { describe, expect, test } from "vitest";
import { configErrorOf, load, yamlOf } from "./broker-config.ts";
import { fc } from "./seeded.ts";

/** Keys of every type that have a flag or none, and texts that each takes. */
const samples: Record<string, readonly [text: string, value: unknown][]> = {
  "listen.grpcPort": [
    ["1", 1],
    ["2", 2],
    ["65535", 65_535],
  ],
  "log.level": [
    ["trace", "trace"],
    ["warn", "warn"],
    ["silent", "silent"],
  ],
  dataDir: [
    ["/a", "/a"],
    ["b c", "b c"],
    ["données", "données"],
  ],
  insecure: [
    ["true", true],
    ["false", false],
  ],
  "store.retentionMs": [
    ["1d", 86_400_000],
    ["7200000", 7_200_000],
    ["2h", 7_200_000],
  ],
  "limits.nameBytesMax": [
    ["16", 16],
    ["1KiB", 1_024],
    ["20B", 20],
  ],
  "intake.ranges": [
    ["[]", []],
    ['[{ metric: "a", max: 1, action: drop }]', [{ metric: "a", max: 1, action: "drop" }]],
  ],
};
const keys = new Map(describeSchema(brokerSchema).map((key) => [key.path, key]));

const layered = fc.constantFrom(...Object.keys(samples)).chain((path) => {
  const given = fc.option(fc.constantFrom(...samples[path]!), { nil: undefined });
  return fc.record({ path: fc.constant(path), flag: given, environment: given, file: given });
});

describe("precedence", () => {
  test("the strongest layer that gives a key wins, and its origin says so", () => {
    fc.assert(
      fc.property(layered, fc.boolean(), ({ path, flag, environment, file }, bySet) => {
        const key = keys.get(path)!;
        const named = bySet ? undefined : key.flag?.split(" ")[0];
        const attribute = named?.slice(2).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
        const loaded = load({
          ...(flag && attribute !== undefined ? { flags: { [attribute]: flag[0] } } : {}),
          ...(flag && attribute === undefined ? { set: [`${path}=${flag[0]}`] } : {}),
          ...(environment ? { env: { [key.variable]: environment[0] } } : {}),
          ...(file ? { file: { path: "mon.yaml", text: yamlOf(path, file[0]) } } : {}),
        });

        const layers: [Origin, string, unknown][] = [
          ...(flag ? [["flag", named ?? `--set ${path}`, flag[1]] as [Origin, string, unknown]] : []),
          ...(environment
            ? [["environment", key.variable, environment[1]] as [Origin, string, unknown]]
            : []),
          ...(file
            ? [["file", `mon.yaml:${path.split(".").length}`, file[1]] as [Origin, string, unknown]]
            : []),
          ["default", "default", valueAt(load().config, path)],
        ];
        const [origin, source, value] = layers[0]!;
        expect(loaded.settings.get(path)).toEqual({ path, value, origin, source });
        expect(valueAt(loaded.config, path)).toEqual(value);
      }),
      { numRuns: 300 },
    );
  });

  test("a hidden value is validated too", () => {
    const file = { path: "mon.yaml", text: "listen:\n  grpcPort: abc" };
    const error = configErrorOf(() => load({ flags: { grpcPort: "1" }, file }));
    expect(error.message).toBe(
      'listen.grpcPort: expected an integer from 0 to 65535, got "abc" (mon.yaml:2)',
    );
  });

  test("a flag and --set for one key are a contradiction", () => {
    const error = configErrorOf(() => load({ flags: { grpcPort: "1" }, set: ["listen.grpcPort=2"] }));
    expect(error.message).toBe(
      "listen.grpcPort: expected one value, and --grpc-port gives one, got another (--set listen.grpcPort)",
    );
  });
});

function valueAt(config: BrokerConfig, path: string): unknown {
  return path.split(".").reduce<unknown>((group, name) => (group as Record<string, unknown>)[name], config);
}
