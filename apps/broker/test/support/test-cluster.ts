import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { StoreScope } from "@mon/cluster";
import { type BrokerConfig, brokerSchema, loadConfig } from "@mon/config";
import type { TestAuthority } from "../../../../tools/build/certificate.ts";
import { ClusterNode, type MemberDoors } from "../../src/cluster/cluster-node.ts";
import { IdentityFile } from "../../src/cluster/identity-file.ts";
import { readPeerTls } from "../../src/cluster/peer-tls.ts";
import type { Logger } from "../../src/logger.ts";
import { TempDirectory } from "./temp-directory.ts";

/** How a member of a {@link TestCluster} is made. */
export interface TestMemberOptions {
  readonly args?: readonly string[];
  /** Who signs its certificate; absent for plain text. */
  readonly authority?: TestAuthority;
  /** Whom its certificate names; by default the member. */
  readonly certifiedAs?: string;
  /** That of its store; by default the cluster's. */
  readonly scope?: StoreScope;
  /** Makes what takes others' reports; absent for one that has no room. */
  readonly take?: (node: ClusterNode) => MemberDoors["take"];
}

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, fatal() {} };

/** Members of a cluster in this process: real sockets, real disks, no stores. */
export class TestCluster implements AsyncDisposable {
  readonly nodes = new Map<string, ClusterNode>();
  /** What ended members after they had started. */
  readonly failures: Error[] = [];
  readonly #temp: TempDirectory;
  readonly #scope: StoreScope;
  #peerPort = 0;

  private constructor(temp: TempDirectory, scope: StoreScope) {
    this.#temp = temp;
    this.#scope = scope;
  }

  static async create(scope: StoreScope): Promise<TestCluster> {
    return new TestCluster(await TempDirectory.create(), scope);
  }

  /** Starts a member: the first forms the cluster, the others join it. Resolves when it is one. */
  async start(nodeId: string, options: TestMemberOptions = {}): Promise<ClusterNode> {
    const isFirst = this.nodes.size === 0;
    const config = await this.#config(nodeId, isFirst, options);
    const tls = readPeerTls(config);
    const identity = IdentityFile.open(config)!;
    const fatal = (error: Error): void => void this.failures.push(error);
    const node = new ClusterNode({
      config,
      identity,
      scope: options.scope ?? this.#scope,
      version: "0.1.0",
      tls,
      logger: silent,
      fatal,
    });
    this.nodes.set(nodeId, node);
    const port = await node
      .start({ agentPort: 7_400, take: options.take?.(node) ?? (() => undefined) })
      .catch(async (error: unknown) => {
        this.nodes.delete(nodeId);
        await node.stop();
        throw error;
      });
    if (isFirst) this.#peerPort = port;
    return node;
  }

  /** Where the first member is for other brokers. */
  get seed(): string {
    return `127.0.0.1:${this.#peerPort}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.nodes.values()].map((node) => node.stop()));
    await this.#temp[Symbol.asyncDispose]();
  }

  async #config(nodeId: string, isFirst: boolean, options: TestMemberOptions): Promise<BrokerConfig> {
    const dataDir = join(this.#temp.path, nodeId);
    const files = await this.#tlsFiles(nodeId, options);
    const set = [
      ...[`nodeId=${nodeId}`, `dataDir=${dataDir}`, "cluster.listenPort=0"],
      isFirst ? "cluster.bootstrap=true" : `cluster.join=${this.seed}`,
      ...files,
      ...(options.args ?? []),
    ];
    return loadConfig(brokerSchema, { set, defaults: { nodeId } }).config;
  }

  async #tlsFiles(
    nodeId: string,
    { authority, certifiedAs = nodeId }: TestMemberOptions,
  ): Promise<readonly string[]> {
    if (authority === undefined) return [];
    const { certificate, key } = authority.issue(`spiffe://mon/broker/${certifiedAs}`);
    const contents = { certFile: certificate, keyFile: key, caFile: authority.certificate };
    return await Promise.all(
      Object.entries(contents).map(async ([name, pem]) => {
        const path = join(this.#temp.path, `${nodeId}-${name}.pem`);
        await writeFile(path, pem);
        return `cluster.tls.${name}=${path}`;
      }),
    );
  }
}
