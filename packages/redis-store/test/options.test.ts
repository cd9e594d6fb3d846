import { expect, test } from "vitest";
import { resolveServersOptions, type ServersOptions, serversDefaults } from "../src/options.ts";

test("a URL gives address, user, password and database; what it leaves out has defaults", () => {
  expect(resolveServersOptions({ url: "redis://localhost" })).toMatchObject({
    ...serversDefaults,
    endpoint: { deployment: "standalone", address: { host: "localhost", port: 6379 } },
    username: undefined,
    password: undefined,
    tls: undefined,
  });
  expect(resolveServersOptions({ url: "rediss://mon:p%40ss@[::1]:7000/5" })).toMatchObject({
    endpoint: { deployment: "standalone", address: { host: "::1", port: 7000 } },
    username: "mon",
    password: "p@ss",
    database: 5,
    tls: {},
  });
  expect(resolveServersOptions({ url: "redis://:secret@r/" })).toMatchObject({
    username: undefined,
    password: "secret",
    database: 0,
  });
});

test("sentinels and cluster nodes are lists of addresses", () => {
  expect(resolveServersOptions({ sentinels: ["a", "b:1"], masterName: "mon", tls: true })).toMatchObject({
    endpoint: {
      deployment: "sentinel",
      sentinels: [
        { host: "a", port: 26_379 },
        { host: "b", port: 1 },
      ],
      masterName: "mon",
    },
    tls: {},
  });
  expect(resolveServersOptions({ cluster: ["[::1]:7000", "r"], tls: { servername: "r" } })).toMatchObject({
    endpoint: {
      deployment: "cluster",
      nodes: [
        { host: "::1", port: 7000 },
        { host: "r", port: 6379 },
      ],
    },
    tls: { servername: "r" },
  });
});

const url = "redis://localhost";

test.for<[ServersOptions, string]>([
  [{}, "expected one of url, sentinels and cluster, got none"],
  [{ url, cluster: ["a"] }, "expected one of url, sentinels and cluster, got url and cluster"],
  [{ sentinels: ["a"] }, "expected sentinels and masterName together"],
  [{ url, masterName: "mon" }, "expected sentinels and masterName together"],
  [{ cluster: [] }, "expected cluster to name at least one host:port"],
  [{ cluster: ["redis://a:1"] }, 'expected cluster to be of host:port, got "redis://a:1"'],
  [{ cluster: ["a:99999"] }, 'expected cluster to be of host:port, got "a:99999"'],
  [{ cluster: ["a"], database: 1 }, "expected database 0, the only one of a cluster, got 1"],
  [{ url: "nonsense" }, "expected url to be redis://host:port, got no URL"],
  [{ url: "http://localhost" }, "expected url to begin with redis:// or rediss://, got http://"],
  [{ url: "redis://" }, "expected url to name a host"],
  [{ url: `${url}/x` }, "expected url to end in the number of a database, got /x"],
  [{ url: `${url}?db=1` }, "expected url without ? and #, got ?db=1"],
  [{ url: "redis://:a@r", password: "b" }, "expected password in url or beside it, got both"],
  [{ url: "redis://r/1", database: 1 }, "expected database in url or beside it, got both"],
  [{ url: "rediss://r", tls: false }, "expected tls not to be false beside rediss://"],
  [{ url, name: "a b" }, 'expected name to be printable ASCII without spaces, got "a b"'],
  [{ url, connectionsPerNode: 0 }, "expected connectionsPerNode to be an integer from 1 to 64, got 0"],
  [{ url, commandTimeoutMs: 1.5 }, "expected commandTimeoutMs to be an integer from 1 to 600000, got 1.5"],
  [
    { url, commandTimeoutMs: 500 },
    "expected waitTimeoutMs to be less than commandTimeoutMs, got 1000 and 500",
  ],
])("%j is refused", ([options, message]) => {
  expect(() => resolveServersOptions(options)).toThrow(message);
});

test("no error repeats a password", () => {
  for (const wrong of [
    "redis://:s3cret@r/x",
    "redis://:s3cret@r?x",
    "redis://:s3cret@",
    "redis://:s3cret@r:x",
  ]) {
    expect(() => resolveServersOptions({ url: wrong })).toThrow(/^(?!.*s3cret)/);
  }
});
