import { type ChildProcess, spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";
import { TestAuthority, type TestCertificate } from "../build/certificate.ts";
import type { MemberReport, MemberSetup } from "./raft-member-process.ts";

const program = fileURLToPath(new URL("raft-member-process.ts", import.meta.url));
const voters = ["a", "b", "c"];
const authority = new TestAuthority();
const certificates = new Map(voters.map((id) => [id, authority.issue()]));
const fingerprints = Object.fromEntries(
  [...certificates].map(([id, { certificate }]) => [id, new X509Certificate(certificate).fingerprint256]),
);

interface Status {
  readonly role: string;
  readonly term: number;
  readonly leaderId: string | undefined;
  readonly snapshotsInstalled: number;
}

/** A child process that is a member, or says so. */
class Member {
  readonly id: string;
  readonly child: ChildProcess;
  port: number | undefined;
  started = false;
  /** Codes of what it refused or was refused. */
  readonly refused: string[] = [];
  readonly #calls = new Map<number, { resolve(value: unknown): void; reject(code: Error): void }>();
  #watchers: (() => void)[] = [];

  constructor(id: string, directory: string, certificate: TestCertificate, ca = authority.certificate) {
    this.id = id;
    this.child = spawn(process.execPath, ["--conditions=@mon/source", program], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const setup: MemberSetup = {
      id,
      voters,
      directory,
      certificate: certificate.certificate,
      key: certificate.key,
      authority: ca,
      fingerprints,
    };
    this.child.send(setup);
    this.child.on("message", (report: MemberReport) => {
      this.#take(report);
      for (const watcher of this.#watchers.splice(0)) watcher();
    });
  }

  /** Resolves when something holds, looked at whenever the member says something. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  async call<Value>(request: { propose: string } | { read: true } | { status: true }): Promise<Value> {
    const call = this.#calls.size;
    const answer = new Promise<unknown>((resolve, reject) => this.#calls.set(call, { resolve, reject }));
    this.child.send({ ...request, call });
    return (await answer) as Value;
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill("SIGKILL");
    await once(this.child, "exit");
  }

  #take(report: MemberReport): void {
    if ("port" in report) {
      this.port = report.port;
    } else if ("started" in report) {
      this.started = true;
    } else if ("refused" in report) {
      this.refused.push(`${report.refused} ${report.peer}`);
    } else if ("value" in report) {
      this.#calls.get(report.call)!.resolve(report.value);
    } else {
      this.#calls.get(report.call)!.reject(new Error(report.code));
    }
  }
}

const members = new Map<string, Member>();
const everybody: Member[] = [];
const directories: string[] = [];

afterEach(async () => {
  await Promise.all(everybody.splice(0).map((member) => member.kill()));
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true, force: true });
  members.clear();
});

/** Starts a process, and tells everybody where everybody is when it listens. */
async function launch(
  id: string,
  directory: string,
  ...certificate: [TestCertificate, string?]
): Promise<Member> {
  const member = new Member(id, directory, ...certificate);
  everybody.push(member);
  await member.until(() => member.port !== undefined);
  members.set(id, member);
  const addresses = Object.fromEntries(
    [...members.values()].map((each) => [each.id, `https://127.0.0.1:${each.port}`]),
  );
  for (const each of members.values()) if (each.child.connected) each.child.send({ addresses });
  return member;
}

/** Proposes until the leader that there is takes it: nothing comes twice, since a refusal means that nothing happened. */
async function propose(member: Member, word: string): Promise<void> {
  for (;;) {
    try {
      await member.call({ propose: word });
      return;
    } catch (error) {
      expect((error as Error).message).toBe("RAFT_NOT_LEADER");
      await member.call({ status: true });
    }
  }
}

it("three processes elect, agree and outlive a kill, and a stranger with another's name is refused", async () => {
  const root = await mkdtemp(join(tmpdir(), "mon-raft-connect-"));
  directories.push(root);
  const start = (id: string): Promise<Member> => launch(id, join(root, id), certificates.get(id)!);
  await Promise.all(voters.map(start));
  const [a, b, c] = voters.map((id) => members.get(id)!) as [Member, Member, Member];
  await Promise.all([a, b, c].map((member) => member.until(() => member.started)));
  const expected: string[] = [];
  const say = async (member: Member, count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      expected.push(`word ${expected.length}`);
      await propose(member, expected.at(-1)!);
    }
  };
  await say(a, 5);
  await say(b, 5);
  expect(await c.call<string[]>({ read: true })).toEqual(expected);

  // The leader dies without a word.
  const { leaderId, term } = await a.call<Status>({ status: true });
  const leader = members.get(leaderId!)!;
  const [next, other] = [a, b, c].filter((member) => member !== leader) as [Member, Member];
  await leader.kill();
  // More than the log keeps for who lags, so that it will need a snapshot.
  await next.call({ read: true });
  await say(next, 30);
  expect(await other.call<string[]>({ read: true })).toEqual(expected);
  const after = await next.call<Status>({ status: true });
  expect(after.term).toBeGreaterThan(term);
  expect(after.leaderId).not.toBe(leader.id);

  // Somebody takes its name, with a certificate of the right authority that is not its own.
  const stranger = await launch(leader.id, join(root, "stranger"), authority.issue());
  await next.until(() => next.refused.includes(`RAFT_WRONG_NODE ${leader.id}`));
  await stranger.until(() => stranger.refused.some((code) => code.startsWith("RAFT_WRONG_NODE")));
  expect((await stranger.call<Status>({ status: true })).leaderId).toBeUndefined();
  await stranger.kill();
  // And with one of an authority of its own.
  const forger = new TestAuthority("another");
  const forged = await launch(leader.id, join(root, "forged"), forger.issue(), forger.certificate);
  await forged.until(() => forged.refused.some((code) => code.startsWith("RAFT_UNREACHABLE")));
  await forged.kill();
  expect(await next.call<Status>({ status: true })).toMatchObject({
    term: after.term,
    leaderId: after.leaderId,
  });

  // The one that was killed comes back from its disk.
  const back = await start(leader.id);
  await back.until(() => back.started);
  expect(await back.call<string[]>({ read: true })).toEqual(expected);
  expect(await back.call<Status>({ status: true })).toMatchObject({ snapshotsInstalled: 1 });
  await say(back, 3);
  expect(await other.call<string[]>({ read: true })).toEqual(expected);
}, 180_000);
