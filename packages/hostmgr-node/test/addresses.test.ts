import { describe, expect, it } from "vitest";
import { AddressChooser, createNodeProbes, type HostIoError, type Resolver } from "../src/index.ts";
import { httpServer } from "./support/servers.ts";

const { signal } = new AbortController();
const names =
  (answers: Readonly<Record<string, readonly string[]>>): Resolver =>
  async (name) =>
    answers[name] ?? [];

describe("what may be connected to", () => {
  it.each([
    "169.254.169.254",
    "[fd00:ec2::254]",
    "::ffff:169.254.169.254",
    "[::ffff:a9fe:a9fe]",
    "fe80::1",
    "fe80::1%eth0",
    "224.0.0.1",
    "0.0.0.0",
    "127.0.0.1",
    "[::1]",
    "::ffff:127.0.0.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.1",
  ])("is not %s", async (address) => {
    await expect(new AddressChooser().choose(address, signal)).rejects.toMatchObject({
      code: "HOST_IO_REFUSED_ADDRESS",
    } satisfies Partial<HostIoError>);
  });

  it.each(["10.1.2.3", "192.168.1.1", "[2001:db8::1]"])("is %s", async (address) => {
    expect(await new AddressChooser().choose(address, signal)).toBe(address.replace(/[[\]]/g, ""));
  });

  it("is only what is named, when anything is; link-local addresses not even then", async () => {
    const chooser = new AddressChooser({ ranges: ["127.0.0.0/8", "0.0.0.0/0"] });
    expect(await chooser.choose("127.0.0.1", signal)).toBe("127.0.0.1");
    await expect(chooser.choose("169.254.169.254", signal)).rejects.toThrow("link-local");
    const narrow = new AddressChooser({ ranges: ["10.0.0.0/8"] });
    await expect(narrow.choose("192.168.1.1", signal)).rejects.toThrow("none of the ranges");
  });

  it("is no name of which any address is refused", async () => {
    const chooser = new AddressChooser({
      resolver: names({ two: ["10.0.0.1", "127.0.0.1"], one: ["10.0.0.1"] }),
    });
    expect(await chooser.choose("one", signal)).toBe("10.0.0.1");
    await expect(chooser.choose("two", signal)).rejects.toThrow("127.0.0.1 is loopback");
    await expect(chooser.choose("none", signal)).rejects.toMatchObject({ code: "HOST_IO_NO_ADDRESS" });
  });

  it("is not waited for longer than its signal", async () => {
    const chooser = new AddressChooser({ resolver: () => new Promise(() => {}) });
    await expect(chooser.choose("slow", AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
    const abort = new AbortController();
    const chosen = chooser.choose("slow", abort.signal);
    abort.abort(new Error("enough"));
    await expect(chosen).rejects.toThrow("enough");
  });
});

it("a name that is loopback the second time is refused then, and asked for once a check", async () => {
  await using server = await httpServer((_, response) => response.end());
  const answers = [["127.0.0.5"], ["127.0.0.1"]];
  let asked = 0;
  const resolver: Resolver = async () => answers[asked++] ?? [];
  const probes = createNodeProbes({ ranges: ["127.0.0.5"], resolver });
  const url = `http://rebound.test:${server.port}/`;
  // Allowed, and nobody listens there.
  await expect(probes.get(url, { signal })).rejects.toMatchObject({ code: "HOST_IO_NO_ANSWER" });
  await expect(probes.get(url, { signal })).rejects.toMatchObject({ code: "HOST_IO_REFUSED_ADDRESS" });
  expect([asked, server.accepted]).toEqual([2, 0]);
});

it("the name that was asked for is what the server is told", async () => {
  let host: string | undefined;
  await using server = await httpServer((request, response) => {
    host = request.headers.host;
    response.end();
  });
  const probes = createNodeProbes({ ranges: ["127.0.0.1"], resolver: names({ "web.test": ["127.0.0.1"] }) });
  await probes.get(`http://web.test:${server.port}/`, { signal });
  expect(host).toBe(`web.test:${server.port}`);
});
