import { boolean, defineSchema, integer, type Key, key, loadConfig, oneOf, text } from "@mon/config";
import { describe, expect, test } from "vitest";

const options = { description: "A key.", restart: true };
const port = integer({ min: 0, max: 65_535 });

function schemaOf(keys: Record<string, unknown>, rulePaths: string[] = []): unknown {
  // The keys of these tests are wrong on purpose, in ways that only the running code can see.
  return defineSchema<Record<string, number>>({
    keys: keys as Record<string, Key<number>>,
    environmentPrefix: "T_",
    rules: [{ paths: rulePaths, check: () => undefined }],
  });
}

describe("defining a schema", () => {
  test.each(["constructor", "__proto__", "Port", "http-port", "1st", "a.b", ""])(
    "refuses the name %j",
    (name) => {
      const keys = Object.fromEntries([[name, key(port, { ...options, default: 1 })]]);
      expect(() => schemaOf(keys)).toThrow(new TypeError(`expected a camel-case name, got "${name}"`));
    },
  );

  test("refuses two keys with one variable", () => {
    const one = key(port, { ...options, default: 1 });
    expect(() => schemaOf({ httpPort: one, http: { port: one } })).toThrow(
      "expected one key for T_HTTP_PORT, got two",
    );
  });

  test("refuses two keys with one flag", () => {
    const one = key(port, { ...options, default: 1, flag: "--port <port>" });
    expect(() => schemaOf({ a: one, b: one })).toThrow("expected one key for --port, got two");
  });

  test("refuses a key that a secret's reference would hide", () => {
    const secret = key(text({ what: "a token", lengthMax: 9 }), {
      ...options,
      optional: "none",
      secret: true,
    });
    const file = key(text({ what: "a path", lengthMax: 9 }), { ...options, optional: "none" });
    expect(() => schemaOf({ token: secret, tokenFile: file })).toThrow(
      "expected one key at tokenFile, got two",
    );
  });

  test("refuses a default outside of its own range", () => {
    expect(() => schemaOf({ port: key(port, { ...options, default: 70_000 }) })).toThrow(
      new TypeError("expected the default of port to be an integer from 0 to 65535, got 70000"),
    );
  });

  test("refuses a rule over an unknown key", () => {
    expect(() => schemaOf({ a: key(port, { ...options, default: 1 }) }, ["b"])).toThrow(
      "expected rules over known keys, got b",
    );
  });

  test("is checked by the compiler against the configuration's type", () => {
    interface Config {
      readonly level: "low" | "high";
      readonly nested: { readonly on: boolean; readonly name: string | undefined };
    }
    const level = key(oneOf("low", "high"), { ...options, default: "low" });
    const on = key(boolean(), { ...options, default: false });
    const name = key(text({ what: "a name", lengthMax: 9 }), { ...options, optional: "none" });
    const environmentPrefix = "T_";
    const { config } = loadConfig(
      defineSchema<Config>({ environmentPrefix, keys: { level, nested: { on, name } } }),
    );
    expect(config).toEqual({ level: "low", nested: { on: false, name: undefined } });

    // @ts-expect-error a key is missing
    defineSchema<Config>({ environmentPrefix, keys: { level, nested: { on } } });
    // @ts-expect-error a key has another type
    defineSchema<Config>({ environmentPrefix, keys: { level: on, nested: { on, name } } });
    // @ts-expect-error a key is too many
    defineSchema<Config>({ environmentPrefix, keys: { level, other: on, nested: { on, name } } });
    // @ts-expect-error a default is none of the words
    key(oneOf("low", "high"), { ...options, default: "middle" });
  });
});
