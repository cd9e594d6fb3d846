import { readdirSync, readFileSync } from "node:fs";
import type { DescEnum, DescFile, DescMessage, DescService } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import * as grpc from "../src/grpc.ts";
import * as mon from "../src/index.ts";
import * as wire from "../src/wire.ts";

const protos = new URL("../../../proto/", import.meta.url);

/** A declaration of a .proto file, and the comment right above it. */
interface Declaration {
  readonly path: string;
  readonly comment: string;
}

/** Messages, fields, enums, values, services and methods of a file, in order; for the plain style of these files. */
function declarationsOf(source: string): Declaration[] {
  const declarations: Declaration[] = [];
  const scopes: string[] = [];
  let comment = "";
  for (const line of source.split("\n").map((text) => text.trim())) {
    if (line.startsWith("//")) {
      comment = `${comment} ${line.slice(2).trim()}`.trim();
      continue;
    }
    const scope = /^(?:message|enum|service) (\w+) \{(\})?$/.exec(line);
    const member =
      /^(?:rpc (\w+)\(|(?:optional |repeated )?(?:[\w.]+|map<[\w, .]+>) (\w+) = \d+;|([A-Z]\w*) = \d+;)/.exec(
        line,
      );
    const name = scope?.[1] ?? member?.[1] ?? member?.[2] ?? member?.[3];
    if (name !== undefined) declarations.push({ path: [...scopes, name].join("."), comment });
    if (scope !== null && scope[2] === undefined) scopes.push(scope[1]!);
    if (line === "}") scopes.pop();
    comment = "";
  }
  return declarations;
}

const files = readdirSync(new URL("mon/v1/", protos))
  .filter((name) => name.endsWith(".proto"))
  .map((name) => [name, readFileSync(new URL(`mon/v1/${name}`, protos), "utf8")] as const);

type Described = DescFile | DescMessage | DescEnum | DescService;

const exported: readonly unknown[] = [mon, wire, grpc].flatMap((module) => Object.values(module));
const described = exported.filter(
  (value): value is Described => typeof value === "object" && value !== null && "kind" in value,
);
function ofKind<K extends Described["kind"]>(kind: K): Extract<Described, { kind: K }>[] {
  return described.filter((value): value is Extract<Described, { kind: K }> => value.kind === kind);
}

describe("the .proto files", () => {
  it("are all generated", () => {
    const generated = ofKind("file")
      .map(({ name }) => name)
      .filter((name) => name.startsWith("mon/v1/"));
    expect(generated.sort()).toEqual(files.map(([name]) => `mon/v1/${name.replace(".proto", "")}`).sort());
  });

  it.each(files)("say of everything in %s what it is", (name, source) => {
    const declarations = declarationsOf(source);
    const file = ofKind("file").find((one) => one.name === `mon/v1/${name.replace(".proto", "")}`)!;
    const expected = [
      ...file.messages.flatMap((message) => [
        message.name,
        ...message.fields.map((field) => `${message.name}.${field.name}`),
      ]),
      ...file.enums.flatMap((one) => [one.name, ...one.values.map((value) => `${one.name}.${value.name}`)]),
      ...file.services.flatMap((service) => [
        service.name,
        ...service.methods.map((method) => `${service.name}.${method.name}`),
      ]),
    ];
    // The reader of comments sees everything that the compiler sees.
    expect(declarations.map(({ path }) => path).sort()).toEqual(expected.sort());
    expect(declarations.filter(({ comment }) => comment === "").map(({ path }) => path)).toEqual([]);
  });
});

describe("enums", () => {
  const enums = ofKind("enum").filter(({ file }) => file.name.startsWith("mon/"));

  it.each(enums.map((one) => [one.name, one] as const))(
    "%s begins with an unspecified 0 and numbers on without a gap",
    (_name, { values, name }) => {
      const prefix = name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
      expect(values[0]).toMatchObject({ number: 0, name: `${prefix}_UNSPECIFIED` });
      expect(values.map(({ number }) => number)).toEqual(values.map((_, i) => i));
      for (const value of values) expect(value.name.startsWith(`${prefix}_`)).toBe(true);
    },
  );

  it("are there", () => {
    expect(enums.map(({ name }) => name).sort()).toEqual([
      "Aggregation",
      "BrokerState",
      "Durability",
      "Kind",
      "MatchType",
      "MemberState",
      "PeerHealth",
      "Reason",
    ]);
  });
});

describe("services", () => {
  it("have these methods", () => {
    const methods = ofKind("service").flatMap((service) =>
      service.methods.map(({ name, methodKind }) => `${service.typeName}/${name} ${methodKind}`),
    );
    expect(methods.sort()).toEqual([
      "grpc.health.v1.Health/Check unary",
      "grpc.health.v1.Health/Watch server_streaming",
      "grpc.reflection.v1.ServerReflection/ServerReflectionInfo bidi_streaming",
      "mon.v1.AdminService/Backup server_streaming",
      "mon.v1.AdminService/GetRaftStatus unary",
      "mon.v1.AdminService/GetRing unary",
      "mon.v1.AdminService/Leave unary",
      "mon.v1.AdminService/ListMembers unary",
      "mon.v1.AdminService/Remove unary",
      "mon.v1.AdminService/Restore client_streaming",
      "mon.v1.AdminService/Status unary",
      "mon.v1.AdminService/TransferLeadership unary",
      "mon.v1.MonitorService/Heartbeat unary",
      "mon.v1.MonitorService/Push unary",
      "mon.v1.MonitorService/Register unary",
      "mon.v1.MonitorService/Report bidi_streaming",
      "mon.v1.PeerService/Forward unary",
      "mon.v1.PeerService/Join unary",
      "mon.v1.PeerService/Ping unary",
      "mon.v1.QueryService/ListHosts unary",
      "mon.v1.QueryService/ListMetrics unary",
      "mon.v1.QueryService/QueryLatest unary",
      "mon.v1.QueryService/QueryRange server_streaming",
      "mon.v1.QueryService/Watch server_streaming",
      "mon.v1.RaftService/Exchange bidi_streaming",
      "mon.v1.RaftService/InstallSnapshot client_streaming",
    ]);
  });
});
