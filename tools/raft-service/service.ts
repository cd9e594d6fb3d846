import { type ConfChangeStep, type NodeId, RaftError } from "@mon/raft";
import type { Member } from "./member.ts";
import type { Answer } from "./wire.ts";
import { WriteBatcher } from "./write-batcher.ts";

/** Mistakes that can be planted, to see whether a checker finds them. */
export const plants = ["stale-get", "early-ack"] as const;
export type Plant = (typeof plants)[number];

/** What a member does for its clients, whatever door they come by. */
export class Service {
  readonly #member: Member;
  readonly #plant: Plant | undefined;
  /** Takes puts and compareAndSets. */
  readonly writes: WriteBatcher;

  constructor(member: Member, plant?: Plant) {
    this.#member = member;
    this.#plant = plant;
    this.writes = new WriteBatcher(() => member.node, plant === "early-ack");
  }

  /** Reads a value; never rejects. Linearizable, by ReadIndex. */
  async get(key: Uint8Array, number: number): Promise<Answer> {
    const read = (): Answer => {
      const { machine } = this.#member;
      const { revision } = machine;
      return { number, revision, value: machine.get(key), refused: false, error: undefined };
    };
    try {
      return this.#plant === "stale-get" ? read() : await this.#member.node.read(read);
    } catch (error) {
      const { code } = RaftError.from(error);
      return { number, revision: 0, value: undefined, refused: false, error: code };
    }
  }

  /** What an operator asks for, by the name of the call. @throws {RaftError} as the node does */
  async operate(method: string, argument: unknown): Promise<unknown> {
    switch (method) {
      case "Status":
        return this.#member.status();
      case "TransferLeadership":
        // What operators send is theirs to get right; the node checks it.
        return await this.#member.node.transferLeadership((argument as { to?: NodeId } | undefined)?.to);
      case "ChangeMembership":
        return await this.#member.node.changeMembership((argument as { steps: ConfChangeStep[] }).steps);
      case "Snapshot":
        return await this.#member.node.snapshot();
      default:
        throw new RangeError(`expected a call of KeyValue, got ${method}`);
    }
  }
}
