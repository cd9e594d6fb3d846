import { hostname } from "node:os";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import {
  type ClusterCommand,
  ClusterFsm,
  type ClusterOutcome,
  ClusterRefusal,
  type ClusterState,
  encodeCommand,
  type MemberFacts,
  type PeerHealth,
  type StoreScope,
} from "@mon/cluster";
import type { BrokerConfig } from "@mon/config";
import { defaults as ringDefaults } from "@mon/hashring";
import { type JoinResponse, PeerService } from "@mon/proto";
import { type CallOptions, RaftError, RaftNode, RaftSupervisor, type Status } from "@mon/raft";
import { ConnectTransport } from "@mon/raft-connect";
import { LevelStorage } from "@mon/raft-level";
import type { Fragment, WriteFate } from "@mon/store";
import type { Logger } from "../logger.ts";
import { raftClock } from "../system-clock.ts";
import { askToJoin, type JoinAttempt } from "./ask-to-join.ts";
import { ClusterStartError } from "./cluster-start-error.ts";
import { fatesFromMessages, fragmentMessage } from "./forwarding.ts";
import { Heartbeats } from "./heartbeats.ts";
import { type IdentityFile, raftDirectory } from "./identity-file.ts";
import { PeerClients } from "./peer-clients.ts";
import { PeerDoor } from "./peer-door.ts";
import { createPeerService } from "./peer-service.ts";
import { namesBroker, type PeerTls } from "./peer-tls.ts";
import { Steward } from "./steward.ts";

/** What a member of a cluster is made of. */
export interface ClusterNodeDeps {
  readonly config: BrokerConfig;
  readonly identity: IdentityFile;
  readonly scope: StoreScope;
  /** As semver. */
  readonly version: string;
  readonly tls: PeerTls | undefined;
  readonly logger: Logger;
  /** Told when the broker cannot go on as a member, once it runs. */
  readonly fatal: (error: Error) => void;
}

/** What a member is for others. */
export interface MemberDoors {
  /** Where agents are served. */
  readonly agentPort: number;
  /** Stores what other brokers have taken in, and sends none of it on; undefined while there is no room for so many bytes. */
  readonly take: (fragments: readonly Fragment[], bytes: number) => Promise<readonly WriteFate[]> | undefined;
}

/** The largest message of another broker, in bytes. */
const peerMessageBytesMax = 16_777_216;
/** How long another broker may take to store reports, in milliseconds: less than a flush may, so that there is time to stand in. */
const forwardTimeoutMs = 2_000;
/** How often members are asked whether they are there, and the leader looks after them; milliseconds. */
const heartbeatMs = 500;
/** Copies of what is stored in local scope, from three brokers on. */
const replicationFactor = 2;

const random = { next: Math.random };

/**
 * This broker as a member of its cluster: its identity, its copy of the cluster's state, kept by Raft, and its door to other
 * brokers.
 *
 *     made ─▶ listening ─▶ joining or forming, if it is new ─▶ member ─▶ stopped
 */
export class ClusterNode {
  readonly #deps: ClusterNodeDeps;
  readonly #clients: PeerClients;
  readonly #door: PeerDoor;
  readonly #stopped = new AbortController();
  #facts: MemberFacts | undefined;
  #doors: MemberDoors | undefined;
  #fsm = new ClusterFsm();
  #heartbeats: Heartbeats | undefined;
  #steward: Steward | undefined;
  #supervisor: RaftSupervisor<ClusterOutcome> | undefined;
  #leaderKnown = Promise.withResolvers<void>();
  #timer: NodeJS.Timeout | undefined;
  #announcing: Promise<void> = Promise.resolve();

  constructor(deps: ClusterNodeDeps) {
    this.#deps = deps;
    this.#clients = new PeerClients(deps.tls);
    this.#door = new PeerDoor(deps.tls, (router) => this.#peerRoutes(router));
  }

  /** What this member knows; others may be ahead. */
  get state(): ClusterState {
    return this.#fsm.state;
  }

  get nodeId(): string {
    return this.#deps.config.nodeId;
  }

  /** How it takes part in Raft; undefined while its log cannot be used. */
  raftStatus(): Status | undefined {
    return this.#supervisor?.node?.status();
  }

  /** A fingerprint of the state. Equal on members that have applied the same. */
  stateHash(): string {
    return this.#fsm.hash();
  }

  /** How it judges another member. */
  healthOf(nodeId: string): PeerHealth | undefined {
    return this.#heartbeats?.healthOf(nodeId);
  }

  /** What is not as it should be, for people. None of it keeps the broker from taking reports. */
  problems(): string[] {
    const status = this.raftStatus();
    const problems: string[] = [];
    if (status === undefined) problems.push("the cluster's log cannot be used; trying again");
    else if (status.leaderId === undefined)
      problems.push("no leader of the cluster is known: changes of the cluster wait for a majority");
    const skewMs = this.#heartbeats?.skewMs;
    if (skewMs !== undefined)
      problems.push(`this clock is ${Math.round(skewMs / 1_000)} s from the median of the other brokers'`);
    const own = this.state.members.get(this.nodeId);
    if (own === undefined || own.state === "left") problems.push("this broker is no member of the cluster");
    return problems;
  }

  /**
   * Opens the door to other brokers, and becomes a member if it is none yet, however long that takes. A member does not wait
   * for the others.
   *
   * @returns the port for other brokers
   * @throws {ClusterStartError} when it is refused; RaftError when its log cannot be used; what `listen` says
   */
  async start(doors: MemberDoors): Promise<number> {
    this.#doors = doors;
    const { config, identity } = this.#deps;
    const { listenAddress, listenPort } = config.cluster;
    const peerPort = await this.#door.listen(listenAddress, listenPort);
    this.#facts = this.#factsOf(doors.agentPort, peerPort);
    if (identity.identity.clusterId === "") await this.#join();
    this.#heartbeats = new Heartbeats({
      nodeId: this.nodeId,
      clusterId: identity.identity.clusterId,
      clients: this.#clients,
      epoch: () => this.state.ring.epoch,
      monotonicNow: () => performance.now(),
      wallNow: () => Date.now(),
    });
    await this.#startRaft();
    this.#heartbeats.follow(this.state);
    if (identity.identity.stage === "forming") await this.#form();
    const isNew = identity.identity.stage !== "member";
    if (isNew) identity.update({ stage: "member" });
    this.#steward = new Steward({
      nodeId: this.nodeId,
      raft: () => this.#supervisor?.node,
      state: () => this.state,
      heartbeats: this.#heartbeats,
      mayActivate: this.#deps.scope === "shared",
      propose: (command, options) => this.propose(command, options),
      logger: this.#deps.logger,
    });
    this.#timer = setInterval(() => this.#beat(), heartbeatMs);
    if (!isNew) this.#announcing = this.#announce();
    return peerPort;
  }

  /** Leaves in good order, so that a successor leads at once; remains a member. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    clearInterval(this.#timer);
    await this.#announcing;
    await this.#steward?.idle();
    await this.#supervisor?.stop();
    this.#clients.retain(new Set());
    await this.#door.close();
  }

  /**
   * Has a command agreed on. Works on every member.
   *
   * @returns the state after it
   * @throws {ClusterRefusal} when it is refused, and has changed nothing
   * @throws {RaftError} when it was not agreed on, or nobody knows; RangeError for a value that no command takes
   */
  async propose(command: ClusterCommand, options: CallOptions = {}): Promise<ClusterState> {
    const { result } = await this.#running().propose(encodeCommand(command), options);
    if (result.ok) return result.state;
    throw new ClusterRefusal(result.code, result.reason);
  }

  /** The state that all members agree on, as of now. @throws {RaftError} while there is no majority */
  async read(options: CallOptions = {}): Promise<ClusterState> {
    return await this.#running().read(() => this.state, options);
  }

  /**
   * Has another member store fragments.
   *
   * @returns their fates, in their order
   * @throws {ConnectError} RESOURCE_EXHAUSTED when it has no room; any other when it is not known what became of them
   */
  async forward(nodeId: string, fragments: readonly Fragment[]): Promise<readonly WriteFate[]> {
    const address = this.state.members.get(nodeId)?.peerAddress;
    if (address === undefined) throw new ConnectError(`expected a member, got ${nodeId}`, Code.Unavailable);
    const { fates } = await this.#clients.of(nodeId, address).forward(
      {
        nodeId: this.nodeId,
        hops: 1,
        ringEpoch: BigInt(this.state.ring.epoch),
        fragments: fragments.map(fragmentMessage),
      },
      { timeoutMs: forwardTimeoutMs },
    );
    return fatesFromMessages(fates, fragments.length);
  }

  /** Hands the leadership over. @throws {RaftError} as `RaftNode.transferLeadership` */
  async transferLeadership(to: string, options: CallOptions = {}): Promise<void> {
    await this.#running().transferLeadership(to, options);
  }

  #running(): RaftNode<ClusterOutcome> {
    const node = this.#supervisor?.node;
    if (node === undefined) throw new RaftError("RAFT_STOPPED", "expected a log that can be used, got none");
    return node;
  }

  #peerRoutes(router: ConnectRouter): void {
    const { identity, tls } = this.#deps;
    const service = createPeerService({
      self: () => {
        const { stage, ...self } = identity.identity;
        return stage === "member" ? self : undefined;
      },
      state: () => this.state,
      isSecure: tls !== undefined,
      now: () => Date.now(),
      take: (fragments, bytes) => this.#doors?.take(fragments, bytes),
      join: (clusterId, member) => this.propose({ kind: "join", clusterId, member, atMs: Date.now() }),
    });
    router.service(PeerService, service, { readMaxBytes: peerMessageBytesMax });
  }

  #factsOf(agentPort: number, peerPort: number): MemberFacts {
    const { config, identity, version } = this.#deps;
    const { advertisedHost, listenAddress, zone = "", weightPercent } = config.cluster;
    const { nodeId, incarnation } = identity.identity;
    const doorAt = (address: string, port: number): string => {
      const isWildcard = address === "0.0.0.0" || /^[0:]+$/.test(address);
      const host = advertisedHost ?? (isWildcard ? hostname() : address);
      return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
    };
    return {
      nodeId,
      incarnation,
      agentAddress: doorAt(config.listen.address, agentPort),
      peerAddress: doorAt(listenAddress, peerPort),
      zone,
      weight: weightPercent / 100,
      version,
    };
  }

  /** Peer doors that may let it in: those it is told of, then those it knew. */
  #seeds(): string[] {
    const { config, identity } = this.#deps;
    const told = (config.cluster.join ?? "").split(",").map((address) => address.trim());
    const known = Object.values(identity.identity.peers);
    return [...new Set([...told, ...known])].filter(
      (address) => address !== "" && address !== this.#facts!.peerAddress,
    );
  }

  async #join(): Promise<void> {
    const { identity, logger } = this.#deps;
    logger.info({ seeds: this.#seeds() }, "joining the cluster");
    // Without a bound it answers, or throws.
    const { clusterId, members } = (await this.#ask({}))!;
    identity.update({
      clusterId,
      peers: Object.fromEntries(members.map(({ nodeId, peerAddress }) => [nodeId, peerAddress])),
    });
  }

  async #ask(bounds: Pick<JoinAttempt, "roundsMax">): Promise<JoinResponse | undefined> {
    const { identity, scope, logger } = this.#deps;
    return await askToJoin({
      clients: this.#clients,
      addresses: () => this.#seeds(),
      clusterId: identity.identity.clusterId,
      member: this.#facts!,
      isStoreShared: scope === "shared",
      ...bounds,
      logger,
      signal: this.#stopped.signal,
    });
  }

  async #startRaft(): Promise<void> {
    const { logger, fatal } = this.#deps;
    this.#supervisor = new RaftSupervisor({ create: () => this.#createRaft(), clock: raftClock });
    let locked: RaftError | undefined;
    this.#supervisor.on("retrying", ({ error, delayMs }) => {
      if (error.code === "RAFT_STORAGE_LOCKED") locked = error;
      logger.error(
        { code: error.code, reason: error.message, delayMs },
        "the cluster's log failed, trying again",
      );
    });
    await this.#supervisor.start();
    if (locked !== undefined) {
      await this.#supervisor.stop();
      throw locked;
    }
    this.#supervisor.on("gaveUp", ({ error }) => fatal(error));
  }

  #createRaft(): RaftNode<ClusterOutcome> {
    const { config, identity, tls, logger } = this.#deps;
    const { nodeId, clusterId, stage } = identity.identity;
    const fsm = new ClusterFsm((state) => this.#changed(state));
    this.#fsm = fsm;
    const storage = new LevelStorage({
      directory: raftDirectory(config.dataDir),
      onDamage: ({ code, message }) =>
        logger.error({ code, reason: message }, "a snapshot of the cluster is damaged"),
    });
    const transport = new ConnectTransport({
      addressOf: (peer) => this.#urlOf(peer),
      ...(tls !== undefined && {
        tls,
        verifyPeer: ({ subjectAltName }, peer) => namesBroker(subjectAltName, peer),
      }),
      onError: ({ code, message }, peer) =>
        logger.debug({ code, peer, reason: message }, "a peer is not reached"),
      clock: raftClock,
      random,
    });
    this.#door.serve((router) => {
      this.#peerRoutes(router);
      transport.routes(router);
    });
    const bootstrap = stage === "forming" ? { bootstrap: { voters: [nodeId] } } : {};
    const { log, stable, snapshots } = storage;
    const node = new RaftNode<ClusterOutcome>(
      { id: nodeId, clusterId, ...bootstrap, hashEveryEntries: 64 },
      { fsm, log, stable, snapshots, transport, clock: raftClock, random },
    );
    node.on("leaderChanged", ({ leaderId, term }) => {
      logger.info({ leaderId, term }, leaderId === undefined ? "no leader is known" : "a leader is known");
      if (leaderId !== undefined) this.#leaderKnown.resolve();
    });
    node.on("diverged", (event) => logger.error(event, "members differ in the cluster's state"));
    node.on("degraded", ({ error, peer }) =>
      logger.warn({ code: error.code, reason: error.message, peer }, "the cluster's log has trouble"),
    );
    return node;
  }

  #urlOf(nodeId: string): string | undefined {
    const { identity, tls } = this.#deps;
    const address = this.state.members.get(nodeId)?.peerAddress ?? identity.identity.peers[nodeId];
    return address === undefined ? undefined : `${tls === undefined ? "http" : "https"}://${address}`;
  }

  /** Makes the cluster, unless that was done before the broker stopped the last time. */
  async #form(): Promise<void> {
    const { identity, scope, logger } = this.#deps;
    const { clusterId } = identity.identity;
    await this.#leaderKnown.promise;
    if (this.state.clusterId === "") {
      await this.propose({
        kind: "form",
        clusterId,
        scope,
        member: this.#facts!,
        parameters: { ...ringDefaults, replicationFactor },
        atMs: Date.now(),
      });
    }
    logger.info({ clusterId }, "formed a cluster");
  }

  /**
   * Tells the cluster what has changed about this broker since it ran last, as its version or where it is. Whom it is told to
   * join is asked at once, so that a broker of another cluster learns of it. When nobody leads after a while the others may
   * have moved too, and are asked until one answers.
   */
  async #announce(): Promise<void> {
    const { fatal, config } = this.#deps;
    const { signal } = this.#stopped;
    try {
      if (config.cluster.join !== undefined && (await this.#ask({ roundsMax: 1 })) !== undefined) return;
      const timeout = new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, announceAfterMs);
        signal.addEventListener("abort", () => {
          clearTimeout(timer);
          resolve();
        });
      });
      await Promise.race([this.#leaderKnown.promise, timeout]);
      if (signal.aborted) return;
      this.#assertSameStore();
      const facts = this.#facts!;
      const own = this.state.members.get(this.nodeId);
      const isKnown =
        own !== undefined &&
        Object.entries(facts).every(([name, value]) => own[name as keyof MemberFacts] === value);
      const isGone = own === undefined || own.state === "left";
      if (isKnown && !isGone) return;
      if (this.raftStatus()?.role === "leader") {
        await this.propose({ kind: "update", member: facts, atMs: Date.now() });
        return;
      }
      if (isGone && config.cluster.join === undefined && this.raftStatus()?.leaderId !== undefined) return;
      await this.#ask({});
    } catch (error) {
      if (!signal.aborted)
        fatal(error instanceof Error ? error : new ClusterStartError("data", String(error)));
    }
  }

  /** @throws {ClusterStartError} when the store is of another kind than the cluster was formed with */
  #assertSameStore(): void {
    const { clusterId, scope } = this.state;
    if (clusterId === "" || scope === this.#deps.scope) return;
    const reason = `store.kind: expected a ${scope} store, as the cluster has, got a ${this.#deps.scope} one: change it back`;
    throw new ClusterStartError("configuration", reason);
  }

  #changed(state: ClusterState): void {
    this.#heartbeats?.follow(state);
    const { identity } = this.#deps;
    const members = [...state.members.values()].filter((member) => member.state !== "left");
    const peers = Object.fromEntries(members.map(({ nodeId, peerAddress }) => [nodeId, peerAddress]).sort());
    if (JSON.stringify(peers) === JSON.stringify(identity.identity.peers)) return;
    identity.update({ peers });
  }

  #beat(): void {
    const { logger } = this.#deps;
    for (const change of this.#heartbeats!.beat()) logger.warn(change, "a member is judged anew");
    this.#steward!.look();
  }
}

/** How long a member that starts waits for a leader before it asks where the others are, in milliseconds. */
const announceAfterMs = 5_000;
