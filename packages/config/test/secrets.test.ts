import {
  type ConfigInput,
  defineSchema,
  describeSchema,
  key,
  loadConfig,
  printConfig,
  type Schema,
  text,
} from "@mon/config";
import { describe, expect, test } from "vitest";
import { configErrorOf } from "./broker-config.ts";

interface Config {
  readonly auth: { readonly token: string | undefined };
}

const schema: Schema<Config> = defineSchema<Config>({
  environmentPrefix: "T_",
  keys: {
    auth: {
      token: key(text({ what: "a token", lengthMax: 20, accepts: (token) => !token.includes(" ") }), {
        optional: "nobody is asked for one",
        description: "Token of the admin.",
        restart: false,
        secret: true,
      }),
    },
  },
});

const secret = "hunter2";
const files: Record<string, string> = {
  "/run/token": `${secret}\n`,
  "/run/crlf": `${secret}\r\n`,
  "/run/bad": "a b c",
  "/run/two-breaks": "hunter2\n\n",
};

function load(input: ConfigInput): ReturnType<typeof loadConfig<Config>> {
  const readSecret = (path: string) => {
    const content = files[path];
    if (content === undefined) throw new Error(`ENOENT: no such file, open '${path}'`);
    return content;
  };
  return loadConfig(schema, { readSecret, ...input });
}

const file = (text: string) => ({ path: "t.yaml", text });

describe("a secret", () => {
  test.each<[string, ConfigInput, string]>([
    ["itself in the environment", { env: { T_AUTH_TOKEN: secret } }, "T_AUTH_TOKEN"],
    ["itself in the file", { file: file(`auth:\n  token: ${secret}`) }, "t.yaml:2"],
    ["by a reference in the environment", { env: { T_AUTH_TOKEN_FILE: "/run/token" } }, "T_AUTH_TOKEN_FILE"],
    ["by a reference in the file", { file: file("auth:\n  tokenFile: /run/crlf") }, "t.yaml:2"],
    ["by a reference on the command line", { set: ["auth.tokenFile=/run/token"] }, "--set auth.tokenFile"],
  ])("is taken %s, and shown nowhere", (_, input, source) => {
    const loaded = load(input);
    expect(loaded.config.auth.token).toBe(secret);
    expect(loaded.settings.get("auth.token")).toMatchObject({ value: "<redacted>", source });
    expect(printConfig(loaded, { origins: true })).toBe(`auth:\n  token: <redacted> # ${source}\n`);
  });

  test("that is absent is not shown as if there were one", () => {
    expect(printConfig(load({}))).toBe("# auth: not set\n");
  });

  test("that is wrong is not in the error", () => {
    const error = configErrorOf(() => load({ env: { T_AUTH_TOKEN: "hunter2 hunter2" } }));
    expect(error.message).toBe(
      "auth.token: expected a token of 1 to 20 characters, got <redacted> (T_AUTH_TOKEN)",
    );
    expect(JSON.stringify(error.problems)).not.toContain("hunter2");
    expect(configErrorOf(() => load({ env: { T_AUTH_TOKEN_FILE: "/run/bad" } })).message).toBe(
      "auth.token: expected a token of 1 to 20 characters, got <redacted> (T_AUTH_TOKEN_FILE)",
    );
  });

  test("in a file keeps all but one line break at its end", () => {
    const error = configErrorOf(() => load({ env: { T_AUTH_TOKEN_FILE: "/run/two-breaks" } }));
    expect(error.message).toContain("expected a token of 1 to 20 characters, got <redacted>");
  });

  test("of another kind than text is not in the error", () => {
    const error = configErrorOf(() => load({ file: file("auth:\n  token: 1234567") }));
    expect(error.message).not.toContain("1234567");
  });

  test("whose file cannot be read is a problem of one line", () => {
    const error = configErrorOf(() => load({ env: { T_AUTH_TOKEN_FILE: "/none" } }));
    expect(error.message).toBe(
      "auth.tokenFile: expected a readable file, got ENOENT: no such file, open '/none' (T_AUTH_TOKEN_FILE)",
    );
  });

  test("by value and by reference in one layer is a contradiction", () => {
    const error = configErrorOf(() => load({ env: { T_AUTH_TOKEN: "a", T_AUTH_TOKEN_FILE: "/run/token" } }));
    expect(error.message).toBe(
      "auth.token: expected one value, and T_AUTH_TOKEN gives one, got another (T_AUTH_TOKEN_FILE)",
    );
  });

  test("whose reference is hidden by a stronger layer is not read", () => {
    const input = { env: { T_AUTH_TOKEN: "a" }, file: file("auth: { tokenFile: /none }") };
    expect(load(input).config.auth.token).toBe("a");
  });

  test("is not taken from a printed configuration", () => {
    const error = configErrorOf(() =>
      load({ file: file(printConfig(load({ env: { T_AUTH_TOKEN: secret } }))) }),
    );
    expect(error.message).toBe("auth.token: expected the secret itself, got <redacted> (t.yaml:2)");
  });

  test("by reference needs a way to read it", () => {
    expect(() => loadConfig(schema, { env: { T_AUTH_TOKEN_FILE: "/run/token" } })).toThrow(
      new TypeError("expected readSecret for auth.tokenFile"),
    );
  });

  test.each(["", "5"])("reference must be a path, not %j", (value) => {
    const error = configErrorOf(() => load({ file: file(`auth: { tokenFile: ${value} }`) }));
    expect(error.message).toMatch(/^auth\.tokenFile: expected a path, got .* \(t\.yaml:1\)$/);
  });

  test("is marked in the description", () => {
    expect(describeSchema(schema)).toEqual([
      {
        path: "auth.token",
        type: "text",
        default: "nobody is asked for one",
        range: "a token of 1 to 20 characters",
        variable: "T_AUTH_TOKEN",
        flag: undefined,
        restart: false,
        secret: true,
        description: "Token of the admin.",
      },
    ]);
  });
});
