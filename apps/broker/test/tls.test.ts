import { once } from "node:events";
import { get as getPlain } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { get } from "node:https";
import { text } from "node:stream/consumers";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { AdminService, BrokerState, MonitorService } from "@mon/proto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestAuthority } from "../../../tools/build/certificate.ts";
import { ExitCode } from "../src/exit-code.ts";
import { BrokerProcess, certificateArgs, runBroker } from "./support/broker-process.ts";
import { reportOf } from "./support/reports.ts";
import { TempDirectory } from "./support/temp-directory.ts";

const timeout = 60_000;
const authority = new TestAuthority();
const stranger = new TestAuthority("somebody else");

let broker: BrokerProcess;
beforeAll(async () => {
  broker = await BrokerProcess.start({ authority });
}, timeout);
afterAll(() => broker[Symbol.asyncDispose]());

/** A GET over TLS. */
async function fetched(path: string, ca: string): Promise<{ status: number | undefined; body: string }> {
  const request = get(`${broker.httpUrl}${path}`, { ca });
  const [response] = await once(request, "response");
  return { status: response.statusCode, body: await text(response) };
}

/** A TLS connection, once its handshake is through. */
async function handshake(port: number, options: object): Promise<TLSSocket> {
  const socket = connectTls({ port, host: "127.0.0.1", ca: authority.certificate, ...options });
  await once(socket, "secureConnect");
  return socket;
}

describe("door 7400 with a certificate", { timeout }, () => {
  it("takes reports and answers queries, by TLS 1.3 and HTTP/2", async () => {
    const nowMs = Date.now();
    const reports = [reportOf("tls-1", nowMs, [{ name: "up", value: 1 }])];
    const outcomes: number[] = [];
    const requests = async function* () {
      yield { sequence: 1, reports };
    };
    for await (const { outcome } of broker.monitor.report(requests())) outcomes.push(outcome!.reportsStored);
    expect(outcomes).toEqual([1]);
    const { hosts } = await broker.query.queryLatest({ hosts: ["tls-1"] });
    expect(hosts[0]!.values).toMatchObject([{ sample: { name: "up", value: 1 } }]);
    const socket = await handshake(broker.grpcPort, { ALPNProtocols: ["h2"] });
    expect([socket.getProtocol(), socket.alpnProtocol]).toEqual(["TLSv1.3", "h2"]);
    socket.destroy();
  });

  it("refuses TLS 1.2, and a caller who does not speak HTTP/2", async () => {
    await expect(
      handshake(broker.grpcPort, { maxVersion: "TLSv1.2", ALPNProtocols: ["h2"] }),
    ).rejects.toThrow(/protocol version/i);
    await expect(handshake(broker.grpcPort, { ALPNProtocols: ["http/1.1"] })).rejects.toThrow(
      /no application protocol/i,
    );
  });

  it("answers nothing in plain text, and serves on", async () => {
    const session = connectHttp2(`http://127.0.0.1:${broker.grpcPort}`);
    const settings: unknown[] = [];
    session.on("remoteSettings", (received) => settings.push(received)).on("error", () => {});
    await once(session, "close");
    expect(settings).toEqual([]);
    const plain = createClient(
      MonitorService,
      createGrpcTransport({ baseUrl: `http://127.0.0.1:${broker.grpcPort}` }),
    );
    await expect(plain.push({ reports: [] })).rejects.toMatchObject({
      code: expect.toSatisfy((code: Code) => code !== Code.InvalidArgument),
    });
    expect((await broker.admin.status({})).state).toBe(BrokerState.SERVING);
  });

  it.each([
    ["another authority", { ca: stranger.certificate }],
    ["the system's authorities", {}],
  ])("is refused by a caller who trusts %s", async (_, nodeOptions) => {
    const transport = createGrpcTransport({ baseUrl: broker.grpcUrl, nodeOptions });
    await expect(createClient(AdminService, transport).status({})).rejects.toThrow(/certificate/);
  });

  it("is refused by a caller who wants another name", async () => {
    const refused = handshake(broker.grpcPort, { ALPNProtocols: ["h2"], servername: "broker.example" });
    await expect(refused).rejects.toMatchObject({ code: "ERR_TLS_CERT_ALTNAME_INVALID" });
  });
});

describe("door 7480 with a certificate", { timeout }, () => {
  it("serves health, metrics and calls", async () => {
    expect(await fetched("/healthz", authority.certificate)).toEqual({ status: 200, body: "ok\n" });
    expect((await fetched("/metrics", authority.certificate)).body).toContain("mon_intake_");
    const transport = createConnectTransport({
      httpVersion: "1.1",
      baseUrl: broker.httpUrl,
      nodeOptions: { ca: authority.certificate },
    });
    const { state } = await createClient(AdminService, transport).status({});
    expect(state).toBe(BrokerState.SERVING);
  });

  it("answers nothing in plain text, and serves on", async () => {
    const request = getPlain(`http://127.0.0.1:${broker.httpPort}/healthz`);
    const [error] = await Promise.race([
      once(request, "error"),
      once(request, "response").then(() => ["answered"]),
    ]).catch((reason: unknown) => [reason]);
    expect(error).toMatchObject({ code: "ECONNRESET" });
    expect((await fetched("/healthz", authority.certificate)).status).toBe(200);
  });

  it("refuses TLS 1.2, and is refused by a caller who trusts another authority", async () => {
    await expect(handshake(broker.httpPort, { maxVersion: "TLSv1.2" })).rejects.toThrow(/protocol version/i);
    await expect(fetched("/healthz", stranger.certificate)).rejects.toThrow(/certificate/);
  });
});

describe("a broker whose certificate cannot be used", { timeout }, () => {
  it.each([
    ["is none", "tls.certFile", async () => ({ certificate: "nothing", key: authority.issue().key })],
    ["has no key that is one", "tls.keyFile", async () => ({ ...authority.issue(), key: "nothing" })],
    [
      "has the key of another",
      "tls.keyFile",
      async () => ({ ...authority.issue(), key: authority.issue().key }),
    ],
  ])("does not start when it %s, and says so in a line", async (_, path, make) => {
    await using directory = await TempDirectory.create();
    const args = await certificateArgs(directory.path, await make());
    const dataDir = `${directory.path}/data`;
    const ports = ["--grpc-port", "0", "--http-port", "0"];
    const { code, stderr } = await runBroker(["--data-dir", dataDir, ...ports, ...args]);
    expect([code, stderr.trimEnd().split("\n")]).toEqual([
      ExitCode.configInvalid,
      [expect.stringContaining(path)],
    ]);
    expect(stderr).not.toContain("PRIVATE");
  });

  it("does not start when its file is not there", async () => {
    await using directory = await TempDirectory.create();
    const args = await certificateArgs(directory.path, authority.issue());
    const missing = args.map((arg) => arg.replace("cert.pem", "none.pem"));
    const { code, stderr } = await runBroker(["--data-dir", `${directory.path}/data`, ...missing]);
    expect([code, stderr]).toEqual([
      ExitCode.configInvalid,
      expect.stringMatching(/tls\.certFile.*none\.pem/),
    ]);
  });
});
